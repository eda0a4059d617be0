"""Cost & tokens: where money and tokens go, how fast, what routing saved; every table can be taken away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from console import cost_parts
from console.charts import over_time, quantile_lines
from console.demo_switch import offer_demo
from console.session import get_services, moment_now
from console.tables import Kind, chart_with_table, show_table
from console.widgets import empty_state, money, page_guard, section, tokens

SPANS = {"Today": 0, "7 days": 7, "30 days": 30, "90 days": 90}
GROUPS = {"lane": "Lane", "model": "Model", "task": "Task", "key": "Key", "day": "Day"}
AMOUNTS = {"cost_usd": "Cost, US dollars", "tokens": "Tokens", "requests": "Requests", "latency": "Latency"}
KINDS: dict[str, Kind] = {
    "Requests": "count",
    "Calls": "count",
    "Tokens in": "count",
    "Tokens out": "count",
    "Cached": "count",
    "Reasoning": "count",
    "Cost": "usd",
    "Tokens without price": "count",
    "Median": "ms",
    "95 % under": "ms",
}


def since_of(days: int) -> datetime:
    """Midnight, UTC, so many days ago."""
    return moment_now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


def figures(totals: dict[str, Any]) -> None:
    spent, used, requests, cached = st.columns(4)
    exact = "no known price" if totals["cost_usd"] is None else f"exactly {totals['cost_usd']} US dollars"
    spent.metric("Spent", money(totals["cost_usd"]), help=f"The sum of all known costs: {exact}")
    used.metric("Tokens", tokens(totals["tokens"]), help=f"{totals['tokens_in']:,} in, {totals['tokens_out']:,} out")
    requests.metric("Requests", f"{totals['requests']:,}", help=f"{totals['calls']:,} calls, escalations included")
    share = totals["tokens_cached"] / totals["tokens_in"] if totals["tokens_in"] else 0.0
    cached.metric("Cached input", f"{share:.0%}", help=f"{totals['tokens_cached']:,} tokens read from caches")
    if totals["unpriced_calls"]:
        st.info(
            f"The price of {totals['unpriced_calls']:,} calls with {totals['unpriced_tokens']:,} tokens is unknown; "
            "they count against token budgets and are not in the sum."
        )


def course(since: datetime) -> None:
    """One amount over the days."""
    chosen = st.segmented_control(
        "Show", list(AMOUNTS), format_func=AMOUNTS.__getitem__, default="tokens", key="cost_of"
    )
    amount = chosen or "tokens"
    if amount == "latency":
        rows = get_services().usage.summary(since, None, "day")["groups"]
        times = pd.DataFrame(
            {
                "Day": pd.to_datetime([row["group"] for row in rows], utc=True),
                "Median": [row["p50_ms"] for row in rows],
                "95 % under": [row["p95_ms"] for row in rows],
            }
        )
        chart_with_table(quantile_lines(times), times, {"Day": "day", **KINDS}, key="cost_latency")
        return
    table = pd.DataFrame(get_services().usage.timeseries(since, None, "day", "lane")["points"])
    table["at"] = pd.to_datetime(table["at"], utc=True)
    unknown = 0
    if amount == "cost_usd":  # days whose cost nobody knows are left out of the bars, and told
        unknown = int(table["cost_usd"].isna().sum())
        table = table.dropna(subset=["cost_usd"]).assign(cost_usd=lambda rows: pd.to_numeric(rows["cost_usd"]))
    shown = table[["at", "group", amount]].rename(columns={"at": "Day", "group": "Lane", amount: AMOUNTS[amount]})
    kinds: dict[str, Kind] = {"Day": "day", AMOUNTS[amount]: "usd" if amount == "cost_usd" else "count"}
    chart_with_table(over_time(table, amount, AMOUNTS[amount]), shown, kinds, key=f"cost_course_{amount}")
    if unknown:
        st.caption(f"Left out: {unknown} bars of calls whose price is unknown; their tokens are under *Tokens*.")


def breakdown(since: datetime, lanes: list[dict[str, Any]]) -> None:
    """One row a group, and the same as files with every digit; `lanes` are the rows by lane."""
    by = (
        st.segmented_control("By", list(GROUPS), format_func=GROUPS.__getitem__, default="lane", key="cost_by")
        or "lane"
    )
    rows = lanes if by == "lane" else get_services().usage.summary(since, None, by)["groups"]
    table = pd.DataFrame(
        {
            GROUPS[by]: [cost_parts.named(by, row["group"]) for row in rows],
            "Requests": [row["requests"] for row in rows],
            "Calls": [row["calls"] for row in rows],
            "Tokens in": [row["tokens_in"] for row in rows],
            "Tokens out": [row["tokens_out"] for row in rows],
            "Cached": [row["tokens_cached"] for row in rows],
            "Reasoning": [row["tokens_reasoning"] for row in rows],
            "Cost": [row["cost_usd"] for row in rows],
            "Tokens without price": [row["unpriced_tokens"] for row in rows],
            "Median": [row["p50_ms"] for row in rows],
            "95 % under": [row["p95_ms"] for row in rows],
        }
    )
    show_table(table, KINDS, key=f"cost_table_{by}", missing="unknown")
    st.caption("Medians and 95th percentiles are within 19 % of exact; sums are exact. Days are UTC.")
    with st.container(horizontal=True):
        costs = get_services().costs
        for form, label in (("csv", "CSV"), ("parquet", "Parquet")):
            st.download_button(
                f"Take it as {label}",
                lambda form=form: costs.as_file(form, since, None, by),
                file_name=f"usage-by-{by}.{form}",
                key=f"cost_take_{form}",
                icon=":material/download:",
                help="Every digit of every sum; an unknown cost stays unknown",
            )
    if st.toggle("Under today's price list", key="cost_repriced", help="A view: the recorded costs are not changed"):
        cost_parts.other_prices(since, by, GROUPS[by])


with page_guard():
    st.title("Cost & tokens")
    banner = get_services().budget_banner()
    if banner:
        st.warning(banner, icon=":material/savings:")
    span = st.segmented_control("Time", list(SPANS), default="30 days", key="cost_span") or "30 days"
    start = since_of(SPANS[span])
    summary = get_services().usage.summary(start, None, "lane")
    totals = summary["totals"]
    if not totals["calls"]:
        empty_state(
            "Nothing spent in this time", "Costs appear with the first request. Choose a longer time, or *Ask*."
        )
        with section():
            cost_parts.pace()
        offer_demo()
    else:
        figures(totals)
        with section():
            course(start)
        with section("In detail"):
            breakdown(start, summary["groups"])
        with section("Pace and forecast"):
            cost_parts.pace()
        with section("What routing saved"):
            cost_parts.saved(start)
        with section("Token pressure"):
            cost_parts.weight(start)
