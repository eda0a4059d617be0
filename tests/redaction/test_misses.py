"""Reported misses: only after a yes, in a private file, and deletable."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lancelot.errors import BadInput
from lancelot.redaction.misses import Misses


def test_without_a_yes_nothing_is_written(tmp_path: Path) -> None:
    misses = Misses(tmp_path / "data")
    with pytest.raises(BadInput):
        misses.report("Ask Anna", "Anna", "PERSON", agreed=False)
    assert not misses.path.exists()


def test_a_report_is_private_and_counted(tmp_path: Path) -> None:
    misses = Misses(tmp_path)
    misses.report("Ask Anna", "Anna", "PERSON", agreed=True)
    misses.report("Ask Ben", "Ben", "PERSON", agreed=True)
    assert stat.S_IMODE(misses.path.stat().st_mode) == 0o600
    assert misses.count() == 2
    misses.forget()
    assert misses.count() == 0
    assert not misses.path.exists()


@pytest.mark.parametrize(("text", "missed"), [("Ask Anna", ""), ("Ask Anna", "Ben"), ("A" * 30_000, "A")])
def test_reports_that_make_no_sense_are_refused(tmp_path: Path, text: str, missed: str) -> None:
    with pytest.raises(BadInput):
        Misses(tmp_path).report(text, missed, "PERSON", agreed=True)
