"""Usage by hour, added up little by little: the same sums as over the receipts themselves, a thousand times fewer rows.
Caught up before every question and every few thousand receipts; can be dropped and built anew at any time.

What counts: receipts of kind attempt and utility, the ones a brain worked for. A call is *unpriced* when it spent
something (it answered, or tokens are known) and nobody knows its price. A call is *replaced* when another attempt of
the same request had to follow it: it failed, or its answer did not suffice.
"""

from __future__ import annotations

from lancelot.store.database import Cursor, Database
from lancelot.store.spread import merge_spread, raw_spread

__all__ = [
    "COUNTED",
    "GROUPS",
    "SUMS",
    "UNPRICED",
    "behind",
    "catch_up",
    "merge",
    "raw_latency",
    "raw_replaced",
    "raw_usage",
    "rebuild",
]

GROUPS = ("kind", "lane", "provider", "model", "task", "key_id", "status")
COUNTED = "kind IN ('attempt', 'utility')"
UNPRICED = "(cost_usd IS NULL AND (status IN ('ok', 'cancelled') OR coalesce(tokens_in, tokens_out) IS NOT NULL))"
SUMS = {
    "requests": "count(*) FILTER (WHERE attempt = 1)",
    "calls": "count(*)",
    "tokens_in": "coalesce(sum(tokens_in), 0)",
    "tokens_out": "coalesce(sum(tokens_out), 0)",
    "tokens_cached": "coalesce(sum(tokens_cached), 0)",
    "tokens_cache_write": "coalesce(sum(tokens_cache_write), 0)",
    "tokens_reasoning": "coalesce(sum(tokens_reasoning), 0)",
    "cost_usd": "coalesce(sum(cost_usd), 0)",
    "priced_calls": "count(cost_usd)",
    "unpriced_calls": f"count(*) FILTER (WHERE {UNPRICED})",
    "unpriced_tokens": f"coalesce(sum(coalesce(tokens_in, 0) + coalesce(tokens_out, 0)) FILTER (WHERE {UNPRICED}), 0)",
    "timed_calls": "count(total_us)",
    "total_us": "coalesce(sum(total_us), 0)",
    "replaced_calls": "0",
    "replaced_usd": "0",
}
MERGE_AT = 50_000  # parts
PARTS = "(SELECT count(*) FROM usage_hourly) + (SELECT count(*) FROM spread_hourly)"


def raw_usage(where: str) -> str:
    """A SELECT over receipts with the columns of `usage_hourly`; `where` are further conditions.

    What was replaced is told by the receipts that followed: see `raw_replaced`.
    """
    return (
        f"SELECT date_trunc('hour', time) AS hour, {', '.join(GROUPS)}, "  # noqa: S608 - our own column names
        + ", ".join(f"{sum_} AS {name}" for name, sum_ in SUMS.items())
        + f" FROM receipts WHERE {COUNTED} AND {where} GROUP BY ALL"
    )


def raw_replaced(where: str = "TRUE", followed: str = "TRUE") -> str:
    """The same columns with nothing but what was replaced, at the time of the replaced call.

    Args:
        where: conditions on the replaced receipts.
        followed: conditions on the receipts that followed.
    """
    sums = {"replaced_calls": "count(*)", "replaced_usd": "coalesce(sum(cost_usd), 0)"}
    later = f"SELECT parent_id AS replaced FROM receipts WHERE parent_id IS NOT NULL AND {COUNTED} AND {followed}"  # noqa: S608
    return (
        f"SELECT date_trunc('hour', time) AS hour, {', '.join(GROUPS)}, "  # noqa: S608 - our own column names
        + ", ".join(f"{sums.get(name, '0')} AS {name}" for name in SUMS)
        + f" FROM receipts JOIN ({later}) ON id = replaced WHERE {COUNTED} AND {where} GROUP BY ALL"
    )


def raw_latency(where: str) -> str:
    """A SELECT over receipts with the columns of `spread_hourly`."""
    return raw_spread(f"{COUNTED} AND {where}")


