"""Hourly sums and histograms: the same with and without them, whenever they are caught up, merged or rebuilt."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.store import rollup
from lancelot.store.database import Database
from lancelot.store.ledger import ReceiptStore
from lancelot.store.migrations import MIGRATIONS, migrate
from lancelot.store.receipts import Latency, Receipt
from lancelot.store.rows import NAMES
from lancelot.store.spread import BINS_AN_OCTAVE, raw_spread
from lancelot.store.usage import UsageQueries

START = datetime(2026, 3, 1, tzinfo=UTC)
WIDTH = 2 ** (1 / BINS_AN_OCTAVE)


@pytest.fixture
def chains() -> list[Receipt]:
    """300 requests over ten hours; every fifth begins locally and needs a second attempt in the fast lane."""
    chance = random.Random(11)
    written = []
    for index in range(300):
        at = START + timedelta(seconds=index * 120)
        first = Receipt(
            request_id=f"r{index}",
            at=at,
            lane="local",
            model="small",
            task=chance.choice(["question", "code"]),
            key_id=chance.choice([None, "k"]),
            tokens_in=chance.randrange(1, 90_000),
            tokens_out=5,
            cost_usd=Decimal("0.001"),
            latency=Latency(total_ms=chance.lognormvariate(6, 1)),
        )
        written.append(first)
        if index % 5 == 0:
            update = {"id": f"{first.id[:-4]}ffff", "parent_id": first.id, "attempt": 2, "lane": "fast"}
            written.append(first.model_copy(update=update))
    return written


def asked_directly(store: ReceiptStore) -> tuple[object, ...]:
    sums = ", ".join(f"sum({name})" for name in rollup.SUMS)
    raw = f"{rollup.raw_usage('TRUE')} UNION ALL {rollup.raw_replaced()}"
    return store.database.query(f"SELECT {sums} FROM ({raw})")[0]


def from_sums(store: ReceiptStore) -> tuple[object, ...]:
    return store.database.query(f"SELECT {', '.join(f'sum({name})' for name in rollup.SUMS)} FROM usage_hourly")[0]


def histogram(store: ReceiptStore, source: str) -> list[tuple[object, ...]]:
    return store.database.query(
        f"SELECT hour, measure, by_name, value, bin, sum(calls), max(most) FROM ({source}) GROUP BY ALL ORDER BY ALL"
    )


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_added_up_in_steps_of_any_size(store, chains, step: int) -> None:
    for start in range(0, len(chains), step):
        store.write_many(chains[start : start + step])
        store.flush()
        rollup.catch_up(store.database)
    for change in (lambda: None, lambda: rollup.merge(store.database, limit=0), lambda: rollup.rebuild(store.database)):
        change()
        assert from_sums(store) == asked_directly(store)
        assert histogram(store, "FROM spread_hourly") == histogram(store, raw_spread(rollup.COUNTED))


def test_what_had_to_be_tried_again(store, chains) -> None:
    store.write_many(chains)
    rows = {row["group"]: row for row in UsageQueries(store).summary()["groups"]}
    assert (rows["local"]["replaced_calls"], rows["local"]["replaced_usd"]) == (60, "0.06")
    assert rows["fast"]["replaced_calls"] == 0
    inside = UsageQueries(store).summary(START + timedelta(minutes=9), START + timedelta(minutes=21), "lane")
    assert inside["totals"]["replaced_calls"] == 2  # those at 10 and at 20 minutes


@pytest.mark.parametrize("by", ["lane", "model", "task", "key", "hour", "day"])
@pytest.mark.parametrize(
    "span", [(None, None), (timedelta(minutes=17), timedelta(hours=3, minutes=5)), (timedelta(hours=2), None)]
)
def test_quantiles_lie_within_one_bin_of_exact_whatever_the_range(store, chains, by: str, span) -> None:
    store.write_many(chains)
    low, high = (START + part if part else None for part in span)
    inside = [r for r in chains if (low is None or r.at >= low) and (high is None or r.at < high)]
    name = {
        "key": lambda r: r.key_id,
        "hour": lambda r: r.at.replace(minute=0, second=0).isoformat(),
        "day": lambda r: r.at.date().isoformat(),
    }.get(by, lambda r: getattr(r, by))
    found = UsageQueries(store).spreads("total_us", by, low, high)
    for group in {name(r) for r in inside}:
        times = sorted(r.latency.total_ms * 1000 for r in inside if name(r) == group)
        assert found[group].calls == len(times)
        assert found[group].most == round(times[-1])
        for share, value in ((0.5, found[group].p50), (0.95, found[group].p95)):
            exact = times[max(0, -(-int(share * 100) * len(times) // 100) - 1)]
            assert exact / WIDTH <= value <= exact * WIDTH
    assert found.keys() == {name(r) for r in inside}


def test_an_older_database_is_added_up_anew(tmp_path: Path, chains) -> None:
    """What an older version left is brought to the newest shape, its receipts with all the new sums."""
    database = Database(tmp_path / "old.duckdb")
    migrate(database, MIGRATIONS[:3])
    older = ReceiptStore(tmp_path / "journal-of-it")
    older.write_many(chains)
    older.flush()
    rows = older.database.query(f"SELECT n, {', '.join(NAMES)} FROM receipts")
    older_sums = UsageQueries(older).summary(by="task")
    older.close()
    with database.transaction() as cursor:
        cursor.executemany(f"INSERT INTO receipts VALUES ({', '.join('?' * (len(NAMES) + 1))})", rows)
        cursor.execute("UPDATE journal_state SET loaded = ?, rolled = ?", [len(rows), len(rows)])
        cursor.execute("INSERT INTO latency_hourly VALUES (TIMESTAMP '2026-03-01', 'attempt', 'local', 'm', 40, 3)")
    assert migrate(database) == [4]
    assert UsageQueries(database).summary(by="task") == older_sums
    database.close()
