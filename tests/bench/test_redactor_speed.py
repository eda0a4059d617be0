"""The cost of redaction, as ratios of figures taken in one run (`redactor.py`)."""

from __future__ import annotations

from tests.bench.redactor import figures


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
