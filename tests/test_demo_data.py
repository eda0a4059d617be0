"""The demonstration's own folder: exactly so many, anew each time, gone on request, never beside the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lancelot.config import ConfigStore
from lancelot.demo import DemoData
from lancelot.errors import BadInput, LancelotError, NotFound
from lancelot.settings import project_dir
from lancelot.store.ledger import ReceiptStore


@pytest.fixture
def demo(tmp_path: Path) -> DemoData:
    return DemoData(tmp_path, ConfigStore(project_dir() / "config"))


def test_made_anew_it_has_exactly_so_many_and_the_same_for_the_same_seed(demo: DemoData) -> None:
    assert not demo.exists()
    with pytest.raises(NotFound):
        demo.records()
    for count in (300, 40):
        assert demo.make(count, seed_number=3) == count
        records = demo.records()
        assert records.usage.summary()["totals"]["calls"] == count
        assert records.receipts.verify(full=True).ok
        assert [one["scope"] for one in records.budgets.status()]
        assert records.approvals.list()
    demo.close()


def test_the_old_one_is_shown_while_the_new_one_is_made(demo: DemoData) -> None:
    demo.make(50)
    open_before = demo.records()
    seen: list[int] = []

    def told(done: int, total: int) -> None:
        seen.append(done)
        assert demo.records() is open_before
        assert demo.status()["making"] == {"done": done, "total": total}

    demo.make(25_000, told=told)
    assert seen
    assert demo.status()["making"] is None
    assert demo.records() is not open_before
    demo.close()


def test_what_a_kill_left_half_made_is_swept_away(demo: DemoData, tmp_path: Path) -> None:
    half = tmp_path / "demo.new"
    ReceiptStore(half).close()
    demo.make(10)
    assert not half.exists()
    assert demo.records().usage.summary()["totals"]["calls"] == 10
    demo.close()


def test_removed_it_is_gone_and_the_real_records_are_not(demo: DemoData, tmp_path: Path) -> None:
    real = ReceiptStore(tmp_path)
    event = real.event("kept")
    demo.make(10)
    assert demo.remove()
    assert not demo.remove()
    assert not demo.folder.exists()
    assert real.get(event.id) is not None
    real.close()


@pytest.mark.parametrize("count", [0, -1, 20_000_001])
def test_impossible_numbers_are_refused_in_words(demo: DemoData, count: int) -> None:
    with pytest.raises(BadInput):
        demo.make(count)


def test_a_demonstration_that_cannot_be_made_leaves_the_old_one(demo: DemoData, tmp_path: Path) -> None:
    demo.make(10)
    demo.close()
    (tmp_path / "demo.new").write_text("a file where the folder should be")
    with pytest.raises(LancelotError):
        demo.make(20)
    assert demo.status()["making"] is None
    assert demo.records().usage.summary()["totals"]["calls"] == 10
    demo.close()
