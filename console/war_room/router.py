"""Router: how decisions fall, how the lanes are, and a dry run of any text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from console.charts import bars
from console.session import get_services
from console.widgets import empty_state, page_guard
from lancelot.chat import ChatRequest, Message

LOOK_EVERY_S = 3.0
SPANS = {"Last hour": 1 / 24, "Last day": 1, "Last week": 7, "Last month": 30}


@st.fragment(run_every=LOOK_EVERY_S)
def lanes() -> None:
    """Live: each lane's model, whether it is open, and why not."""
    found = get_services().status()["lanes"]
    for column, (name, lane) in zip(st.columns(len(found)), found.items(), strict=True):
        breaker = lane["breaker"]
        with column, st.container(border=True):
            if breaker["state"] == "open":
                mark, words = (
                    ":material/pause_circle:",
                    f"resting {breaker['ends_in_s']:.0f} s more: {breaker['reason']}",
                )
            elif lane["available"]:
                mark, words = ":material/check_circle:", "open"
            else:
                mark, words = ":material/cancel:", lane["why"]
            st.markdown(f"**{name}** {mark}")
            st.caption(f"{lane['provider']} · {lane['model'] or 'no model'}")
            st.caption(words)


def decisions() -> None:
    span = st.segmented_control("Time", list(SPANS), default="Last day", key="router_span") or "Last day"
    stats = get_services().receipts.stats(datetime.now(UTC) - timedelta(days=SPANS[span]))
    if not stats["attempts"]:
        empty_state("No decisions in this time", "Send a message under *Ask*, or choose a longer time.")
        return
    requests, escalated, failed, hidden = st.columns(4)
    requests.metric("Requests", f"{stats['requests']:,}")
    escalated.metric("Escalated", f"{stats['escalated']:,}", help="Requests that needed more than one attempt")
    failed.metric("Failed attempts", f"{stats['failed']:,}")
    hidden.metric("With something redacted", f"{stats['redacted']:,}")
    latency = stats["latency_ms"]
    table = pd.DataFrame(
        {
            "Lane": list(stats["by_lane"]),
            "Attempts": list(stats["by_lane"].values()),
            "p50 ms": [latency.get(lane, {}).get("p50") for lane in stats["by_lane"]],
            "p95 ms": [latency.get(lane, {}).get("p95") for lane in stats["by_lane"]],
        }
    )
    left, right = st.columns([3, 2])
    left.altair_chart(bars(table, "Lane", "Attempts", "Attempts by lane"), width="stretch")
    right.dataframe(table, hide_index=True, width="stretch")
    st.markdown("**Most frequent reasons**")
    st.dataframe(pd.DataFrame(stats["reasons"]), hide_index=True, width="stretch")


def dry_run() -> None:
    st.subheader("Dry run")
    st.caption("Which lane a text would take, and why. No call is made, nothing is kept.")
    with st.form("dry", border=False):
        text = st.text_area("Text to try", height=90)
        asked = st.form_submit_button("Explain", type="primary")
    if not asked:
        return
    if not text.strip():
        st.warning("Write a text first.")
        return
    found = get_services().explain(ChatRequest(messages=[Message(role="user", content=text)]))
    score = "unknown" if found["deep_score"] is None else f"{found['deep_score']:.2f}"
    lane, deep, risk, task = st.columns(4)
    lane.metric("Lane", found["lane"])
    deep.metric("Deep score, 0 to 1", score)
    risk.metric("Risk", found["risk"])
    task.metric("Task", found["task"])
    for reason in found["reasons"]:
        st.markdown(f"- {reason}")


with page_guard():
    st.title("Router")
    banner = get_services().budget_banner()
    if banner:
        st.warning(banner, icon=":material/savings:")
    lanes()
    decisions()
    dry_run()
