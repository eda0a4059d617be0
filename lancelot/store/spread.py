"""How long calls take and how long inputs are, as histograms by hour: quantiles of millions of calls in milliseconds.

One row is one hour, one thing measured, one group and one bin. Bins grow by a fixed factor, so a quantile is known to
within one bin (19 %); the largest value of each bin is kept exactly. Caught up and rebuilt together with the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["BINS_AN_OCTAVE", "BY", "COLUMNS", "MEASURES", "Quantiles", "merge_spread", "quantiles", "raw_spread"]

BINS_AN_OCTAVE = 4  # neighbouring bins differ by a factor of 1.19
COLUMNS = ("hour", "measure", "by_name", "value", "bin", "calls", "most")
BY = {"lane": "lane", "model": "model", "task": "task", "key": "key_id"}
MEASURES = {"total_us": tuple(BY), "tokens_in": ("model", "task")}  # measure -> the groups it is kept for


class Quantiles(NamedTuple):
    """Of one group: calls measured, median, 95th percentile (the middle of their bins) and the exact largest value."""

    calls: int
    p50: float
    p95: float
    most: int


def raw_spread(where: str, measures: Iterable[str] = MEASURES, by: Iterable[str] = BY) -> str:
    """A SELECT over receipts with the columns of `spread_hourly`; `where` are conditions."""
    names = tuple(by)
    parts = [
        f"SELECT date_trunc('hour', time) AS hour, '{measure}' AS measure, '{name}' AS by_name, "  # noqa: S608
        f"{BY[name]} AS value, CAST(floor({BINS_AN_OCTAVE} * log2(greatest({measure}, 1))) AS INTEGER) AS bin, "
        f"count(*) AS calls, max({measure}) AS most FROM receipts WHERE {measure} IS NOT NULL AND {where} GROUP BY ALL"
        for measure in measures
        for name in MEASURES[measure]
        if name in names
    ]
    return " UNION ALL ".join(parts)


def merge_spread(source: str) -> str:
    """A SELECT that puts the parts of each hour, group and bin together."""
    return (
        "SELECT hour, measure, by_name, value, bin, CAST(sum(calls) AS BIGINT) AS calls, max(most) AS most "  # noqa: S608
        f"FROM {source} GROUP BY ALL ORDER BY hour"
    )


def quantiles(bins: Sequence[tuple[int, int, int]]) -> Quantiles:
    """Of a histogram of (bin, calls, largest) in order of bins; the measure's own unit.

    The middle of a bin is given, but never more than the largest value there was.
    """
    most = max(largest for _, _, largest in bins)
    calls = sum(count for _, count, _ in bins)
    return Quantiles(calls, _quantile(bins, calls * 0.5, most), _quantile(bins, calls * 0.95, most), most)


def _quantile(bins: Sequence[tuple[int, int, int]], wanted: float, most: int) -> float:
    seen, found = 0, 0
    for found, count, _ in bins:  # noqa: B007 - the bin at which the loop ends is the answer
        seen += count
        if seen >= wanted:
            break
    middle = float(2.0 ** ((found + 0.5) / BINS_AN_OCTAVE))
    return min(middle, float(most))


def by_group(rows: Iterable[tuple[Any, int, int, int]]) -> dict[Any, Quantiles]:
    """Quantiles of every group from rows of (group, bin, calls, largest)."""
    bins: dict[Any, list[tuple[int, int, int]]] = {}
    for group, bin_, calls, largest in rows:
        bins.setdefault(group, []).append((int(bin_), int(calls), int(largest)))
    return {group: quantiles(sorted(found)) for group, found in bins.items()}
