"""Spending in memory: any window, and no more hours kept than budgets can ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lancelot.store.receipts import Receipt
from lancelot.store.totals import KEEP_DAYS, Totals

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


def spend(totals: Totals, at: datetime, **fields: object) -> None:
    totals.add(Receipt(request_id="r", at=at, tokens_in=10, **fields))  # type: ignore[arg-type]


def test_a_window_counts_what_came_before_and_after_it_was_first_asked_for() -> None:
    totals = Totals()
    spend(totals, NOW, cost_usd=Decimal("0.1"))
    spend(totals, NOW - timedelta(days=1), cost_usd=Decimal("5"))
    assert totals.spent(NOW) == (Decimal("0.1"), 10, 0)
    spend(totals, NOW + timedelta(minutes=1), cost_usd=Decimal("0.2"), key_id="k", lane="fast")
    spend(totals, NOW - timedelta(days=1), cost_usd=Decimal("5"))
    assert totals.spent(NOW) == (Decimal("0.3"), 20, 0)
    assert totals.spent(NOW, key="k") == (Decimal("0.2"), 10, 0)
    assert totals.spent(NOW, lane="deep") == (Decimal(0), 0, 0)
    assert totals.spent(NOW - timedelta(days=2)).usd == Decimal("10.3")


def test_a_naive_moment_is_utc() -> None:
    totals = Totals()
    spend(totals, NOW, cost_usd=Decimal("0.1"))
    assert totals.spent(NOW.replace(tzinfo=None)).usd == Decimal("0.1")


def test_only_what_a_brain_worked_for_counts() -> None:
    totals = Totals()
    spend(totals, NOW, kind="event")
    spend(totals, NOW, kind="utility")
    assert totals.spent(NOW).tokens == 10


def test_old_hours_are_let_go() -> None:
    totals = Totals()
    for day in range(200):
        spend(totals, NOW + timedelta(days=day))
    assert totals.spent(NOW).tokens <= 10 * (KEEP_DAYS + 1)
