"""The parts of the Cost & tokens page that are not plain sums: pace, savings, other prices, token pressure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from console.session import get_services, moment_now
from console.tables import show_table
from console.widgets import money, tokens

__all__ = ["named", "other_prices", "pace", "saved", "weight"]

BASELINES = {"deep": "all deep", "fast": "all fast"}


def named(by: str, group: str | None) -> str:
    """A group's name for people: calls without an application key are the operator's own."""
    return group or ("operator" if by == "key" else "none")


def pace() -> None:
    """The calendar month so far and what it comes to, and every limit against the clock."""
    found = get_services().costs.pace(moment_now())
    if found["month"]["tokens"]:
        _month(found["month"])
    _budgets(found["budgets"])


def _month(found: dict[str, Any]) -> None:
    spent, forecast, used, later = st.columns(4)
    spent.metric("This month so far", money(found["cost_usd"]), help=f"{found['elapsed']:.0%} of the month have passed")
    used.metric("Tokens this month", tokens(found["tokens"]))
    if found["forecast_usd"] is None:
        st.caption("A forecast needs three whole days of use.")
        return
    low, expected, high = found["forecast_usd"]
    forecast.metric("By the end of the month", money(expected), help=f"From the last {found['days']} whole days")
    later.metric("Tokens by the end", tokens(found["forecast_tokens"][1]))
    words = (
        f"Nine in ten such months end between {money(low)} and {money(high)}, by the last {found['days']} whole days."
    )
    if found["unpriced_tokens"]:
        words += f" {found['unpriced_tokens']:,} tokens of unknown price are not in the money."
    st.caption(words.replace("$", r"\$"))


def _budgets(rows: list[dict[str, Any]]) -> None:
    if not rows:
        label = "No budget is set: set one under Settings"
        st.page_link("settings/page.py", label=label, icon=":material/savings:")
        return
    table = pd.DataFrame(
        {
            "Budget": [f"{row['scope']}, {row['period']}" for row in rows],
            "Used": [_amount(row["what"], row["used"]) for row in rows],
            "Limit": [_amount(row["what"], row["limit"]) for row in rows],
            "Share": [row["share"] for row in rows],
            "Time passed": [row["elapsed"] for row in rows],
            "At its end": [_amount(row["what"], row["at_end"]) for row in rows],
            "In words": [row["words"] for row in rows],
        }
    )
    show_table(table, {"Share": "share", "Time passed": "share"}, key="cost_budgets")
    unpriced = max(row["unpriced_tokens"] for row in rows)
    if unpriced:
        st.caption(f"{unpriced:,} tokens of unknown price count against token budgets only.")


def saved(since: datetime) -> None:
    """What routing saved, net of everything, as a range with its assumptions."""
    baseline = (
        st.segmented_control(
            "Held against", list(BASELINES), format_func=BASELINES.__getitem__, default="deep", key="cost_baseline"
        )
        or "deep"
    )
    found = get_services().usage.savings(since, None, baseline)
    if found["saved_usd"]:
        low, high = (money(value) for value in found["saved_usd"])
        would = " to ".join(money(value) for value in found["would_cost_usd"])
        again = found["retries"]
        words = (
            f"**{low} to {high}** saved: {money(found['paid_usd'])} paid where {BASELINES[baseline]} would have cost "
            f"{would}. Taken off already: {again['calls']:,} attempts that had to be followed by another "
            f"({money(again['usd'])}), {again['local_calls']:,} of them local ({money(again['local_usd'])})."
        )
        st.markdown(words.replace("$", r"\$"))
    with st.expander("What this rests on", expanded=not found["saved_usd"]):
        for assumption in found["assumptions"]:
            st.markdown(f"- {assumption}")


def other_prices(since: datetime, by: str, title: str) -> None:
    """The same calls under the price list in force now; a view, nothing is changed."""
    found = get_services().costs.repriced(since, None, by)
    rows = [*found["groups"], {**found["totals"], "group": "all together"}]
    table = pd.DataFrame(
        {
            title: [named(by, row["group"]) for row in rows],
            "Recorded": [row["recorded_usd"] for row in rows],
            f"Under {found['version']}": [row["repriced_usd"] for row in rows],
            "Difference": [row["difference_usd"] for row in rows],
            "Tokens without price": [row["unpriced_tokens"] for row in rows],
        }
    )
    kinds = dict.fromkeys(("Recorded", f"Under {found['version']}", "Difference"), "usd")
    show_table(table, {**kinds, "Tokens without price": "count"}, key="cost_other", missing="unknown")
    lists = ", ".join(f"{row['version']} ({row['calls']:,} calls)" for row in found["recorded_versions"]) or "none"
    gone = f" {found['gone_calls']:,} calls are pruned and cannot be priced again." if found["gone_calls"] else ""
    st.caption(f"Recorded under: {lists}. Every receipt keeps the cost of its own moment.{gone}")


def weight(since: datetime) -> None:
    """How full contexts get, what comes from caches, and who uses most."""
    found = get_services().costs.pressure(since)
    st.markdown("**How full contexts get.** A window that is nearly full cuts off, or costs the dearer tier.")
    context = found["context"]
    show_table(
        pd.DataFrame(
            {
                "Model": [row["model"] or "none" for row in context],
                "Calls": [row["calls"] for row in context],
                "Median input": [row["p50_tokens"] for row in context],
                "95 % under": [row["p95_tokens"] for row in context],
                "Largest": [row["most_tokens"] for row in context],
                "Window": [row["window"] for row in context],
                "Window used, 95 %": [row["p95_share"] for row in context],
            }
        ),
        {
            **dict.fromkeys(("Calls", "Median input", "95 % under", "Largest", "Window"), "count"),
            "Window used, 95 %": "share",
        },
        key="cost_context",
        missing="unknown",
    )
    rate = found["hit_rate"]
    share = "no input yet" if rate is None else f"{rate:.1%} of all input"
    st.markdown(f"**From caches:** {share}. Work that repeats a long beginning should be far above that.")
    cache = found["cache"]
    show_table(
        pd.DataFrame(
            {
                "Task": [row["task"] or "none" for row in cache],
                "Lane": [row["lane"] or "none" for row in cache],
                "Tokens in": [row["tokens_in"] for row in cache],
                "From cache": [row["hit_rate"] for row in cache],
                "Reasoning, of output": [row["reasoning_share"] for row in cache],
            }
        ),
        {"Tokens in": "count", "From cache": "share", "Reasoning, of output": "share"},
        key="cost_cache",
    )
    st.markdown("**Who uses most**")
    top = found["top"]
    show_table(
        pd.DataFrame(
            {
                "Key": [named("key", row["key"]) for row in top],
                "Task": [row["task"] or "none" for row in top],
                "Model": [row["model"] or "none" for row in top],
                "Tokens": [row["tokens"] for row in top],
                "Share": [row["share"] for row in top],
                "Cost": [row["cost_usd"] for row in top],
            }
        ),
        {"Tokens": "count", "Share": "share", "Cost": "usd"},
        key="cost_top",
        missing="unknown",
    )


def _amount(what: str, value: Any) -> str:
    if value is None:
        return "too early"
    return money(value) if what == "usd" else tokens(int(value))
