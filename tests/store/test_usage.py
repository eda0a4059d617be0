"""Sums: to the last digit the same from the rollup, from receipts and in memory; unknown is never zero."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.errors import BadInput
from lancelot.store import rollup
from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Latency, Receipt
from lancelot.store.usage import UsageQueries

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def mixed(store) -> list[Receipt]:
    """500 receipts over two days, some without a price, some that do not count."""
    chance = random.Random(3)
    receipts = []
    for index in range(500):
        lane = chance.choice(["local", "fast", "deep"])
        priced = chance.random() < 0.8
        failed = chance.random() < 0.1
        receipts.append(
            Receipt(
                request_id=f"r{index}",
                at=START + timedelta(seconds=chance.randrange(48 * 3600)),
                kind=chance.choice(["attempt", "attempt", "attempt", "utility", "event"]),
                lane=lane,
                model=f"model-{lane}",
                task=chance.choice(["question", "code", None]),
                key_id=chance.choice([None, "k1", "k2"]),
                attempt=chance.choice([1, 1, 1, 2]),
                tokens_in=None if failed else chance.randrange(1, 5000),
                tokens_out=None if failed else chance.randrange(1, 900),
                tokens_cached=chance.randrange(10),
                status="error" if failed else "ok",
                cost_usd=Decimal(chance.randrange(10**9)) / 10**12 if priced and not failed else None,
                latency=Latency(total_ms=chance.lognormvariate(6, 1)),
            )
        )
    store.write_many(receipts)
    return receipts


def by_hand(receipts: list[Receipt]) -> dict:
    counted = [receipt for receipt in receipts if receipt.kind in ("attempt", "utility")]
    unpriced = [r for r in counted if r.cost_usd is None and (r.status == "ok" or r.tokens_in is not None)]
    return {
        "requests": sum(receipt.attempt == 1 for receipt in counted),
        "calls": len(counted),
        "tokens_in": sum(receipt.tokens_in or 0 for receipt in counted),
        "tokens_out": sum(receipt.tokens_out or 0 for receipt in counted),
        "tokens_cached": sum(receipt.tokens_cached for receipt in counted),
        "cost": sum((receipt.cost_usd or Decimal(0) for receipt in counted), Decimal(0)),
        "unpriced_calls": len(unpriced),
        "unpriced_tokens": sum((r.tokens_in or 0) + (r.tokens_out or 0) for r in unpriced),
    }


def assert_same(row: dict, wanted: dict) -> None:
    for name, value in wanted.items():
        if name == "cost":
            assert Decimal(row["cost_usd"]) == value
        else:
            assert row[name] == value, name


@pytest.mark.parametrize("by", ["lane", "model", "task", "key", "day", "provider", "status", "hour"])
def test_groups_add_up_to_the_total(store, mixed, by: str) -> None:
    found = UsageQueries(store).summary(by=by)
    assert_same(found["totals"], by_hand(mixed))
    for name in ("calls", "tokens", "unpriced_tokens"):
        assert sum(row[name] for row in found["groups"]) == found["totals"][name]
    assert sum(Decimal(row["cost_usd"] or 0) for row in found["groups"]) == Decimal(found["totals"]["cost_usd"])


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (None, None),
        (timedelta(hours=3), timedelta(hours=20)),
        (timedelta(hours=3, minutes=17), timedelta(hours=20, minutes=1, seconds=2)),
        (timedelta(hours=3, minutes=17), timedelta(hours=3, minutes=40)),
        (timedelta(hours=3), timedelta(hours=3, minutes=40)),
        (timedelta(hours=3, minutes=17), timedelta(hours=4)),
        (timedelta(hours=3, minutes=17), None),
        (None, timedelta(hours=3, minutes=17)),
    ],
)
def test_any_range_counts_each_receipt_once(store, mixed, since, until) -> None:
    low = START + since if since else None
    high = START + until if until else None
    inside = [r for r in mixed if (low is None or r.at >= low) and (high is None or r.at < high)]
    usage = UsageQueries(store)
    assert_same(usage.summary(low, high, "lane")["totals"], by_hand(inside))
    points = usage.timeseries(low, high, "hour", "lane")["points"]
    assert sum(point["calls"] for point in points) == by_hand(inside)["calls"]


def test_the_rollup_can_be_rebuilt_and_merged_without_changing_a_digit(store, mixed) -> None:
    usage = UsageQueries(store)
    before = usage.summary(by="hour")
    assert rollup.merge(store.database, limit=0)
    assert usage.summary(by="hour") == before
    assert not rollup.merge(store.database, limit=0)
    rollup.rebuild(store.database)
    assert usage.summary(by="hour") == before


def test_spending_in_memory_is_what_the_database_says(tmp_path: Path, store, mixed) -> None:
    now = datetime.now(UTC)
    recent = [receipt.model_copy(update={"id": f"x{i}", "at": now}) for i, receipt in enumerate(mixed)]
    store.write_many(recent[:250])
    usage = UsageQueries(store)  # seeded from the database …
    since = now.replace(minute=0, second=0, microsecond=0)
    assert usage.spent(since).tokens > 0
    store.write_many(recent[250:])  # … and told of every write
    for key in (None, "k1"):
        for lane in (None, "fast"):
            chosen = [r for r in recent if key in (None, r.key_id) and lane in (None, r.lane)]
            wanted = by_hand(chosen)
            spent = usage.spent(since, key, lane)
            assert spent.usd == wanted["cost"]
            assert spent.tokens == wanted["tokens_in"] + wanted["tokens_out"]
            assert spent.unpriced_tokens == wanted["unpriced_tokens"]
    assert usage.spent(now + timedelta(hours=1)) == (Decimal(0), 0, 0)


def test_a_model_without_price_costs_unknown_not_zero(store, make_receipt) -> None:
    store.write(make_receipt(at=datetime.now(UTC), cost_usd=None, tokens_in=10, tokens_out=5, lane="deep"))
    store.write(make_receipt(at=datetime.now(UTC), cost_usd=Decimal("0.5"), lane="fast"))
    usage = UsageQueries(store)
    rows = {row["group"]: row for row in usage.summary(by="lane")["groups"]}
    assert rows["deep"]["cost_usd"] is None
    assert rows["deep"]["unpriced_tokens"] == 15
    assert rows["fast"]["cost_usd"] == "0.5"
    assert usage.spent(datetime.now(UTC), lane="deep") == (None, 15, 15)
    assert usage.spent(datetime.now(UTC)).usd == Decimal("0.5")


def test_no_use_is_zero(store) -> None:
    usage = UsageQueries(store)
    assert usage.summary()["totals"]["cost_usd"] == "0"
    assert usage.summary()["groups"] == []
    assert usage.timeseries()["points"] == []


def test_a_database_alone_answers_too(store, mixed) -> None:
    store.flush()
    assert UsageQueries(store.database).summary() == UsageQueries(store).summary()


def test_quantiles_lie_within_one_bin(store, mixed) -> None:
    rows = {row["group"]: row for row in UsageQueries(store).summary(by="lane")["groups"]}
    for lane, row in rows.items():
        times = sorted(r.latency.total_ms for r in mixed if r.lane == lane and r.kind in ("attempt", "utility"))
        exact = times[len(times) // 2]
        assert exact / 1.25 < row["p50_ms"] < exact * 1.25
        late = times[int(len(times) * 0.95)]
        assert late / 1.25 < row["p95_ms"] < late * 1.25


def test_rollups_survive_a_rebuilt_database(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path / "again", seal_at=10)
    for _ in range(35):
        store.write(make_receipt())
    before = UsageQueries(store).summary()
    store.close()
    (tmp_path / "again" / "lancelot.duckdb").unlink()
    store = ReceiptStore(tmp_path / "again")
    assert UsageQueries(store).summary() == before
    store.close()


def test_unknown_groups_are_refused(store) -> None:
    with pytest.raises(BadInput):
        UsageQueries(store).summary(by="lane; DROP TABLE receipts")
    with pytest.raises(BadInput):
        UsageQueries(store).timeseries(every="minute")


def test_decision_stats(store, mixed) -> None:
    stats = store.stats()
    wanted = by_hand(mixed)
    assert stats["attempts"] == wanted["calls"] == sum(stats["by_lane"].values()) == sum(stats["by_status"].values())
    assert stats["requests"] == wanted["requests"]
    assert set(stats["latency_ms"]) == {"local", "fast", "deep"}
    assert store.stats(since=START + timedelta(days=5))["attempts"] == 0
