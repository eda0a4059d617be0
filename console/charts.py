"""Charts take a DataFrame and never query. Every chart names its units and stands beside its table."""

from __future__ import annotations

import altair as alt
import pandas as pd

__all__ = ["LANE_COLOURS", "bars", "over_time", "quantile_lines"]

# blue, green, orange: told apart by colour-blind eyes, readable on light and dark
LANE_COLOURS = {"local": "#0a9396", "fast": "#3d7ebf", "deep": "#d9832b"}
OTHER = "#8a8f98"


def bars(table: pd.DataFrame, over: str, amount: str, title: str) -> alt.Chart:
    """One horizontal bar a row of `table`; lanes keep their colours."""
    names = list(table[over])
    colours = [LANE_COLOURS.get(name, OTHER) for name in names]
    return (
        alt.Chart(table, title=title, height=alt.Step(30))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X(f"{amount}:Q", title=amount, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y(f"{over}:N", title=None, sort=names),
            color=alt.Color(f"{over}:N", scale=alt.Scale(domain=names, range=colours), legend=None),
            tooltip=[over, amount],
        )
    )


def over_time(table: pd.DataFrame, amount: str, title: str) -> alt.Chart:
    """Stacked bars a day by lane. `table` has at (UTC), group (lane) and the amount."""
    table = table.assign(group=table["group"].fillna("none"))
    lanes = [lane for lane in (*LANE_COLOURS, "none") if lane in set(table["group"])]
    return (
        alt.Chart(table, height=280)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(at):T", title="Day (UTC)"),
            y=alt.Y(f"sum({amount}):Q", title=title),
            color=alt.Color(
                "group:N",
                title="Lane",
                scale=alt.Scale(domain=lanes, range=[LANE_COLOURS.get(lane, OTHER) for lane in lanes]),
            ),
            tooltip=[alt.Tooltip("yearmonthdate(at):T", title="Day"), "group", amount],
        )
    )


def quantile_lines(table: pd.DataFrame) -> alt.Chart:
    """Median and 95th percentile by day. `table` has Day (UTC), Median and 95 % under, in milliseconds."""
    long = table.melt("Day", var_name="which", value_name="milliseconds").dropna()
    return (
        alt.Chart(long, height=280)
        .mark_line(point=True)
        .encode(
            x=alt.X("yearmonthdate(Day):T", title="Day (UTC)"),
            y=alt.Y("milliseconds:Q", title="Milliseconds"),
            color=alt.Color(
                "which:N",
                title=None,
                scale=alt.Scale(domain=["Median", "95 % under"], range=[LANE_COLOURS["fast"], LANE_COLOURS["deep"]]),
            ),
            tooltip=[alt.Tooltip("yearmonthdate(Day):T", title="Day"), "which", "milliseconds"],
        )
    )
