"""Each row of `make done` turns red when the product breaks; a few in `make test`, all with LANCELOT_ALL_FAULTS=1."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.done.rows import ROWS, Row
from tests.done.runner import PROJECT, break_copy, copy_of, run

QUICK = {"prompt 0", "prompt 5", "prompt 18", "licensing"}
pytestmark = pytest.mark.timeout(900)


def chosen() -> list[Row]:
    everything = os.environ.get("LANCELOT_ALL_FAULTS") == "1"
    return [row for row in ROWS if everything or row.id in QUICK]


def test_every_prompt_and_promise_has_its_row() -> None:
    ids = [row.id for row in ROWS]
    assert ids[:19] == [f"prompt {number}" for number in range(19)]
    assert len(ids) == len(set(ids)) == 19 + 7


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_its_checks_and_its_fault_are_there(row: Row) -> None:
    for check in row.checks:
        file, *names = check.split("::")
        text = (PROJECT / file).read_text()
        for name in names:
            assert re.search(rf"(def|class) {name}\b", text), f"{check} is gone"
    assert row.fault.old
    assert row.fault.old != row.fault.new
    assert row.fault.old in (PROJECT / row.fault.file).read_text(), f"{row.id}: the fault's text is gone"


def test_a_copy_that_is_not_broken_is_green(tmp_path: Path) -> None:
    outcomes = run(chosen(), copy_of(PROJECT, tmp_path / "project"), workers=1)
    assert {outcome.row.id: (outcome.failed, outcome.missing) for outcome in outcomes if not outcome.done} == {}


@pytest.mark.parametrize("row", chosen(), ids=lambda row: row.id)
def test_a_broken_product_turns_the_row_red(row: Row, tmp_path: Path) -> None:
    copy = copy_of(PROJECT, tmp_path / "project")
    break_copy(copy, row.fault)
    [outcome] = run([row], copy, workers=1)
    assert outcome.failed, f"{row.id} does not notice {row.fault}"
