"""Charts take a DataFrame and never query. Every chart names its units and stands beside its table."""

from __future__ import annotations

import altair as alt
import pandas as pd

__all__ = ["LANE_COLOURS", "bars", "over_time"]

# blue, green, orange: told apart by colour-blind eyes, readable on light and dark
LANE_COLOURS = {"local": "#0a9396", "fast": "#3d7ebf", "deep": "#d9832b"}


def bars(table: pd.DataFrame, over: str, amount: str, title: str) -> alt.Chart:
    """One horizontal bar a row of `table`; lanes keep their colours."""
    names = list(table[over])
    colours = [LANE_COLOURS.get(name, "#8a8f98") for name in names]
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
    lanes = [lane for lane in LANE_COLOURS if lane in set(table["group"])]
    return (
        alt.Chart(table, height=280)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(at):T", title="Day (UTC)"),
            y=alt.Y(f"sum({amount}):Q", title=title),
            color=alt.Color(
                "group:N",
                title="Lane",
                scale=alt.Scale(domain=lanes, range=[LANE_COLOURS[lane] for lane in lanes]),
            ),
            tooltip=[alt.Tooltip("yearmonthdate(at):T", title="Day"), "group", amount],
        )
    )
