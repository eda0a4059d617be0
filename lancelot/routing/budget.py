"""Budgets: placeholder that lets everything through until limits are set."""

from __future__ import annotations

from decimal import Decimal

from lancelot.routing.decide import BudgetView
from lancelot.routing.lanes import Lane
from lancelot.routing.ports import Reservation

__all__ = ["NoBudgets"]


class _Nothing:
    def settle(self, usd: Decimal | None, tokens: int) -> None:
        return None

    def release(self) -> None:
        return None


class NoBudgets:
    """No limits at all."""

    def view(self, key_id: str | None) -> BudgetView:
        return BudgetView()

    def reserve(self, lane: Lane, key_id: str | None, usd: Decimal | None, tokens: int) -> Reservation:
        return _Nothing()
