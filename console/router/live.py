"""Decisions as they fall: the newest ones by lane, status, kind and risk; and how they fell over a longer time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from console.charts import bars
from console.receipts.table import KINDS, as_table
from console.session import get_services, latest, moment_now
from console.tables import chart_with_table, show_table
from console.widgets import empty_state, live, page_guard, stale_note
from lancelot.store.receipts import Receipt

__all__ = ["decisions", "totals"]

LOOK_EVERY_S = 3.0
SHOWN = 30
DRAWN = "live_drawn"
LOOKED_AT = 200
ANY = {"placeholder": "any", "index": None}
COLUMNS = ["Time", "Lane", "What", "Status", "Risk", "Try", "Cost, USD", "Total, ms", "Why"]
SPANS = {"Last hour": 1 / 24, "Last day": 1.0, "Last week": 7.0, "Last month": 30.0}


def decisions() -> None:
    """The filters, and under them the newest decisions, live."""
    with st.expander("Filters", icon=":material/filter_alt:"):
        columns = st.columns(4)
        chosen = {
            "lane": columns[0].selectbox("Lane", ["local", "fast", "deep"], key="live_lane", **ANY),
            "status": columns[1].selectbox(
                "Status", ["ok", "error", "cancelled", "parked", "blocked"], key="live_status", **ANY
            ),
            "risk": columns[2].selectbox("Risk", ["low", "medium", "high", "unknown"], key="live_risk", **ANY),
            "task": columns[3].text_input("Kind of request", key="live_task", placeholder="any").strip() or None,
        }
        escalated = st.toggle("Only what needed another brain", key="live_escalated")
    _newest({name: value for name, value in chosen.items() if value}, escalated)


@live(LOOK_EVERY_S)
def _newest(chosen: dict[str, Any], escalated: bool) -> None:
    def read() -> list[Receipt]:
        found, _ = get_services().receipts.page(chosen, None, LOOKED_AT)
        return [one for one in found if one.kind in ("attempt", "request") and (one.attempt > 1 or not escalated)]

    with page_guard():
        found, as_of, problem = latest(f"decisions_{sorted(chosen.items())}_{escalated}", read)
        if problem is not None:
            stale_note(as_of, problem.title)
        shown = found[:SHOWN]
        if not shown:
            empty_state(
                "No decisions to show" if not (chosen or escalated) else "None of the newest decisions fits",
                "Send a message under *Ask*, or call the gateway; each decision appears here within seconds.",
                ":material/alt_route:",
            )
            return
        st.caption("The newest decisions, live. Choose one to read how it came about.")
        drawn = st.session_state.get(DRAWN, [])  # what the browser showed when a row was chosen
        rows = show_table(as_table(shown)[COLUMNS], KINDS, key="live_table", select=True, missing="unknown")
        st.session_state[DRAWN] = [one.id for one in shown]
        if rows and rows[0] < len(drawn):
            st.query_params["id"] = drawn[rows[0]]
            st.rerun()


def totals() -> None:
    """How decisions fell in a span: counts, lanes with their pace, and the most frequent reasons."""
    span = st.segmented_control("Time", list(SPANS), default="Last day", required=True, key="router_span")
    stats = get_services().receipts.stats(moment_now() - timedelta(days=SPANS[span or "Last day"]))
    if not stats["attempts"]:
        empty_state("No decisions in this time", "Send a message under *Ask*, or choose a longer time.")
        return
    figures = {
        "Requests": (stats["requests"], None),
        "Escalated": (stats["escalated"], "Requests that needed more than one attempt"),
        "Failed attempts": (stats["failed"], None),
        "With something hidden": (stats["redacted"], "Attempts in which personal data or secrets were replaced"),
    }
    for column, (name, (count, help_)) in zip(st.columns(4), figures.items(), strict=True):
        column.metric(name, f"{count:,}", help=help_)
    latency = stats["latency_ms"]
    table = pd.DataFrame(
        {
            "Lane": list(stats["by_lane"]),
            "Attempts": list(stats["by_lane"].values()),
            "Median, ms": [latency.get(lane, {}).get("p50") for lane in stats["by_lane"]],
            "95 %, ms": [latency.get(lane, {}).get("p95") for lane in stats["by_lane"]],
        }
    )
    chart_with_table(
        bars(table, "Lane", "Attempts", "Attempts by lane"),
        table,
        {"Attempts": "count", "Median, ms": "ms", "95 %, ms": "ms"},
        key="router_lanes",
    )
    st.markdown("**Most frequent reasons**")
    reasons = pd.DataFrame(
        {
            "Reason": [row["reason"] for row in stats["reasons"]],
            "Attempts": [row["attempts"] for row in stats["reasons"]],
        }
    )
    show_table(reasons, {"Attempts": "count"}, key="router_reasons")
