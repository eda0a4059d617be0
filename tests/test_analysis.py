"""Analysts' views: the same numbers as the console's, live from another process, on nothing at all."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from lancelot import analysis
from lancelot.demo import seed
from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Receipt
from lancelot.store.usage import UsageQueries
from tests.cli.shell import serving

END = datetime(2026, 6, 1, tzinfo=UTC)
WRITER = """
import sys
from pathlib import Path
from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Receipt
store = ReceiptStore(Path(sys.argv[1]), seal_at=200)
for line in sys.stdin:
    for _ in range(int(line)):
        receipt = store.write(Receipt(request_id="live", lane="fast", cost_usd="0.001"))
    print(receipt.id, flush=True)
store.close()
"""


@pytest.fixture
def seeded(tmp_path: Path) -> Path:
    """2,500 made-up receipts, at rest: two sealed segments and an open one."""
    store = ReceiptStore(tmp_path, seal_at=1000)
    seed(store, 2500, end=END)
    store.close()
    store = ReceiptStore(tmp_path, seal_at=1000)  # seals what the first run filled
    store.flush()
    store.close()
    return tmp_path


@pytest.mark.parametrize("existing", [True, False])
def test_nothing_yet(tmp_path: Path, existing: bool) -> None:
    if existing:
        ReceiptStore(tmp_path).close()
    connection = analysis.connect(tmp_path)
    for view in ("receipts", "decisions", "usage_hourly", "approvals"):
        assert connection.execute(f"SELECT count(*) FROM {view}").fetchone() == (0,)
    fresh = analysis.freshness(tmp_path)
    assert (fresh.lines, fresh.newest, fresh.chain_ok) == (0, None, True)
    connection.close()


def test_the_default_is_this_installation_s_data_folder(data_folder: Path) -> None:
    store = ReceiptStore(data_folder)
    store.write(Receipt(request_id="r"))
    connection = analysis.connect()
    assert connection.execute("SELECT count(*) FROM receipts").fetchone() == (1,)
    connection.close()
    store.close()


def test_the_same_sums_as_the_console_to_the_last_digit(seeded: Path) -> None:
    connection = analysis.connect(seeded)
    store = ReceiptStore(seeded)
    totals = UsageQueries(store).summary()["totals"]
    for source in ("receipts", "usage_hourly"):
        calls = "count(*)" if source == "receipts" else "sum(calls)::BIGINT"
        found = connection.execute(f"SELECT {calls}, sum(tokens_in)::BIGINT, sum(cost_usd) FROM {source}").fetchone()
        assert found == (totals["calls"], totals["tokens_in"], Decimal(totals["cost_usd"])), source
    newest = store.page(limit=1)[0][0]
    assert connection.execute(
        "SELECT id, total_ms, reasons, redactions FROM receipts ORDER BY n DESC LIMIT 1"
    ).fetchone() == (newest.id, newest.latency.total_ms, newest.reasons, newest.redactions or None)
    store.close()
    connection.close()


def test_sealed_open_and_raw_lines_count_once(seeded: Path) -> None:
    connection = analysis.connect(seeded)
    assert connection.execute("SELECT count(*), count(DISTINCT n), max(n) FROM receipts").fetchone() == (
        2500,
        2500,
        2500,
    )
    assert connection.execute("SELECT count(*) FROM decisions").fetchone() == (2500,)
    connection.close()


def test_lines_of_an_older_form_are_seen_too(tmp_path: Path) -> None:
    store = ReceiptStore(tmp_path, seal_at=5)
    store.journal.append(
        b'{"task":"old","id":"a","request_id":"r","kind":"attempt","host":"h",'
        b'"time":"2026-01-01T00:00:00.000000Z","status":"ok"}'
    )
    store.journal.append(b'{"no":"receipt"}')
    for _ in range(5):
        store.write(Receipt(request_id="r"))
    store.close()
    ReceiptStore(tmp_path, seal_at=5).close()
    store = ReceiptStore(tmp_path, seal_at=5)
    store.write(Receipt(request_id="r"))
    connection = analysis.connect(tmp_path)
    assert connection.execute("SELECT count(*), count(*) FILTER (task = 'old') FROM receipts").fetchone() == (7, 1)
    assert UsageQueries(store).summary()["totals"]["calls"] == 7
    connection.close()
    store.close()


def test_the_connection_says_how_fresh_it_is_and_whether_the_chain_holds(seeded: Path) -> None:
    connection = analysis.connect(seeded)
    lines, newest, age, ok, problem = connection.execute(
        "SELECT lines, newest, age_s, chain_ok, problem FROM freshness"
    ).fetchone()
    told = analysis.freshness(seeded)
    assert (lines, newest.replace(tzinfo=UTC), ok, problem) == (2500, told.newest, True, None)
    assert abs(age - told.age_s) < 5
    connection.close()
    (seeded / "journal" / "0001.parquet").unlink()
    (seeded / "journal" / "0001.jsonl").unlink(missing_ok=True)
    connection = analysis.connect(seeded)
    ok, problem = connection.execute("SELECT chain_ok, problem FROM freshness").fetchone()
    assert not ok
    assert "missing" in problem
    connection.close()


def test_what_a_running_server_has_acknowledged_is_seen_within_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    with serving(folder) as url:
        connection = analysis.connect(folder)
        bearer = {"Authorization": f"Bearer {(folder / 'token').read_text().strip()}"}
        with httpx.Client(headers=bearer, timeout=60, trust_env=False) as client:
            for number in range(15):
                sent = client.post(f"{url}/v1/utility/redact", json={"text": f"Mail anna{number}@example.com"})
                acknowledged, wanted = time.monotonic(), sent.json()["receipt_id"]
                while not connection.execute("SELECT 1 FROM receipts WHERE id = ?", [wanted]).fetchone():
                    assert time.monotonic() < acknowledged + 1, "not visible within a second"
        assert connection.execute("SELECT chain_ok FROM freshness").fetchone() == (True,)
        connection.close()


def test_a_broken_chain_is_told(seeded: Path) -> None:
    assert analysis.freshness(seeded).chain_ok
    next(seeded.glob("journal/0001.parquet")).unlink()
    (seeded / "journal" / "0001.jsonl").unlink(missing_ok=True)
    fresh = analysis.freshness(seeded)
    assert not fresh.chain_ok
    assert "missing" in str(fresh.problem)


def test_nothing_can_be_changed_through_the_views(seeded: Path) -> None:
    import duckdb

    connection = analysis.connect(seeded)
    for statement in ("DELETE FROM receipts", "UPDATE receipts SET lane = 'deep'", "INSERT INTO approvals SELECT 1"):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
    connection.close()


def test_live_from_another_process_each_receipt_once_and_within_a_second(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    assert writer.stdout is not None

    def write(count: int) -> str:
        writer.stdin.write(f"{count}\n")
        writer.stdin.flush()
        return writer.stdout.readline().strip()

    last = write(1)
    connection = analysis.connect(tmp_path)
    written = 1
    for round_ in range(40):
        last = write(37)
        written += 37
        deadline = time.monotonic() + 1
        while True:
            count, distinct, found = connection.execute(
                "SELECT count(*), count(DISTINCT n), bool_or(id = ?) FROM receipts", [last]
            ).fetchone()
            assert count == distinct, round_
            assert count <= written
            if found:
                break
            assert time.monotonic() < deadline, "not visible within a second"
        assert count == written
    connection.close()
    writer.stdin.close()
    writer.stdout.close()
    assert writer.wait() == 0


def test_a_long_journal_is_checked_a_little_later(tmp_path: Path) -> None:
    store = ReceiptStore(tmp_path, seal_at=1)
    for _ in range(analysis.CHECKED_AT_ONCE + 5):
        store.write(Receipt(request_id="r"))
    store.flush(60)
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("journal/*.parquet"))) <= analysis.CHECKED_AT_ONCE + 1:
        assert time.monotonic() < until
    connection = analysis.connect(tmp_path)
    ok, problem = connection.execute("SELECT chain_ok, problem FROM freshness").fetchone()
    assert (ok, problem) == (None, "The chain is being checked.")
    while connection.execute("SELECT chain_ok FROM freshness").fetchone() != (True,):
        assert time.monotonic() < until
    connection.close()
    store.close()
