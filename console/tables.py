"""Tables that sort as numbers, with their units in the head; and a chart beside the table it was drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlencode

import altair as alt
import pandas as pd
import streamlit as st

from console.session import linked

__all__ = ["Kind", "chart_with_table", "show_table"]

Kind = Literal["usd", "count", "ms", "share", "time", "day", "receipt", "text", "word"]
RECEIPTS = "/receipts"
ROWS_SHOWN = 10
WORD_WIDTH = 84  # pixels; "unknown" and "cancelled" fit


def show_table(
    table: pd.DataFrame,
    kinds: Mapping[str, Kind] | None = None,
    *,
    key: str | None = None,
    select: bool = False,
    missing: str = "–",
    height: int | Literal["auto"] = "auto",
) -> list[int]:
    """Draw a table that can be sorted by every column; returns the places of the selected rows (at most one).

    Args:
        table: money as Decimal, text or float; times with their zone.
        kinds: what a column holds: usd, count, ms, share (0 to 1), time, day, receipt (an id, becomes a deep link),
            word (one of a few short ones, shown whole).
        key: needed where the table can be selected or the page draws two of the same.
        missing: shown where a value is None.
    """
    kinds = kinds or {}
    shown = table.copy()
    for name, kind in kinds.items():
        if name in shown:
            shown[name] = _typed(shown[name], kind)
    found = st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height=height,
        key=key,
        placeholder=missing,
        column_config={name: _column(shown[name], kind) for name, kind in kinds.items() if name in shown},
        on_select="rerun" if select else "ignore",
        selection_mode="single-row",
    )
    return list(found["selection"]["rows"]) if select else []  # type: ignore[index]


def chart_with_table(
    chart: alt.Chart | alt.LayerChart, table: pd.DataFrame, kinds: Mapping[str, Kind] | None = None, *, key: str
) -> None:
    """A chart, and under it the table it was drawn from: open when it is small, folded when it is long."""
    st.altair_chart(chart, width="stretch", key=f"{key}_chart")
    with st.expander(f"The same as a table ({len(table):,} row{'' if len(table) == 1 else 's'})"):
        show_table(table, kinds, key=f"{key}_table")


def _typed(column: pd.Series[Any], kind: Kind) -> pd.Series[Any]:
    """Numbers as numbers and times as times, so that sorting means what it says."""
    if kind in ("usd", "count", "ms", "share"):
        return pd.to_numeric(column.map(_plain), errors="coerce")
    if kind in ("time", "day"):
        return pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601" if _is_text(column) else None)
    if kind == "receipt":
        return column.map(lambda value: f"{RECEIPTS}?{urlencode(linked(id=str(value)))}" if value else None)
    return column


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal | str) and value != "" else value


def _is_text(column: pd.Series[Any]) -> bool:
    return bool(len(column)) and not isinstance(column.iloc[0], datetime | pd.Timestamp)


def _column(column: pd.Series[Any], kind: Kind) -> Any:
    config = st.column_config
    if kind == "usd":
        return config.NumberColumn(format=_usd_format(column), help="US dollars")
    if kind == "count":
        return config.NumberColumn(format="localized")
    if kind == "ms":
        return config.NumberColumn(format="%,.0f ms")
    if kind == "share":
        return config.NumberColumn(format="percent")
    if kind == "time":
        return config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", help="In this browser's time zone")
    if kind == "day":
        return config.DatetimeColumn(format="YYYY-MM-DD", timezone="UTC", help="UTC")
    if kind == "word":
        return config.TextColumn(width=WORD_WIDTH)
    if kind == "receipt":
        return config.LinkColumn(display_text=r"id=(.{8})", help="Opens the receipt")
    return None


def _usd_format(column: pd.Series[Any]) -> str:
    """Cents where the sums are in dollars, millionths where they are in fractions of a cent."""
    largest = column.abs().max() if len(column) else 0.0
    return "$%,.2f" if largest >= 100 else "$%,.4f" if largest >= 1 else "$%.6f"
