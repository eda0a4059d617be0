"""A usage summary as a file for other tools: CSV or Parquet, every digit kept, unknown never zero."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["COLUMNS", "MEDIA_TYPES", "FileForm", "as_file"]

FileForm = Literal["csv", "parquet"]
MEDIA_TYPES: dict[str, str] = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
COUNTS = (
    "requests", "calls", "tokens_in", "tokens_out", "tokens", "tokens_cached", "tokens_cache_write", "tokens_reasoning",
    "priced_calls", "unpriced_calls", "unpriced_tokens", "replaced_calls",
)  # fmt: skip
MONEY = ("cost_usd", "replaced_usd")
TIMES = ("mean_ms", "p50_ms", "p95_ms")
COLUMNS = (*COUNTS, *MONEY, *TIMES)
DOLLARS = pa.decimal128(38, 12)


def as_file(summary: Mapping[str, Any], form: FileForm) -> bytes:
    """The groups of `UsageQueries.summary`, a row each; the first column has the name of what they are grouped by.

    An unknown cost is the word `unknown` in CSV and null in Parquet; a missing name or time is empty, or null.
    """
    return _csv(summary) if form == "csv" else _parquet(summary)


def _csv(summary: Mapping[str, Any]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([summary["by"], *COLUMNS])
    for row in summary["groups"]:
        values = ["unknown" if name == "cost_usd" and row[name] is None else row.get(name) for name in COLUMNS]
        writer.writerow([_harmless(row["group"]), *values])
    return text.getvalue().encode()


def _parquet(summary: Mapping[str, Any]) -> bytes:
    rows = summary["groups"]
    columns: dict[str, Any] = {summary["by"]: pa.array([row["group"] for row in rows], pa.string())}
    for name in COUNTS:
        columns[name] = pa.array([row[name] for row in rows], pa.int64())
    for name in MONEY:
        money = [None if row[name] is None else Decimal(row[name]) for row in rows]
        columns[name] = pa.array(money, DOLLARS)
    for name in TIMES:
        columns[name] = pa.array([row.get(name) for row in rows], pa.float64())
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _harmless(name: str | None) -> str | None:
    """A name that a spreadsheet would take for a formula is quoted."""
    return f"'{name}" if name and name[0] in "=+-@\t\r" else name
