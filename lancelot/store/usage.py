"""Where tokens and money went: the one query layer behind every page, route, notebook and export.

Sums come from the hourly rollup; where a range begins or ends inside an hour, that hour's receipts are asked
themselves, so both ways give the same sums to the last digit. Money is text in plain decimal digits; None is unknown,
never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from lancelot.errors import BadInput
from lancelot.store.answers import Answers
from lancelot.store.database import Database
from lancelot.store.ledger import ReceiptStore
from lancelot.store.loader import loaded_number
from lancelot.store.ranges import naive, spread_range, usage_range
from lancelot.store.rollup import SUMS, catch_up
from lancelot.store.rows import plain_decimal
from lancelot.store.savings import LaneUse, savings
from lancelot.store.spread import MEASURES, Quantiles, by_group
from lancelot.store.totals import KEEP_DAYS, HourlyUse, Spent, Totals, hour_of

__all__ = ["GroupBy", "UsageQueries", "added", "figures", "name_of", "raw_column"]

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
NONE_SPENT: dict[str, Any] = dict.fromkeys(SUMS, 0)
TIMED = ("lane", "model", "task", "key", "day", "hour")  # groups whose latencies are kept
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
        self.settle()
        self._answers = Answers(self._state)
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
        """{"since", "until", "by", "groups": [row…], "totals": row}; see `figures` for what a row holds.

        Groups come with the most tokens first; days and hours in order of time.

        Raises:
            BadInput: `by` is not one of `GroupBy`.
        """
        groups = self.grouped(since, until, [by])
        timed = self.spreads("total_us", by, since, until) if by in TIMED else {}
        rows = [{"group": name, **figures(sums), **_milliseconds(timed.get(name))} for (name,), sums in groups]
        if by not in ("day", "hour"):
            rows.sort(key=lambda row: (-row["tokens"], str(row["group"])))
        return {
            "since": _text(since),
            "until": _text(until),
            "by": by,
            "groups": rows,
            "totals": figures(added([sums for _, sums in groups])),
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
        found = self.grouped(since, until, [every] if by is None else [every, by])
        points = [{"at": names[0], "group": names[1] if by else None, **figures(sums)} for names, sums in found]
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
                replaced_calls=sums["replaced_calls"],
                replaced_usd=sums["replaced_usd"],
            )
            for group, sums in self.grouped(since, until, ["task", "lane"])
        ]
        return {"since": _text(since), "until": _text(until), **savings(use, baseline)}

    def spreads(
        self, measure: str, by: str, since: datetime | None = None, until: datetime | None = None
    ) -> dict[Any, Quantiles]:
        """Quantiles by group, within one bin (19 %) of exact; the largest value is exact.

        Args:
            measure: total_us (microseconds a call took) or tokens_in.
            by: lane, model, task or key; for total_us also day and hour. None is the key of all together.

        Raises:
            BadInput: `by` is not one of these.
        """
        column = _column(by)
        kept = by if by in MEASURES[measure] else MEASURES[measure][0]
        group = column if by in ("day", "hour") else "value"
        source, parameters = spread_range(_utc(since), _utc(until), measure, kept)
        rows = self._ask(
            f"SELECT {group} AS g, bin, CAST(sum(calls) AS BIGINT), max(most) FROM ({source}) GROUP BY ALL",  # noqa: S608
            parameters,
        )
        return by_group((name_of(row[0]), *row[1:]) for row in rows)

    # ---- queries

    @property
    def database(self) -> Database:
        """Where the receipts are; call `settle` before asking it."""
        return self._database

    def settle(self) -> None:
        """What was written a moment ago counts too."""
        if self._store is not None:
            self._store.flush(FLUSH_S)
        catch_up(self._database)

    def grouped(
        self, since: datetime | None, until: datetime | None, by: list[str]
    ) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """(names of the groups, sums by the names of `rollup.SUMS`) in order of the groups; what every figure rests on.

        Raises:
            BadInput: `by` holds something else than `GroupBy` names.
        """
        columns = [_column(name) for name in by]
        source, parameters = usage_range(_utc(since), _utc(until))
        keys = "".join(f"{column} AS g{i}, " for i, column in enumerate(columns))
        sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
        order = "".join(f"{',' if i else ' ORDER BY'} g{i} NULLS LAST" for i in range(len(columns)))
        rows = self._ask(
            f"SELECT {keys}{sums} FROM ({source}) GROUP BY ALL{order}",  # noqa: S608 - our own names
            parameters,
        )
        width = len(columns)
        return [
            (tuple(name_of(value) for value in row[:width]), dict(zip(SUMS, row[width:], strict=True))) for row in rows
        ]

    def _ask(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows, with all that was written before this call; asked of the database once while nothing changes."""
        question = (sql, tuple(parameters))
        return self._answers.get(question, lambda: self._database.query(sql, parameters))

    def _state(self) -> int:
        self.settle()
        return loaded_number(self._database)

    def _seed(self) -> list[HourlyUse]:
        start = hour_of(datetime.now(UTC)) - timedelta(days=KEEP_DAYS)
        rows = self._database.query(
            "SELECT hour, key_id, lane, sum(cost_usd), sum(priced_calls)::BIGINT, sum(unpriced_calls)::BIGINT, "
            "sum(tokens_in + tokens_out)::BIGINT, sum(unpriced_tokens)::BIGINT "
            "FROM usage_hourly WHERE hour >= ? GROUP BY ALL",
            [naive(start)],
        )
        return [HourlyUse(row[0].replace(tzinfo=UTC), *row[1:]) for row in rows]


def figures(sums: dict[str, Any]) -> dict[str, Any]:
    """What one group used.

    requests (first attempts), calls (all), tokens_in, tokens_out (cached, cache_write and reasoning are parts of them),
    tokens, cost_usd (text; None when nothing has a known price), unpriced_calls, unpriced_tokens, replaced_calls and
    replaced_usd (calls after which another attempt was needed, and their known cost), mean_ms.
    """
    whole = {name: int(value) for name, value in sums.items() if not name.endswith("_usd")}
    unknown = whole["unpriced_calls"] > 0 and whole["priced_calls"] == 0
    timed = whole.pop("timed_calls")
    total_us = whole.pop("total_us")
    return {
        **whole,
        "tokens": whole["tokens_in"] + whole["tokens_out"],
        "cost_usd": None if unknown else plain_decimal(Decimal(sums["cost_usd"])),
        "replaced_usd": plain_decimal(Decimal(sums["replaced_usd"])),
        "mean_ms": round(total_us / timed / 1000, 3) if timed else None,
    }


def added(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of several groups together."""
    return {name: sum((row[name] for row in rows), start=0) for name in SUMS} if rows else dict(NONE_SPENT)


def _milliseconds(found: Quantiles | None) -> dict[str, Any]:
    if found is None:
        return {"p50_ms": None, "p95_ms": None}
    return {"p50_ms": round(found.p50 / 1000, 3), "p95_ms": round(found.p95 / 1000, 3)}


def raw_column(name: str) -> str:
    """The expression over receipts for a group.

    Raises:
        BadInput: there is no such group.
    """
    return {"day": "CAST(time AS DATE)", "hour": "date_trunc('hour', time)"}.get(name) or _column(name)


def _column(name: str) -> str:
    if name not in COLUMN:
        raise BadInput(f"`{name}` is not something to group by.", param="by", hint=f"One of {', '.join(COLUMN)}.")
    return COLUMN[name]


def name_of(value: Any) -> Any:
    """A group's name as figures carry it: text, a day or an hour (UTC) in ISO form, None for none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat()
    return value if value is None or isinstance(value, str) else value.isoformat()


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