def catch_up(database: Database) -> int:
    """Add whatever has been loaded since the last time; returns how many lines that were. Cheap when none."""
    lines, stale = _state(database)
    if stale:
        rebuild(database)
    elif lines:
        with database.transaction() as cursor:
            found = cursor.execute("SELECT coalesce(rolled, 0), loaded FROM journal_state").fetchone()
            rolled, loaded = found if found else (0, 0)
            _add(cursor, f"n > {int(rolled)} AND n <= {int(loaded)}")
            cursor.execute("UPDATE journal_state SET rolled = ?", [loaded])
            lines = int(loaded - rolled)
    return lines


def _add(cursor: Cursor, between: str) -> None:
    cursor.execute(f"INSERT INTO usage_hourly {raw_usage(between)}")
    cursor.execute(f"INSERT INTO spread_hourly {raw_latency(between)}")
    ids = cursor.execute(
        f"SELECT min(parent_id), max(parent_id) FROM receipts WHERE parent_id IS NOT NULL AND {between}"  # noqa: S608
    ).fetchone()
    if ids and ids[0] is not None:  # ids sort by time: the bounds keep the search near
        cursor.execute(f"INSERT INTO usage_hourly {raw_replaced('id BETWEEN ? AND ?', between)}", list(ids))


def behind(database: Database) -> int:
    """How many lines have been loaded but not added."""
    return _state(database)[0]


def _state(database: Database) -> tuple[int, bool]:
    lines, stale = database.query("SELECT loaded - coalesce(rolled, 0), coalesce(stale, FALSE) FROM journal_state")[0]
    return int(lines), bool(stale)


def merge(database: Database, limit: int = MERGE_AT) -> bool:
    """Put the parts of each hour and group together when there are more than `limit`; True when that was done."""
    parts = database.query(f"SELECT {PARTS}")[0][0]
    settled = database.query("SELECT coalesce(max(settled_parts), 0) FROM journal_state")[0][0]
    if parts - settled <= limit:
        return False
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    merged = {
        "usage_hourly": f"SELECT hour, {', '.join(GROUPS)}, {sums} FROM usage_hourly GROUP BY ALL ORDER BY hour",  # noqa: S608
        "spread_hourly": merge_spread("spread_hourly"),
    }
    with database.transaction() as cursor:
        for table, select in merged.items():
            cursor.execute(f"CREATE TEMP TABLE merged AS {select}")
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608
            cursor.execute(f"INSERT INTO {table} SELECT * FROM merged")  # noqa: S608
            cursor.execute("DROP TABLE merged")
        cursor.execute(f"UPDATE journal_state SET settled_parts = {PARTS}")  # noqa: S608
    return True


def rebuild(database: Database) -> None:
    """Build all sums anew from the receipts that are there.

    Hours whose receipts have been pruned keep their old sums: those receipts cannot be asked any more.
    """
    with database.transaction() as cursor:
        kept = cursor.execute("SELECT max(pruned_before) FROM journal_state").fetchone()
        boundary = kept[0] if kept and kept[0] is not None else None
        after = "TRUE" if boundary is None else "date_trunc('hour', time) > ?"
        bound = [] if boundary is None else [boundary]
        for table in ("usage_hourly", "spread_hourly"):
            cursor.execute(f"DELETE FROM {table}" + ("" if boundary is None else " WHERE hour > ?"), bound)  # noqa: S608
        cursor.execute(f"INSERT INTO usage_hourly {raw_usage(after)} ORDER BY hour", bound)
        cursor.execute(f"INSERT INTO usage_hourly {raw_replaced(after)} ORDER BY hour", bound)
        spread = f"SELECT * FROM ({raw_latency(after)}) ORDER BY hour"  # noqa: S608 - our own names
        cursor.execute(f"INSERT INTO spread_hourly {spread}", bound * raw_latency(after).count("?"))
        cursor.execute(f"UPDATE journal_state SET rolled = loaded, stale = FALSE, settled_parts = {PARTS}")  # noqa: S608
