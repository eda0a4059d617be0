"""The cost of redaction, as ratios of figures taken in one run (`redactor.py`)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lancelot.redaction.finding import Finder
from lancelot.redaction.redactor import Redactor
from lancelot.redaction.stream import TextRestorer
from lancelot.redaction.vault import Vault
from tests.bench.redactor import NoNames, figures, median_us


def test_redaction_costs_little_beside_its_detectors() -> None:
    taken = figures()
    for name, microseconds in taken.items():
        print(f"{name:<36} {microseconds / 1000:9.3f} ms")
    own, detectors = taken["request without detectors, 1 KB"], taken["detectors, 1 KB"]
    assert own <= detectors, "everything but the detectors costs no more than they do"
    assert taken["request without detectors, 20 KB"] <= 30 * own, "twenty times the text, about twenty times the cost"
    fresh = taken["request, fast"]
    assert taken["next turn of 17 messages, fast"] <= 2 * fresh, "a history that was searched is not searched again"
    assert taken["chunk of a stream"] <= own / 5
    assert taken["chunk with a placeholder"] <= own / 2


@pytest.mark.parametrize(
    "unit", ["<", "<  ", "EMAIL_", "<email  ", "redacted_EMAIL_", "&lt;", '"', "\\u003c", "id 1 ", "<EMAIL_1>"]
)
def test_hostile_texts_cost_no_more_a_character(unit: str) -> None:
    """Four times the text, about four times the time; for restoring whole and streamed too."""
    made = Redactor(finder=Finder(NoNames(), rules=()))  # type: ignore[arg-type]
    vault = Vault()
    vault.add("a@example.com", "EMAIL")
    vault.add("1990-02-03", "DATE_OF_BIRTH")

    def streamed(text: str) -> None:
        restorer = TextRestorer(vault, in_json=True)
        for start in range(0, len(text), 64):
            restorer.feed(text[start : start + 64])
        restorer.flush()

    works: list[Callable[[str], object]] = [made.redact, vault.restore, streamed]
    for work in works:
        assert best_us(work, unit * 20_000) <= 10 * best_us(work, unit * 5_000) + 1000


def best_us(work: Callable[[str], object], text: str) -> float:
    return min(median_us(lambda _: work(text), range(3)) for _ in range(3))
