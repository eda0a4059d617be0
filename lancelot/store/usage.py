"""Where tokens and money went: the one query layer behind every page, route, notebook and export.

Sums come from the hourly rollup; where a range begins or ends inside an hour, that hour's receipts are asked
themselves, so both ways give the same sums to the last digit. Money is text in plain decimal digits; None is unknown,
never zero.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from lancelot.errors import BadInput
from lancelot.store.database import Database
from lancelot.store.ledger import ReceiptStore
from lancelot.store.rollup import GROUPS, LATENCY_BINS, SUMS, catch_up, raw_usage
from lancelot.store.rows import plain_decimal
from lancelot.store.savings import LaneUse, savings
from lancelot.store.totals import KEEP_DAYS, HourlyUse, Spent, Totals, hour_of

__all__ = ["GroupBy", "UsageQueries"]

GroupBy = Literal["lane", "model", "task", "day", "key", "hour", "provider", "status"]
COLUMN = {
    "lane": "lane",
    "model": "model",
    "task": "task",
    "key": "key_id",
    "provider": "provider",
    "status": "status",
    "day": "CAST(date_trunc('day', hour) AS DATE)",
    "hour": "hour",
}
NONE_SPENT = dict.fromkeys(SUMS, 0)
FLUSH_S = 2.0


class UsageQueries:
    """Sums over receipts.

    Args:
        source: the receipt store (sums then include what was written a moment ago, and `spent` follows every write), or
            a database alone.
    """

    def __init__(self, source: ReceiptStore | Database) -> None:
        self._store = source if isinstance(source, ReceiptStore) else None
        self._database = source.database if isinstance(source, ReceiptStore) else source
        self._settle()
        self._totals = Totals(self._seed())
        if self._store is not None:
            self._store.subscribe(self._totals.add)

    def spent(self, since: datetime, key: str | None = None, lane: str | None = None) -> Spent:
        """(usd, tokens, unpriced_tokens) since the full hour of `since`, at most two months back; microseconds.

        Args:
            key: one application key's id; None is everybody.
            lane: local, fast or deep; None is all.
        """
        return self._totals.spent(since, key, lane)

    def summary(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        by: str = "lane",
    ) -> dict[str, Any]:
        """{"since", "until", "by", "groups": [row…], "totals": row}; see `_row` for what a row holds.

        Groups come with the most tokens first; days and hours in order of time.

        Raises:
            BadInput: `by` is not one of `GroupBy`.
        """
        groups = self._grouped(since, until, [by])
        latencies = self._latencies(since, until, by)
        rows = [
            {"group": _name(group[0]), **_row(sums), **latencies.get(_name(group[0]), {})} for group, sums in groups
        ]
        if by not in ("day", "hour"):
            rows.sort(key=lambda row: (-row["tokens"], str(row["group"])))
        return {
            "since": _text(since),
            "until": _text(until),
            "by": by,
            "groups": rows,
            "totals": _row(_added([sums for _, sums in groups])),
        }

    def timeseries(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        every: str = "day",
        by: str | None = None,
    ) -> dict[str, Any]:
        """{"every", "by", "points": [{"at", "group", …row}]}, in order of time; times without use are left out.

        Raises:
            BadInput: `every` is not hour or day, or `by` not a group.
        """
        if every not in ("hour", "day"):
            raise BadInput("`every` must be hour or day.", param="every")
        found = self._grouped(since, until, [every] if by is None else [every, by])
        points = [
            {"at": _name(group[0]), "group": _name(group[1]) if by else None, **_row(sums)} for group, sums in found
        ]
        return {"since": _text(since), "until": _text(until), "every": every, "by": by, "points": points}

    def savings(
        self, since: datetime | None = None, until: datetime | None = None, baseline: str = "deep"
    ) -> dict[str, Any]:
        """What routing saved against answering everything in one lane; see `savings.savings`.

        Raises:
            BadInput: `baseline` is not fast or deep.
        """
        if baseline not in ("fast", "deep"):
            raise BadInput("`baseline` must be fast or deep.", param="baseline")
        use = [
            LaneUse(
                task=group[0],
                lane=group[1],
                requests=sums["requests"],
                calls=sums["calls"],
                tokens=sums["tokens_in"] + sums["tokens_out"],
                cost_usd=sums["cost_usd"],
                priced_calls=sums["priced_calls"],
                unpriced_calls=sums["unpriced_calls"],
                unpriced_tokens=sums["unpriced_tokens"],
            )
            for group, sums in self._grouped(since, until, ["task", "lane"])
        ]
        return {"since": _text(since), "until": _text(until), **savings(use, baseline)}

    # ---- queries

    def _settle(self) -> None:
        """What was written a moment ago counts too."""
        if self._store is not None:
            self._store.flush(FLUSH_S)
        catch_up(self._database)

    def _grouped(
        self, since: datetime | None, until: datetime | None, by: list[str]
    ) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        columns = [_column(name) for name in by]
        self._settle()
        source, parameters = _range(_utc(since), _utc(until))
        keys = ", ".join(f"{column} AS g{i}" for i, column in enumerate(columns))
        sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
        order = ", ".join(f"g{i} NULLS LAST" for i in range(len(columns)))
        rows = self._database.query(
            f"SELECT {keys}, {sums} FROM ({source}) GROUP BY ALL ORDER BY {order}",  # noqa: S608 - our own names
            parameters,
        )
        width = len(columns)
        return [(row[:width], dict(zip(SUMS, row[width:], strict=True))) for row in rows]

    def _latencies(self, since: datetime | None, until: datetime | None, by: str) -> dict[Any, dict[str, Any]]:
        """Median and 95th percentile by group, from the histogram of whole hours; within one bin (19 %) of exact."""
        if by not in ("lane", "model", "day", "hour"):
            return {}
        conditions, parameters = ["TRUE"], []
        if since is not None:
            conditions.append("hour >= ?")
            parameters.append(_naive(hour_of(since)))
        if until is not None:
            conditions.append("hour < ?")
            parameters.append(_naive(_utc(until)))
        rows = self._database.query(
            f"SELECT {COLUMN[by]} AS g, bin, sum(calls)::BIGINT FROM latency_hourly "  # noqa: S608 - our own names
            f"WHERE {' AND '.join(conditions)} GROUP BY ALL ORDER BY g, bin",
            parameters,
        )
        bins: dict[Any, list[tuple[int, int]]] = {}
        for group, bin_, calls in rows:
            bins.setdefault(_name(group), []).append((bin_, calls))
        return {
            group: {"p50_ms": quantile_ms(found, 0.5), "p95_ms": quantile_ms(found, 0.95)}
            for group, found in bins.items()
        }

    def _seed(self) -> list[HourlyUse]:
        start = hour_of(datetime.now(UTC)) - timedelta(days=KEEP_DAYS)
        rows = self._database.query(
            "SELECT hour, key_id, lane, sum(cost_usd), sum(priced_calls)::BIGINT, sum(unpriced_calls)::BIGINT, "
            "sum(tokens_in + tokens_out)::BIGINT, sum(unpriced_tokens)::BIGINT "
            "FROM usage_hourly WHERE hour >= ? GROUP BY ALL",
            [_naive(start)],
        )
        return [HourlyUse(row[0].replace(tzinfo=UTC), *row[1:]) for row in rows]


def quantile_ms(bins: list[tuple[int, int]], share: float) -> float:
    """The quantile of a histogram of (bin, calls), in milliseconds: the middle of the bin in which it lies."""
    wanted = share * sum(calls for _, calls in bins)
    seen, found = 0, 0
    for found, calls in bins:  # noqa: B007 - the bin at which the loop ends is the answer
        seen += calls
        if seen >= wanted:
            break
    return float(round(2 ** ((found + 0.5) / LATENCY_BINS) / 1000, 3))


def _range(since: datetime | None, until: datetime | None) -> tuple[str, list[Any]]:
    """Rows of `usage_hourly` form for a range: the rollup for whole hours, receipts for what is left at the edges."""
    first = None if since is None else (hour_of(since) if hour_of(since) == since else hour_of(since) + HOUR)
    last = None if until is None else hour_of(until)
    if first is not None and last is not None and first > last:  # inside one hour
        return raw_usage("time >= ? AND time < ?"), [_naive(since), _naive(until)]
    conditions, parameters = ["TRUE"], []
    if first is not None:
        conditions.append("hour >= ?")
        parameters.append(_naive(first))
    if last is not None:
        conditions.append("hour < ?")
        parameters.append(_naive(last))
    parts = [f"SELECT hour, {', '.join(GROUPS)}, {', '.join(SUMS)} FROM usage_hourly WHERE {' AND '.join(conditions)}"]  # noqa: S608
    for low, high in ((since, first), (last, until)):
        if low is not None and high is not None and low < high:
            parts.append(raw_usage("time >= ? AND time < ?"))
            parameters += [_naive(low), _naive(high)]
    return " UNION ALL ".join(parts), parameters


HOUR = timedelta(hours=1)


def _row(sums: dict[str, Any]) -> dict[str, Any]:
    """What one group used.

    requests (first attempts), calls (all), tokens_in, tokens_out (cached, cache_write and reasoning are parts of them),
    tokens, cost_usd (text; None when nothing has a known price), unpriced_calls, unpriced_tokens, mean_ms.
    """
    whole = {name: int(value) for name, value in sums.items() if name != "cost_usd"}
    unknown = whole["unpriced_calls"] > 0 and whole["priced_calls"] == 0
    timed = whole.pop("timed_calls")
    total_us = whole.pop("total_us")
    return {
        **whole,
        "tokens": whole["tokens_in"] + whole["tokens_out"],
        "cost_usd": None if unknown else plain_decimal(Decimal(sums["cost_usd"])),
        "mean_ms": round(total_us / timed / 1000, 3) if timed else None,
    }


def _added(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum((row[name] for row in rows), start=0) for name in SUMS} if rows else dict(NONE_SPENT)


def _column(name: str) -> str:
    if name not in COLUMN:
        raise BadInput(f"`{name}` is not something to group by.", param="by", hint=f"One of {', '.join(COLUMN)}.")
    return COLUMN[name]


def _name(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat()
    return value if value is None or isinstance(value, str) else value.isoformat()


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _naive(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=None) if moment is not None else None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
