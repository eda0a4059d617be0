"""How fast money and tokens go: the month so far, a forecast to its end, and each budget against the clock.

The forecast goes on from whole days: what is spent plus the mean of the last four weeks' days for every day that is
left. Its range is what nine of ten months with such days would fall into (normal sums of independent days, with the
mean itself uncertain). It is an extrapolation, and says on how many days it rests.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from lancelot.store.rows import plain_decimal
from lancelot.store.totals import hour_of

if TYPE_CHECKING:
    from lancelot.store.usage import UsageQueries

__all__ = ["DayUse", "Forecast", "budget_pace", "forecast", "pace"]

BASIS_DAYS = 28
LEAST_DAYS = 3
NINE_OF_TEN = 1.645  # standard deviations either way
EARLY = 0.02  # of a period: before it, a pace means nothing
CENT_OF_A_CENT = Decimal("0.000001")


class DayUse(NamedTuple):
    """One whole day (UTC midnight at its start): known cost and all tokens."""

    day: datetime
    usd: Decimal
    tokens: int


class Forecast(NamedTuple):
    """At the end of the month: the expected value and the range of nine in ten; `days` is what it rests on."""

    expected: float
    low: float
    high: float
    days: int


def forecast(so_far: float, days: Sequence[float], days_left: float) -> Forecast | None:
    """What a sum comes to, from what it is now and what whole days brought; None with fewer than three days."""
    if len(days) < LEAST_DAYS:
        return None
    mean, spread = statistics.fmean(days), statistics.stdev(days)
    expected = so_far + mean * days_left
    margin = NINE_OF_TEN * spread * math.sqrt(days_left + days_left**2 / len(days))
    return Forecast(expected, max(so_far, expected - margin), expected + margin, len(days))


def pace(usage: UsageQueries, limits: Iterable[Mapping[str, Any]], now: datetime | None = None) -> dict[str, Any]:
    """The month and every budget.

    Args:
        limits: rows of `BudgetKeeper.status()`.

    Returns:
        {"now", "month": {"since", "until", "elapsed", "cost_usd", "tokens", "unpriced_tokens", "forecast_usd",
        "forecast_tokens", "days"}, "budgets": [row of `budget_pace`]}. Forecasts are [low, expected, high] (money as
        text) or None when there are fewer than three whole days to go by.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    today = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    month, until = today.replace(day=1), _next_month(today)
    totals = usage.summary(month, _next_hour(moment), "lane")["totals"]
    days = whole_days(usage, today)
    left = (until - moment) / timedelta(days=1)
    usd = forecast(float(totals["cost_usd"] or 0), [float(day.usd) for day in days], left)
    used = forecast(totals["tokens"], [day.tokens for day in days], left)
    return {
        "now": moment.isoformat(),
        "month": {
            "since": month.isoformat(),
            "until": until.isoformat(),
            "elapsed": round((moment - month) / (until - month), 4),
            "cost_usd": totals["cost_usd"],
            "tokens": totals["tokens"],
            "unpriced_tokens": totals["unpriced_tokens"],
            "forecast_usd": [_money(value) for value in (usd.low, usd.expected, usd.high)] if usd else None,
            "forecast_tokens": [round(value) for value in (used.low, used.expected, used.high)] if used else None,
            "days": len(days),
        },
        "budgets": [row for limit in limits for row in _rows(usage, limit, moment)],
    }


def whole_days(usage: UsageQueries, today: datetime) -> list[DayUse]:
    """The last four weeks' whole days since the first use in them; days without use count as nothing."""
    start = today - timedelta(days=BASIS_DAYS)
    points = {point["at"]: point for point in usage.timeseries(start, today, "day")["points"]}
    if not points:
        return []
    first = datetime.fromisoformat(min(points)).replace(tzinfo=UTC)
    found = []
    for number in range((today - first).days):
        day = first + timedelta(days=number)
        point = points.get(day.date().isoformat())
        found.append(DayUse(day, Decimal(point["cost_usd"] or 0), point["tokens"]) if point else DayUse(day, ZERO, 0))
    return found


def budget_pace(what: str, used: Decimal | int, limit: Decimal | int, elapsed: float) -> dict[str, Any]:
    """{"what" (usd or tokens), "used", "limit", "share", "at_end", "words"}: one limit against the clock.

    `at_end` goes on at the mean pace of the period so far (None right after its beginning); money is text.
    """
    share = float(used / limit) if limit else 1.0
    at_end = float(used) / elapsed if elapsed >= EARLY else None
    shown: Any = plain_decimal(Decimal(used)) if what == "usd" else int(used)
    return {
        "what": what,
        "used": shown,
        "limit": plain_decimal(Decimal(limit)) if what == "usd" else int(limit),
        "share": round(share, 4),
        "at_end": None if at_end is None else (_money(at_end) if what == "usd" else round(at_end)),
        "words": _words(share, elapsed, at_end, float(limit)),
    }


def _rows(usage: UsageQueries, limit: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    since, until = datetime.fromisoformat(limit["since"]), datetime.fromisoformat(limit["renews"])
    elapsed = (now - since) / (until - since)
    usd, tokens, unpriced = ZERO, 0, 0
    for (lane, key), sums in usage.grouped(since, _next_hour(now), ["lane", "key"]):
        if lane in ("fast", "deep") and limit["lane"] in (None, lane) and limit["key_id"] in (None, key):
            usd += sums["cost_usd"]
            tokens += int(sums["tokens_in"] + sums["tokens_out"])
            unpriced += int(sums["unpriced_tokens"])
    head = {
        "scope": limit["scope"],
        "period": limit["period"],
        "elapsed": round(elapsed, 4),
        "unpriced_tokens": unpriced,
        "renews": limit["renews"],
    }
    rows = []
    if limit["limit_usd"] is not None:
        rows.append(head | budget_pace("usd", usd, Decimal(limit["limit_usd"]), elapsed))
    if limit["limit_tokens"] is not None:
        rows.append(head | budget_pace("tokens", tokens, int(limit["limit_tokens"]), elapsed))
    return rows


def _words(share: float, elapsed: float, at_end: float | None, limit: float) -> str:
    if share >= 1:
        return "spent"
    if at_end is None:
        return "too early to tell"
    if at_end > limit:
        return f"too fast: gone after {elapsed / share:.0%} of the time at this pace"
    return "within its pace"


ZERO = Decimal(0)


def _next_hour(moment: datetime) -> datetime:
    """The end of the running hour: what is summed up to there is the same and is not asked for again every second."""
    return hour_of(moment) + timedelta(hours=1)


def _next_month(day: datetime) -> datetime:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _money(value: float) -> str:
    return plain_decimal(Decimal(value).quantize(CENT_OF_A_CENT))
