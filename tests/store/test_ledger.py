"""Receipts: seen at once, loaded behind, replayed exactly, paged without gaps."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.errors import BadInput, Conflict, DiskFull
from lancelot.store.journal import JournalFile
from lancelot.store.ledger import ReceiptStore
from lancelot.store.pages import ReceiptFilters
from lancelot.store.receipts import Receipt


def test_a_receipt_is_there_the_moment_it_is_written(store, make_receipt) -> None:
    receipt = store.write(make_receipt())
    assert store.get(receipt.id) == receipt
    assert store.page()[0][0] == receipt
    assert store.flush()
    assert store.get(receipt.id) == receipt
    assert store.page()[0] == [receipt]


@pytest.mark.anyio
async def test_the_async_way(store, make_receipt) -> None:
    receipts = [make_receipt() for _ in range(50)]
    await asyncio.gather(*[store.awrite(receipt) for receipt in receipts])
    assert {receipt.id for receipt in store.page(limit=100)[0]} == {receipt.id for receipt in receipts}


def test_money_is_decimal_in_the_database(store, make_receipt) -> None:
    store.write(make_receipt(cost_usd=Decimal("0.1")))
    store.write(make_receipt(cost_usd=Decimal("0.2")))
    store.write(make_receipt(cost_usd=None))
    store.flush()
    assert store.database.query("SELECT sum(cost_usd), count(cost_usd) FROM receipts") == [(Decimal("0.3"), 2)]


def test_redaction_counts_can_be_queried(store, make_receipt) -> None:
    store.write(make_receipt(redactions={"EMAIL": 2}))
    store.flush()
    assert store.database.query("SELECT CAST(redactions->'$.EMAIL' AS INTEGER) FROM receipts") == [(2,)]


def test_a_receipt_written_twice_is_one(store, make_receipt) -> None:
    receipt = make_receipt()
    store.write(receipt)
    store.write(receipt)
    assert store.page()[0] == [receipt]
    assert store.chain(receipt.request_id) == [receipt]
    assert store.flush()
    store.write(receipt)
    assert store.page()[0] == [receipt]
    assert store.flush()
    assert store.database.query("SELECT count(*) FROM receipts") == [(1,)]


def test_an_unknown_receipt(store) -> None:
    assert store.get("nothing") is None


def test_the_chain_of_attempts_in_order(store, make_receipt) -> None:
    first = store.write(make_receipt(request_id="r"))
    store.flush()
    second = store.write(make_receipt(request_id="r", parent_id=first.id, attempt=2))
    store.write(make_receipt())
    assert store.chain("r") == [first, second]
    assert store.chain("unknown") == []


@pytest.mark.parametrize("flushed", [True, False])
def test_filters_mean_the_same_before_and_after_loading(store, make_receipt, flushed: bool) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    receipts = [
        make_receipt(at=start, lane="local", status="ok", redactions={}),
        make_receipt(at=start + timedelta(hours=1), lane="fast", status="error", error_code="provider_timeout"),
        make_receipt(at=start + timedelta(hours=2), lane="deep", task="code", key_id="k1"),
    ]
    for receipt in receipts:
        store.write(receipt)
    if flushed:
        store.flush()
    expected = {
        ReceiptFilters(lane="local"): [0],
        ReceiptFilters(status="error"): [1],
        ReceiptFilters(error_code="provider_timeout"): [1],
        ReceiptFilters(task="code", key_id="k1"): [2],
        ReceiptFilters(since=start + timedelta(hours=1)): [2, 1],
        ReceiptFilters(until=start + timedelta(hours=1)): [0],
        ReceiptFilters(redacted=False): [0],
        ReceiptFilters(lane="fast", status="ok"): [],
    }
    for filters, wanted in expected.items():
        assert store.page(filters)[0] == [receipts[index] for index in wanted], filters


def test_pages_have_no_gaps_and_no_doubles_while_receipts_arrive(store, make_receipt) -> None:
    written = [store.write(make_receipt()) for _ in range(25)]
    seen: list[Receipt] = []
    cursor: str | None = None
    while True:
        page, cursor = store.page(cursor=cursor, limit=7)
        seen += page
        store.write(make_receipt())
        if cursor is None:
            break
    assert seen == list(reversed(written))


def test_the_last_page_says_so(store, make_receipt) -> None:
    for _ in range(4):
        store.write(make_receipt())
    assert store.page(limit=4)[1] is None
    assert store.page(limit=3)[1] is not None
    assert ReceiptFilters().matches(make_receipt())


@pytest.mark.parametrize("cursor", ["x", "-1", "1; DROP TABLE receipts", "9" * 30])
def test_a_foreign_cursor_is_refused(store, cursor: str) -> None:
    with pytest.raises(BadInput):
        store.page(cursor=cursor)


def test_what_was_not_loaded_is_replayed(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path, seal_at=20)
    receipts = [store.write(make_receipt()) for _ in range(55)]
    store.flush()
    store.database.execute("DELETE FROM receipts WHERE n > 10")
    store.database.execute("UPDATE journal_state SET loaded = 10")
    store.close()
    again = ReceiptStore(tmp_path)
    assert again.replayed == 45
    assert again.page(limit=100)[0] == list(reversed(receipts))
    again.close()


def test_a_lost_database_is_rebuilt_from_the_journal(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path, seal_at=20)
    receipts = [store.write(make_receipt()) for _ in range(55)]
    store.close()
    (tmp_path / "lancelot.duckdb").unlink()
    store = ReceiptStore(tmp_path)
    assert store.page(limit=100)[0] == list(reversed(receipts))
    store.close()


def test_a_damaged_database_is_moved_aside_and_rebuilt_with_an_event(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path)
    receipt = store.write(make_receipt())
    store.close()
    path = tmp_path / "lancelot.duckdb"
    path.write_bytes(b"\xff" * 20_000)
    store = ReceiptStore(tmp_path)
    assert store.get(receipt.id) == receipt
    event = store.page(ReceiptFilters(kind="event"))[0][0]
    assert event.data["event"] == "database_rebuilt"
    assert (tmp_path / event.data["moved_to"]).exists()
    store.close()


def test_a_cut_tail_is_an_event_not_an_error(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path)
    receipt = store.write(make_receipt())
    store.close()
    with (tmp_path / "journal" / "0001.jsonl").open("ab") as file:
        file.write(b'{"n":2,"prev":"ab')
    store = ReceiptStore(tmp_path)
    events = [found.data for found in store.page(ReceiptFilters(kind="event"))[0]]
    assert [event["event"] for event in events] == ["journal_tail_cut"]
    assert events[0]["bytes"] == 17
    assert store.get(receipt.id) == receipt
    store.close()


def test_full_segments_are_sealed_and_still_replayable(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path, seal_at=10)
    receipts = [store.write(make_receipt()) for _ in range(35)]
    store.close()
    store = ReceiptStore(tmp_path, seal_at=10)  # seals at the latest now
    store.write(make_receipt())
    store.flush()
    store.close()
    assert {path.name for path in (tmp_path / "journal").glob("*.parquet")} >= {"0000.parquet", "0001.parquet"}
    (tmp_path / "lancelot.duckdb").unlink()
    for path in (tmp_path / "journal").glob("*.parquet"):
        path.with_suffix(".jsonl").unlink(missing_ok=True)
    store = ReceiptStore(tmp_path)
    assert store.page(limit=100)[0][1:] == list(reversed(receipts))
    store.close()


def test_a_second_process_is_refused_in_words(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path)
    script = (
        "import pathlib, sys; from lancelot.store.ledger import ReceiptStore; ReceiptStore(pathlib.Path(sys.argv[1]))"
    )
    answer = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    store.close()
    assert Conflict.__name__ in answer.stderr
    assert "data_folder_in_use" in answer.stderr


def test_listeners_hear_of_each_receipt_before_its_writer_goes_on(store, make_receipt) -> None:
    heard: list[Receipt] = []
    store.subscribe(heard.append)
    receipt = store.write(make_receipt())
    assert heard == [receipt]


def test_a_foreign_line_in_the_journal_does_not_stop_the_start(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path)
    receipts = [store.write(make_receipt()) for _ in range(5)]
    store.close()
    (tmp_path / "lancelot.duckdb").unlink()
    path = tmp_path / "journal" / "0001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"task":', b'"task"')  # no JSON any more, but the shape of a line
    lines[3] = lines[3][: lines[3].index(b'"r":')] + b'"r":{"no":"receipt"}}\n'
    path.write_bytes(b"".join(lines))
    store = ReceiptStore(tmp_path)
    found = [receipt for receipt in store.page()[0] if receipt.kind == "attempt"]
    assert found == [receipts[4], receipts[1], receipts[0]]
    assert not store.verify().ok
    store.close()


def test_check_is_quiet_while_receipts_can_be_kept_and_refuses_while_not(tmp_path: Path, make_receipt) -> None:
    class Failing(JournalFile):
        full = False

        def sync(self) -> None:
            if type(self).full:
                raise OSError(28, "No space left on device")
            super().sync()

    store = ReceiptStore(tmp_path, open_file=Failing)
    store.check()
    Failing.full = True
    with pytest.raises(DiskFull):
        store.write(make_receipt())
    assert store.journal.problem is not None
    store.check()  # the probe succeeds: there is room again
    Failing.full = False
    receipt = store.write(make_receipt())
    assert store.journal.problem is None
    assert store.get(receipt.id) == receipt
    store.close()


def test_a_receipt_written_twice_is_one_also_after_a_rebuild(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path, seal_at=10)
    receipts = [make_receipt() for _ in range(12)]
    for receipt in (*receipts, *receipts, *receipts):
        store.write(receipt)
    store.close()
    ReceiptStore(tmp_path, seal_at=10).close()  # seals the full segments
    (tmp_path / "lancelot.duckdb").unlink()
    store = ReceiptStore(tmp_path)
    assert store.database.query("SELECT count(*), count(DISTINCT id) FROM receipts") == [(12, 12)]
    assert store.page(limit=100)[0] == list(reversed(receipts))
    store.close()
