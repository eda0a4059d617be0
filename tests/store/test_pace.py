"""Forecasts and paces, worked by hand; nothing is claimed too early."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lancelot.store.pace import budget_pace, forecast, pace, whole_days
from lancelot.store.usage import UsageQueries

NOW = datetime(2026, 6, 21, 0, tzinfo=UTC)  # twenty days into a month of thirty


def test_even_days_give_one_figure() -> None:
    found = forecast(40.0, [2.0] * 20, 10)
    assert found == (60.0, 60.0, 60.0, 20)


def test_the_range_is_that_of_ten_more_days_like_these() -> None:
    found = forecast(10.0, [1.0, 3.0, 1.0, 3.0], 10)
    assert found is not None
    margin = 1.645 * math.sqrt(4 / 3) * math.sqrt(10 + 100 / 4)
    assert found.expected == 30
    assert found.high == pytest.approx(30 + margin)
    assert found.low == pytest.approx(30 - margin)
    assert forecast(10.0, [0.0, 0.0, 9.0], 1).low == 10.0  # never below what is spent already


def test_no_forecast_from_two_days() -> None:
    assert forecast(1.0, [1.0, 1.0], 5) is None


@pytest.mark.parametrize(
    ("used", "limit", "elapsed", "at_end", "words"),
    [
        (Decimal(50), Decimal(100), 0.5, "100", "within its pace"),
        (Decimal(80), Decimal(100), 0.5, "160", "too fast: gone after 62% of the time at this pace"),
        (Decimal(100), Decimal(100), 0.9, "111.111111", "spent"),
        (Decimal(0), Decimal(0), 0.5, "0", "spent"),
        (Decimal(1), Decimal(100), 0.001, None, "too early to tell"),
    ],
)
def test_a_budget_against_the_clock(used, limit, elapsed, at_end, words) -> None:
    found = budget_pace("usd", used, limit, elapsed)
    assert (found["at_end"], found["words"]) == (at_end, words)


def test_a_month_and_its_budgets_from_receipts(store, make_receipt) -> None:
    for day in range(20):
        at = NOW - timedelta(days=20 - day, hours=-9)
        store.write(make_receipt(at=at, cost_usd=Decimal(2), tokens_in=90, tokens_out=10, lane="deep", key_id="k"))
        store.write(make_receipt(at=at, cost_usd=None, tokens_in=5, tokens_out=5, lane="local"))
    head = {"since": "2026-06-01T00:00:00+00:00", "renews": "2026-07-01T00:00:00+00:00", "period": "monthly"}
    limits = [
        head | {"scope": "total", "lane": None, "key_id": None, "limit_usd": "50", "limit_tokens": None},
        head | {"scope": "key k", "lane": None, "key_id": "k", "limit_usd": None, "limit_tokens": 4_000},
        head | {"scope": "lane fast", "lane": "fast", "key_id": None, "limit_usd": "1", "limit_tokens": 1},
    ]
    found = pace(UsageQueries(store), limits, NOW)
    month = found["month"]
    assert (month["cost_usd"], month["forecast_usd"]) == ("40", ["60", "60", "60"])
    assert (month["tokens"], month["forecast_tokens"]) == (2_200, [3_300, 3_300, 3_300])
    assert (month["unpriced_tokens"], month["days"], month["elapsed"]) == (200, 20, 0.6667)
    rows = {(row["scope"], row["what"]): row for row in found["budgets"]}
    assert (rows["total", "usd"]["used"], rows["total", "usd"]["at_end"]) == ("40", "60")
    assert rows["total", "usd"]["words"] == "too fast: gone after 83% of the time at this pace"
    assert rows["key k", "tokens"]["used"] == 2_000  # the local lane never counts against a budget
    assert rows["key k", "tokens"]["words"] == "within its pace"
    assert rows["lane fast", "usd"]["used"] == "0"


def test_days_without_use_count_as_nothing(store, make_receipt) -> None:
    store.write(make_receipt(at=NOW - timedelta(days=5), cost_usd=Decimal(3)))
    found = whole_days(UsageQueries(store), NOW)
    assert [day.usd for day in found] == [3, 0, 0, 0, 0]
    assert whole_days(UsageQueries(store), NOW - timedelta(days=30)) == []


def test_nothing_yet(store) -> None:
    found = pace(UsageQueries(store), [], NOW)
    assert found["month"]["forecast_usd"] is None
    assert found["budgets"] == []
