"""Made-up receipts: repeatable, plausible, valid."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from lancelot.demo import demo_records, seed
from lancelot.store.ledger import ReceiptStore
from lancelot.store.rows import decode, encode
from lancelot.store.usage import UsageQueries

END = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_same_seed_gives_the_same_receipts() -> None:
    first = list(demo_records(500, seed=1, end=END))
    assert first == list(demo_records(500, seed=1, end=END))
    assert first != list(demo_records(500, seed=2, end=END))


def test_each_is_a_valid_receipt_in_the_journal_s_own_form() -> None:
    for record in demo_records(300, end=END):
        payload = orjson.dumps(record)
        assert encode(decode(payload)) == payload


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_exactly_so_many_in_order_of_time(count: int) -> None:
    records = list(demo_records(count, days=30, end=END))
    assert len(records) == count
    assert len({record["id"] for record in records}) == count
    first_attempts = [record["time"] for record in records if record["attempt"] == 1]
    assert first_attempts == sorted(first_attempts)
    if count > 1:
        assert records[0]["time"] >= (END - timedelta(days=30)).isoformat()[:10]
        assert records[-1]["time"][:10] >= "2026-05-29"


def test_all_the_shapes_an_operator_meets_occur() -> None:
    records = list(demo_records(3000, end=END))
    lanes = Counter(record["lane"] for record in records)
    assert set(lanes) == {"local", "fast", "deep"}
    assert any(record["attempt"] > 1 and record["parent_id"] for record in records)
    assert any(record["status"] == "error" for record in records)
    assert any("cost_usd" not in record and record["status"] == "ok" for record in records)  # no price known
    assert any("redactions" in record for record in records)


def test_seeding_fills_a_store_whose_chain_holds(tmp_path: Path) -> None:
    store = ReceiptStore(tmp_path)
    assert seed(store, 2500, end=END) == 2500
    assert UsageQueries(store).summary()["totals"]["calls"] == 2500
    assert store.verify(full=True).ok
    store.close()
