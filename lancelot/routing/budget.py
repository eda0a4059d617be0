"""Budgets of money and tokens: in total, by lane, by application key; a dial that turns before they are spent.

Every paid call sets money and tokens aside before it is made (`reserve`) and settles what it really cost afterwards, so
parallel callers, streams and retries cannot pass a limit together. The local lane is never counted and never blocked.
Traffic without a price counts its tokens; a money budget alone cannot hold it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from lancelot.config import Budget
from lancelot.errors import BudgetSpent
from lancelot.routing.decision import BudgetView, Level
from lancelot.routing.lanes import Lane
from lancelot.routing.limits import Limit, Need, Purse, Use, dial, granted, limits_of, passed, share_of
from lancelot.routing.ports import ConfigSource, Reservation

__all__ = ["BudgetKeeper", "BudgetStep", "History", "NoBudgets"]

PAID = (Lane.FAST, Lane.DEEP)


class History(Protocol):
    """What was spent before this process began (`store.UsageQueries`)."""

    def spent(self, since: datetime, key: str | None = None, lane: str | None = None) -> Any:
        """Something with `usd` (None is unknown) and `tokens`."""
        ...


@dataclass(frozen=True, slots=True)
class BudgetStep:
    """The dial has turned: which budget, from where to where, and why."""

    scope: str
    before: Level
    after: Level
    reason: str
    key_id: str | None


class _Reservation:
    def __init__(self, keeper: BudgetKeeper, purses: list[Purse], need: Need, share: float) -> None:
        self.share = share
        self._keeper, self._purses, self._usd, self._tokens = keeper, purses, need.usd or Decimal(0), need.tokens
        self._more_usd = (need.more_usd or Decimal(0)) * Decimal(share)
        self._more_tokens = math.ceil(need.more_tokens * share)
        self._open = True
        self._hold(1)

    def _hold(self, sign: int) -> None:
        """Set aside (1), or give back (-1), in every purse."""
        for purse in self._purses:
            purse.held_usd += sign * self._usd
            purse.held_tokens += sign * self._tokens
            purse.open_usd += sign * self._more_usd
            purse.open_tokens += sign * self._more_tokens

    def settle(self, usd: Decimal | None, tokens: int) -> None:
        self._keeper._close(self, usd, tokens)

    def release(self) -> None:
        self._keeper._close(self, None, 0)


class BudgetKeeper:
    """Keeps all budgets of the configuration in force. Thread-safe.

    Args:
        config: asked at every call, so a new limit holds at once.
        history: spending before this process; None starts at nothing.
        clock: the time, UTC.
        own: the budget a named key was made with, by its id; None when it has none.
        keys: ids of the named keys, for the overview.
    """

    def __init__(
        self,
        config: ConfigSource,
        history: History | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        own: Callable[[str], Budget | None] = lambda _id: None,
        keys: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._config = config
        self._history = history
        self._clock = clock
        self._own = own
        self._keys = keys
        self._lock = threading.Lock()
        self._purses: dict[tuple[str, str, datetime], Purse] = {}
        self._levels: dict[str, Level] = {}
        self._steps: list[BudgetStep] = []

    def view(self, key_id: str | None) -> BudgetView:
        """The budgets as one decision sees them."""
        budgets = self._config.current.router.budgets
        now = self._clock()
        with self._lock:
            uses = [self._use(limit) for limit in self._limits(key_id, now)]
            shared = [use for use in uses if use.limit.lane is None]
            level, reason = dial(shared, budgets, now)
            blocked = {}
            for lane in PAID:
                own = [use for use in uses if use.limit.lane is lane]
                lane_level, lane_reason = dial(own, budgets, now)
                if lane_level is Level.SPENT:
                    blocked[lane] = lane_reason
                elif lane is Lane.DEEP and level < lane_level:
                    level, reason = min(lane_level, Level.NO_DEEP), lane_reason
                elif lane is Lane.FAST and lane_level is Level.NARROW_FAST and level < lane_level:
                    level, reason = lane_level, lane_reason
            full = [use for use in uses if use.share >= 1]
            retry = max(((use.limit.until - now).total_seconds() for use in full), default=None)
            self._note("key " + key_id if key_id and _is_key(level, reason) else "total", level, reason, key_id)
        return BudgetView(level, reason, blocked, retry)

    def reserve(self, lane: Lane, key_id: str | None, need: Need) -> Reservation:
        """Set aside the most a call can cost.

        Args:
            need: what it can cost. The reservation's `share` tells how much of `need.more_…` there is room for; under 1
                the answer must be given a limit.

        Raises:
            BudgetSpent: some limit could be passed; says which and when it renews.
        """
        if lane is Lane.LOCAL:
            return _Nothing()
        now, share = self._clock(), 1.0
        with self._lock:
            purses = []
            for limit in self._limits(key_id, now):
                if limit.lane not in (None, lane):
                    continue
                purse = self._purse(limit)
                share = min(share, granted(limit, purse, need))
                what = passed(limit, purse, need.usd, need.tokens)
                if what is not None:
                    wait = (limit.until - now).total_seconds()
                    raise BudgetSpent(
                        f"The budget is spent: {limit.scope} {limit.period} {what}.", retry_after=round(wait, 1)
                    )
                purses.append(purse)
            return _Reservation(self, purses, need, share)

    def take_steps(self) -> list[BudgetStep]:
        """The turns of the dial since the last call; each becomes a receipt."""
        if not self._steps:
            return []
        with self._lock:
            steps, self._steps = self._steps, []
        return steps

    def banner(self) -> str | None:
        """Why the dial is turned for everybody, in words; None while it is not."""
        view = self.view(None)
        said = [view.reason] if view.level is not Level.NORMAL else []
        return "; ".join([*said, *view.blocked.values()]) or None

    def status(self) -> list[dict[str, Any]]:
        """Every limit with its use: {"scope", "period", "usd", "limit_usd", "tokens", "limit_tokens", "share", …}."""
        now = self._clock()
        budgets = self._config.current.router.budgets
        with self._lock:
            found = []
            known = dict.fromkeys((None, *budgets.keys, *self._keys()))
            for limit in [one for key in known for one in self._limits(key, now)]:
                purse, use = self._purse(limit), self._use(limit)
                found.append(
                    {
                        "scope": limit.scope,
                        "period": limit.period,
                        "usd": str(purse.usd),
                        "limit_usd": None if limit.usd is None else str(limit.usd),
                        "tokens": purse.tokens,
                        "limit_tokens": limit.tokens,
                        "share": round(use.share, 4),
                        "since": limit.since.isoformat(),
                        "renews": limit.until.isoformat(),
                        "lane": limit.lane.value if limit.lane else None,
                        "key_id": limit.key_id,
                    }
                )
        return list({(one["scope"], one["period"]): one for one in found}.values())

    def _limits(self, key_id: str | None, now: datetime) -> list[Limit]:
        own = self._own(key_id) if key_id is not None else None
        return limits_of(self._config.current.router.budgets, key_id, now, own)

    def _close(self, reservation: _Reservation, usd: Decimal | None, tokens: int) -> None:
        with self._lock:
            if not reservation._open:
                return
            reservation._open = False
            reservation._hold(-1)
            for purse in reservation._purses:
                purse.usd += usd or Decimal(0)
                purse.tokens += tokens

    def _purse(self, limit: Limit) -> Purse:
        purse = self._purses.get(limit.name)
        if purse is None:
            purse = self._purses[limit.name] = self._remembered(limit)
            outdated = [name for name in self._purses if name[:2] == limit.name[:2] and name[2] < limit.since]
            for name in outdated:
                del self._purses[name]
        return purse

    def _remembered(self, limit: Limit) -> Purse:
        purse = Purse()
        if self._history is None:
            return purse
        for lane in PAID if limit.lane is None else (limit.lane,):
            spent = self._history.spent(limit.since, limit.key_id, lane.value)
            purse.usd += spent.usd or Decimal(0)
            purse.tokens += spent.tokens
        return purse

    def _use(self, limit: Limit) -> Use:
        purse = self._purse(limit)
        shares = []
        if limit.usd is not None:
            shares.append((share_of(purse.usd + purse.held_usd, limit.usd), "money"))
        if limit.tokens is not None:
            shares.append((share_of(purse.tokens + purse.held_tokens, limit.tokens), "tokens"))
        share, what = max(shares)
        return Use(limit, share, what)

    def _note(self, scope: str, level: Level, reason: str, key_id: str | None) -> None:
        before = self._levels.get(scope, Level.NORMAL)
        if level is not before:
            self._levels[scope] = level
            self._steps.append(BudgetStep(scope, before, level, reason, key_id if scope != "total" else None))


class _Nothing:
    share = 1.0

    def settle(self, usd: Decimal | None, tokens: int) -> None:
        return None

    def release(self) -> None:
        return None


class NoBudgets:
    """No limits at all."""

    def view(self, key_id: str | None) -> BudgetView:
        return BudgetView()

    def reserve(self, lane: Lane, key_id: str | None, need: Need) -> Reservation:
        return _Nothing()

    def take_steps(self) -> list[BudgetStep]:
        return []

    def banner(self) -> str | None:
        return None

    def status(self) -> list[dict[str, Any]]:
        return []


def _is_key(level: Level, reason: str) -> bool:
    return reason.startswith("key ")
