"""A range of time as SQL: the hourly sums for whole hours, the receipts themselves for what is left at its edges.

So any range gives the same figures to the last digit as adding up its receipts would.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lancelot.store.rollup import COUNTED, GROUPS, SUMS, raw_replaced, raw_usage
from lancelot.store.spread import raw_spread
from lancelot.store.totals import hour_of

__all__ = ["during", "naive", "spread_range", "usage_range"]

HOUR = timedelta(hours=1)
IN_EDGE = "time >= ? AND time < ?"


def during(since: datetime | None, until: datetime | None) -> tuple[str, list[Any]]:
    """(condition, parameters) on receipts of a range; for what the hourly sums cannot tell."""
    conditions, parameters = ["TRUE"], []
    for sign, moment in ((">=", since), ("<", until)):
        if moment is not None:
            utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            conditions.append(f"time {sign} ?")
            parameters.append(naive(utc))
    return " AND ".join(conditions), parameters


def usage_range(since: datetime | None, until: datetime | None) -> tuple[str, list[Any]]:
    """Rows of `usage_hourly` form for a range: the rollup for whole hours, receipts for what is left at the edges."""
    hours, bounds, edges = _pieces(since, until)
    parts = [f"SELECT hour, {', '.join(GROUPS)}, {', '.join(SUMS)} FROM usage_hourly WHERE {hours}"]  # noqa: S608
    for edge in edges:
        parts += [raw_usage(IN_EDGE), raw_replaced(IN_EDGE)]
        bounds += [*edge, *edge]
    return " UNION ALL ".join(parts), bounds


def spread_range(since: datetime | None, until: datetime | None, measure: str, by: str) -> tuple[str, list[Any]]:
    """Rows of `spread_hourly` form for a range, in the same way."""
    hours, bounds, edges = _pieces(since, until)
    parts = [
        f"SELECT hour, value, bin, calls, most FROM spread_hourly WHERE measure = ? AND by_name = ? AND {hours}"  # noqa: S608
    ]
    bounds = [measure, by, *bounds]
    for edge in edges:
        raw = raw_spread(f"{COUNTED} AND {IN_EDGE}", [measure], [by])
        parts.append(f"SELECT hour, value, bin, calls, most FROM ({raw})")  # noqa: S608
        bounds += edge
    return " UNION ALL ".join(parts), bounds


def _pieces(since: datetime | None, until: datetime | None) -> tuple[str, list[Any], list[list[Any]]]:
    """(condition on whole hours, its parameters, [low, high] of every edge that is no whole hour)."""
    first = None if since is None else (hour_of(since) if hour_of(since) == since else hour_of(since) + HOUR)
    last = None if until is None else hour_of(until)
    if first is not None and last is not None and first > last:  # inside one hour
        return "FALSE", [], [[naive(since), naive(until)]]
    conditions, parameters = ["TRUE"], []
    for sign, hour in ((">=", first), ("<", last)):
        if hour is not None:
            conditions.append(f"hour {sign} ?")
            parameters.append(naive(hour))
    pairs = ((since, first), (last, until))
    edges = [[naive(low), naive(high)] for low, high in pairs if low is not None and high is not None and low < high]
    return " AND ".join(conditions), parameters, edges


def naive(moment: datetime | None) -> datetime | None:
    """A UTC moment as the database's TIMESTAMP columns have it."""
    return moment.replace(tzinfo=None) if moment is not None else None
