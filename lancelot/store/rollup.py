"""Usage by hour, added up little by little: the same sums as over the receipts themselves, a thousand times fewer rows.
Caught up before every question and every few thousand receipts; can be dropped and built anew at any time.

What counts: receipts of kind attempt and utility, the ones a brain worked for. A call is *unpriced* when it spent
something (it answered, or tokens are known) and nobody knows its price.
"""

from __future__ import annotations

from lancelot.store.database import Database

__all__ = [
    "COUNTED",
    "GROUPS",
    "LATENCY_BINS",
    "SUMS",
    "UNPRICED",
    "behind",
    "catch_up",
    "merge",
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
}
LATENCY_BINS = 4  # bins an octave: neighbouring quantiles differ by at most 19 %
BIN = f"CAST(floor({LATENCY_BINS} * log2(greatest(total_us, 1))) AS INTEGER)"
MERGE_AT = 50_000  # parts


def raw_usage(where: str) -> str:
    """A SELECT over receipts with the columns of `usage_hourly`; `where` are further conditions."""
    return (
        f"SELECT date_trunc('hour', time) AS hour, {', '.join(GROUPS)}, "  # noqa: S608 - our own column names
        + ", ".join(f"{sum_} AS {name}" for name, sum_ in SUMS.items())
        + f" FROM receipts WHERE {COUNTED} AND {where} GROUP BY ALL"
    )


def _raw_latency(where: str) -> str:
    return (
        f"SELECT date_trunc('hour', time) AS hour, kind, lane, model, {BIN} AS bin, count(*) AS calls "  # noqa: S608
        f"FROM receipts WHERE {COUNTED} AND total_us IS NOT NULL AND {where} GROUP BY ALL"
    )


def catch_up(database: Database) -> int:
    """Add whatever has been loaded since the last time; returns how many lines that were. Cheap when none."""
    if not behind(database):
        return 0
    with database.transaction() as cursor:
        found = cursor.execute("SELECT coalesce(rolled, 0), loaded FROM journal_state").fetchone()
        rolled, loaded = found if found else (0, 0)
        between = f"n > {int(rolled)} AND n <= {int(loaded)}"
        cursor.execute(f"INSERT INTO usage_hourly {raw_usage(between)}")
        cursor.execute(f"INSERT INTO latency_hourly {_raw_latency(between)}")
        cursor.execute("UPDATE journal_state SET rolled = ?", [loaded])
    return int(loaded - rolled)


def behind(database: Database) -> int:
    """How many lines have been loaded but not added."""
    return int(database.query("SELECT loaded - coalesce(rolled, 0) FROM journal_state")[0][0])


def merge(database: Database, limit: int = MERGE_AT) -> bool:
    """Put the parts of each hour and group together when there are more than `limit`; True when that was done."""
    parts = database.query("SELECT (SELECT count(*) FROM usage_hourly) + (SELECT count(*) FROM latency_hourly)")[0][0]
    settled = database.query("SELECT coalesce(max(settled_parts), 0) FROM journal_state")[0][0]
    if parts - settled <= limit:
        return False
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    with database.transaction() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE merged_usage AS SELECT hour, {', '.join(GROUPS)}, {sums} "  # noqa: S608
            "FROM usage_hourly GROUP BY ALL ORDER BY hour"
        )
        cursor.execute(
            "CREATE TEMP TABLE merged_latency AS SELECT hour, kind, lane, model, bin, sum(calls) AS calls "
            "FROM latency_hourly GROUP BY ALL ORDER BY hour"
        )
        for table, merged in (("usage_hourly", "merged_usage"), ("latency_hourly", "merged_latency")):
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608
            cursor.execute(f"INSERT INTO {table} SELECT * FROM {merged}")  # noqa: S608
            cursor.execute(f"DROP TABLE {merged}")
        cursor.execute(
            "UPDATE journal_state SET settled_parts = "
            "(SELECT count(*) FROM usage_hourly) + (SELECT count(*) FROM latency_hourly)"
        )
    return True


def rebuild(database: Database) -> None:
    """Build all sums anew from the receipts that are there.

    Hours whose receipts have been pruned keep their old sums: those receipts cannot be asked any more.
    """
    with database.transaction() as cursor:
        kept = cursor.execute("SELECT max(pruned_before) FROM journal_state").fetchone()
        boundary = kept[0] if kept and kept[0] is not None else None
        after = "date_trunc('hour', time) > ?"
        for table, select in (("usage_hourly", raw_usage), ("latency_hourly", _raw_latency)):
            if boundary is None:
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608
                cursor.execute(f"INSERT INTO {table} {select('TRUE')}")
            else:
                cursor.execute(f"DELETE FROM {table} WHERE hour > ?", [boundary])  # noqa: S608
                cursor.execute(f"INSERT INTO {table} {select(after)}", [boundary])
        cursor.execute("UPDATE journal_state SET rolled = loaded")
