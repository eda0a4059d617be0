"""Cost & tokens: where money and tokens go, by day, lane, model, task and key; the tables can be taken away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from console.charts import over_time
from console.session import get_services
from console.widgets import empty_state, money, page_guard, tokens

SPANS = {"Today": 0, "7 days": 7, "30 days": 30, "90 days": 90}
GROUPS = {"lane": "Lane", "model": "Model", "task": "Task", "key": "Key", "day": "Day"}
AMOUNTS = {"cost_usd": "Cost, US dollars", "tokens": "Tokens", "requests": "Requests"}


def since_of(days: int) -> datetime:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return start - timedelta(days=days)


def figures(totals: dict[str, Any]) -> None:
    spent, used, requests, cached = st.columns(4)
    spent.metric(
        "Spent", money(totals["cost_usd"]), help="The sum of all known costs; unknown is never counted as zero"
    )
    used.metric("Tokens", tokens(totals["tokens"]), help=f"{totals['tokens_in']:,} in, {totals['tokens_out']:,} out")
    requests.metric("Requests", f"{totals['requests']:,}", help=f"{totals['calls']:,} calls, escalations included")
    share = totals["tokens_cached"] / totals["tokens_in"] if totals["tokens_in"] else 0.0
    cached.metric("Cached input", f"{share:.0%}", help=f"{totals['tokens_cached']:,} tokens read from caches")
    if totals["unpriced_calls"]:
        st.info(
            f"{totals['unpriced_calls']:,} calls with {totals['unpriced_tokens']:,} tokens have no price; "
            "they count against token budgets and are not in the sum."
        )


def savings(since: datetime) -> None:
    """What routing saved, net of everything, as a range with its assumptions."""
    found = get_services().usage.savings(since, None, "deep")
    if not found["saved_usd"]:
        return
    low, high = found["saved_usd"]
    st.markdown(
        f":material/savings: Against sending everything to the deep lane: **{money(low)} to {money(high)}** saved, "
        "failed attempts and escalations already taken off."
    )
    with st.expander("What this rests on"):
        for assumption in found["assumptions"]:
            st.markdown(f"- {assumption}")


def course(since: datetime, amount: str) -> None:
    points = get_services().usage.timeseries(since, None, "day", "lane")["points"]
    if not points:
        return
    table = pd.DataFrame(points)
    table["cost_usd"] = pd.to_numeric(table["cost_usd"]).fillna(0.0)
    table["at"] = pd.to_datetime(table["at"], utc=True)
    st.altair_chart(over_time(table, amount, AMOUNTS[amount]), width="stretch")


def breakdown(since: datetime) -> None:
    by = (
        st.segmented_control("By", list(GROUPS), format_func=GROUPS.__getitem__, default="lane", key="cost_by")
        or "lane"
    )
    rows = get_services().usage.summary(since, None, by)["groups"]
    table = pd.DataFrame(
        {
            GROUPS[by]: [str(row["group"] or "-") for row in rows],
            "Requests": [row["requests"] for row in rows],
            "Calls": [row["calls"] for row in rows],
            "Tokens in": [row["tokens_in"] for row in rows],
            "Tokens out": [row["tokens_out"] for row in rows],
            "Cached": [row["tokens_cached"] for row in rows],
            "Reasoning": [row["tokens_reasoning"] for row in rows],
            "Cost, US dollars": [row["cost_usd"] or "unknown" for row in rows],
            "Calls without price": [row["unpriced_calls"] for row in rows],
        }
    )
    st.dataframe(table, hide_index=True, width="stretch")
    st.download_button(
        "Take this table as CSV",
        table.to_csv(index=False).encode(),
        file_name=f"usage-by-{by}.csv",
        mime="text/csv",
        icon=":material/download:",
    )


with page_guard():
    st.title("Cost & tokens")
    banner = get_services().budget_banner()
    if banner:
        st.warning(banner, icon=":material/savings:")
    span = st.segmented_control("Time", list(SPANS), default="30 days", key="cost_span") or "30 days"
    start = since_of(SPANS[span])
    totals = get_services().usage.summary(start, None, "lane")["totals"]
    if not totals["calls"]:
        empty_state(
            "Nothing spent in this time", "Costs appear with the first request. Choose a longer time, or *Ask*."
        )
    else:
        figures(totals)
        savings(start)
        chosen = st.segmented_control(
            "Show", list(AMOUNTS), format_func=AMOUNTS.__getitem__, default="tokens", key="cost_of"
        )
        course(start, chosen or "tokens")
        breakdown(start)
