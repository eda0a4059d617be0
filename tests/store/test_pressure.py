"""Token pressure and the files of a summary."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pyarrow.parquet as pq

from lancelot.store.pressure import pressure
from lancelot.store.usage import UsageQueries
from lancelot.store.usage_table import as_file


def test_contexts_caches_and_the_largest_users(store, make_receipt) -> None:
    for size in (1_000, 2_000, 90_000):
        store.write(make_receipt(model="big", tokens_in=size, tokens_out=10, tokens_cached=size // 2, key_id="app"))
    store.write(make_receipt(model="new", tokens_in=10, tokens_out=0, tokens_cached=0, cost_usd=None))
    found = pressure(UsageQueries(store), {"big": 100_000})
    big, new = found["context"]
    assert (big["model"], big["calls"], big["most_tokens"], big["most_share"]) == ("big", 3, 90_000, 0.9)
    assert 2_000 / 1.19 < big["p50_tokens"] < 2_000 * 1.19
    assert (new["window"], new["p95_share"]) == (None, None)
    assert found["cache"][0]["hit_rate"] == round(46_500 / 93_010, 4)
    assert (found["top"][0]["key"], found["top"][0]["tokens"]) == ("app", 93_030)
    assert (found["top"][1]["cost_usd"], found["top"][1]["unpriced_tokens"]) == (None, 10)
    assert round(sum(row["share"] for row in found["top"]), 3) == 1


def test_nothing_yet(store) -> None:
    found = pressure(UsageQueries(store), {})
    assert (found["tokens"], found["hit_rate"], found["context"], found["top"]) == (0, None, [], [])


def test_files_keep_every_digit_and_unknown_is_a_word_or_nothing(store, make_receipt) -> None:
    store.write(make_receipt(model="=cmd()", cost_usd=Decimal("0.000000000001")))
    store.write(make_receipt(model="new", cost_usd=None))
    summary = UsageQueries(store).summary(by="model")
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(as_file(summary, "csv").decode()))}
    assert rows["'=cmd()"]["cost_usd"] == "0.000000000001"
    assert (rows["new"]["cost_usd"], rows["new"]["unpriced_tokens"]) == ("unknown", "165")
    table = pq.read_table(io.BytesIO(as_file(summary, "parquet")))
    found = dict(zip(table["model"].to_pylist(), table["cost_usd"].to_pylist(), strict=True))
    assert found == {"=cmd()": Decimal("0.000000000001"), "new": None}


def test_empty_files_have_their_columns(store) -> None:
    summary = UsageQueries(store).summary(by="day")
    assert as_file(summary, "csv").decode().startswith("day,requests,calls,")
    assert pq.read_table(io.BytesIO(as_file(summary, "parquet"))).num_rows == 0
