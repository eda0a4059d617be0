"""Pruning by age: the old is gone everywhere, the rest verifies, the sums stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lancelot.store.head import Head
from lancelot.store.ledger import ReceiptStore
from lancelot.store.marks import read_tombstones, write_tombstone
from lancelot.store.prune import carry_out
from lancelot.store.segments import read_sealed
from lancelot.store.usage import UsageQueries

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def aged(tmp_path: Path, make_receipt):
    """A store with 35 receipts, one an hour, in segments of ten; and the receipts."""
    store = ReceiptStore(tmp_path / "store", seal_at=10)
    receipts = [make_receipt(at=START + timedelta(hours=hour)) for hour in range(35)]
    for receipt in receipts:
        store.write(receipt)
    yield store, receipts
    store.close()


@pytest.mark.parametrize("hours", [5, 10, 15, 33, 35])
def test_what_is_older_goes_and_the_rest_verifies(aged, hours: int) -> None:
    store, receipts = aged
    before = UsageQueries(store).summary()["totals"]
    report = store.prune(START + timedelta(hours=hours))
    assert (report.removed, report.pruned_through) == (hours, hours)
    left = [receipt for receipt in store.page(limit=100)[0] if receipt.kind == "attempt"]
    assert left == list(reversed(receipts[hours:]))
    verified = store.verify(full=True)
    assert verified.ok, verified.problems
    assert verified.pruned_through == hours
    event = store.page({"kind": "event"})[0][0]
    assert event.data["event"] == "receipts_pruned"
    assert event.data["tombstone"]["signature"] == report.tombstone["signature"]
    assert UsageQueries(store).summary()["totals"] == before


def test_nothing_of_a_pruned_receipt_stays_on_disk(aged) -> None:
    store, receipts = aged
    store.prune(START + timedelta(hours=35))
    store.close()
    for path in (store.data_dir / "journal").iterdir():
        assert receipts[0].id.encode() not in path.read_bytes(), path


def test_pruning_twice_and_pruning_nothing(aged) -> None:
    store, _ = aged
    assert store.prune(START).tombstone is None
    store.prune(START + timedelta(hours=5))
    assert store.prune(START + timedelta(hours=5)).tombstone is None
    assert store.prune(START + timedelta(hours=25)).removed == 20
    assert [stone.holds for stone in read_tombstones(store.data_dir)] == [True, True]
    assert store.verify(full=True).ok


def test_a_prune_a_kill_interrupted_is_finished_at_the_next_start(aged, tmp_path: Path) -> None:
    store, receipts = aged
    # what a kill right after the tombstone leaves: the note is there, files and rows are too
    store._sealer.seal_through(store.journal, 30)
    line = next(line for line in read_sealed(store.journal_folder / "0002.parquet") if line.n == 15)
    write_tombstone(store.data_dir, Head(line.n, line.hash), {})
    assert store.verify(full=True).ok
    store.close()
    store = ReceiptStore(tmp_path / "store")
    assert [r for r in store.page(limit=100)[0] if r.kind == "attempt"] == list(reversed(receipts[15:]))
    assert store.verify(full=True).ok
    carry_out(store.data_dir, store.database)
    assert store.verify(full=True).ok
    store.close()


def test_a_forged_tombstone_is_told(aged) -> None:
    store, _ = aged
    store.prune(START + timedelta(hours=5))
    path = store.data_dir / "journal.tombstones"
    path.write_bytes(path.read_bytes().replace(b'"removed":5', b'"removed":4'))
    report = store.verify(full=True)
    assert [problem.kind for problem in report.problems][:2] == ["bad_tombstone", "missing"]


def test_the_journal_goes_on_after_everything_was_pruned(aged, make_receipt, tmp_path: Path) -> None:
    store, _ = aged
    store.prune(START + timedelta(days=300))
    receipt = store.write(make_receipt())
    store.close()
    store = ReceiptStore(tmp_path / "store")
    assert store.get(receipt.id) == receipt
    assert store.verify(full=True).ok
    store.close()


def test_a_rebuilt_database_does_not_bring_the_pruned_back(aged, tmp_path: Path) -> None:
    store, receipts = aged
    store.prune(START + timedelta(hours=15))
    store.close()
    (tmp_path / "store" / "lancelot.duckdb").unlink()
    store = ReceiptStore(tmp_path / "store")
    assert [r for r in store.page(limit=100)[0] if r.kind == "attempt"] == list(reversed(receipts[15:]))
    store.close()
