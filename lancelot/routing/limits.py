"""Limits, how full they are, and where that turns the spend dial. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from lancelot.config import Budget, BudgetsConfig
from lancelot.routing.decision import Level
from lancelot.routing.lanes import Lane

__all__ = [
    "Limit",
    "Need",
    "Purse",
    "Use",
    "dial",
    "granted",
    "limit_words",
    "limited_to",
    "limits_of",
    "passed",
    "share_of",
]

PACE_SHARE = 0.3  # of a budget; below it the pace says little
PACE_FACTOR = 1.5  # times faster than the clock: the dial turns one step early


@dataclass(slots=True)
class Purse:
    """One limit's account in one period, in US dollars and tokens: settled, set aside, and what answers without a limit
    of their own may come to beyond that."""

    usd: Decimal = Decimal(0)
    tokens: int = 0
    held_usd: Decimal = Decimal(0)
    held_tokens: int = 0
    open_usd: Decimal = Decimal(0)
    open_tokens: int = 0


class Need(NamedTuple):
    """What a call can cost: US dollars (None is unknown) and tokens; and what an answer without a limit of its own may
    come to beyond that."""

    usd: Decimal | None
    tokens: int
    more_usd: Decimal | None = None
    more_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit in its present period; None is no limit."""

    scope: str  # "total", "lane deep", "key k1"
    period: str  # "daily", "monthly"
    since: datetime
    until: datetime
    usd: Decimal | None
    tokens: int | None
    key_id: str | None = None
    lane: Lane | None = None

    @property
    def name(self) -> tuple[str, str, datetime]:
        return self.scope, self.period, self.since


@dataclass(frozen=True, slots=True)
class Use:
    """How full a limit is: 0..1 and beyond, money or tokens, whichever is fuller."""

    limit: Limit
    share: float
    what: str

    def reason(self) -> str:
        """In words."""
        return f"{self.limit.scope} {self.limit.period} {self.what} at {self.share:.0%}"


def limits_of(budgets: BudgetsConfig, key_id: str | None, now: datetime, own: Budget | None = None) -> list[Limit]:
    """All limits that hold for a caller now; those without a figure are left out.

    A key's limits are those of router.yaml, else its `own` (given when it was made), else router.yaml's default_key.
    """
    named: list[tuple[str, Budget, str | None, Lane | None]] = [("total", budgets.total, None, None)]
    named += [(f"lane {lane}", budget, None, Lane(lane)) for lane, budget in budgets.lanes.items()]
    if key_id is not None:
        of_key = budgets.keys.get(key_id) or own or budgets.default_key
        named.append((f"key {key_id}", of_key, key_id, None))
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    following = (month + timedelta(days=32)).replace(day=1)
    found = []
    for scope, budget, key, lane in named:
        if budget.daily_usd is not None or budget.daily_tokens is not None:
            until = day + timedelta(days=1)
            found.append(Limit(scope, "daily", day, until, budget.daily_usd, budget.daily_tokens, key, lane))
        if budget.monthly_usd is not None or budget.monthly_tokens is not None:
            found.append(
                Limit(scope, "monthly", month, following, budget.monthly_usd, budget.monthly_tokens, key, lane)
            )
    return found


def passed(limit: Limit, purse: Purse, usd: Decimal | None, tokens: int) -> str | None:
    """Which part of a limit a call could pass."""
    if limit.usd is not None:
        used = purse.usd + purse.held_usd
        if used >= limit.usd or (usd is not None and used + purse.open_usd + usd > limit.usd):
            return f"money, {limit.usd} dollars"
    if limit.tokens is not None and purse.tokens + purse.held_tokens + purse.open_tokens + tokens > limit.tokens:
        return f"tokens, {limit.tokens}"
    return None


def granted(limit: Limit, purse: Purse, need: Need) -> float:
    """The share (0..1) of what an answer may come to beyond its reservation that this limit has room for.

    At most half of the room is kept for such answers and each takes at most half of what is left of that, so that one
    of them cannot keep all others waiting.
    """
    share = 1.0
    if limit.usd is not None and need.usd is not None and need.more_usd:
        room = limit.usd - purse.usd - purse.held_usd - need.usd
        share = min(share, float((room / 2 - purse.open_usd) / 2 / need.more_usd))
    if limit.tokens is not None and need.more_tokens:
        left = limit.tokens - purse.tokens - purse.held_tokens - need.tokens
        share = min(share, (left / 2 - purse.open_tokens) / 2 / need.more_tokens)
    return max(0.0, share)


def limited_to(usual: int, need: Need, share: float) -> int | None:
    """The limit (tokens) an answer is given because a budget's rest covers no more; None where it needs none.

    Args:
        usual: tokens of the answer that `need.tokens` counts.
        share: as `granted`.
    """
    return None if share >= 1 or not need.more_tokens else usual + int(need.more_tokens * share)


def limit_words(limit: int) -> str:
    """What receipts and the dry run say of it."""
    return f"answer limited to {limit} tokens: the rest of the budget covers no more"


def share_of(used: Decimal | int, limit: Decimal | int) -> float:
    """Used of a limit; a limit of nothing is full."""
    return 1.0 if limit == 0 else float(Decimal(used) / Decimal(limit))


def dial(uses: list[Use], budgets: BudgetsConfig, now: datetime) -> tuple[Level, str]:
    """Where the fullest budget turns the dial; a budget spent much faster than the clock turns it one step early."""
    level, reason = Level.NORMAL, ""
    pressure = budgets.pressure
    for use in sorted(uses, key=lambda one: -one.share):
        found = Level.NORMAL
        for bound, step in (
            (pressure.narrow_deep, Level.NARROW_DEEP),
            (pressure.no_deep, Level.NO_DEEP),
            (pressure.narrow_fast, Level.NARROW_FAST),
            (1.0, Level.SPENT),
        ):
            if use.share >= bound:
                found = step
        said = use.reason()
        elapsed = (now - use.limit.since) / (use.limit.until - use.limit.since)
        if found is Level.NORMAL and use.share >= PACE_SHARE and use.share > PACE_FACTOR * elapsed:
            found, said = Level.NARROW_DEEP, f"{said} after {elapsed:.0%} of the time (spend pace)"
        if found > level:
            level, reason = found, said
    return level, reason
