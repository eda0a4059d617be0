"""Overview: is everything well, what does it cost today, what happened last. Before READY it leads to the set-up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from console.charts import bars
from console.session import get_services
from console.widgets import empty_state, money, page_guard, tokens

LOOK_EVERY_S = 3.0
RECENT = 8


def parts(status: dict[str, Any]) -> list[tuple[str, bool, str, str | None]]:
    """(part, well, words, page that mends it) for every part of the system."""
    brain, lanes, receipts = status["local_model"], status["lanes"], status["receipts"]
    rows = [("Console", True, "answers", None)]
    problem = receipts["problem"]
    rows.append(("Receipts", receipts["writable"], problem["title"] if problem else "are kept", "setup"))
    well = brain["state"] in ("ready", "external")
    rows.append(("Local model", well, brain.get("last_error") or brain["state"], "model"))
    for lane in ("fast", "deep"):
        breaker = lanes[lane]["breaker"]
        open_ = breaker["state"] == "open"
        words = f"resting for {breaker['ends_in_s']:.0f} s: {breaker['reason']}" if open_ else lanes[lane]["why"]
        rows.append(
            (f"Flagship, {lane}", lanes[lane]["available"] and not open_, words or lanes[lane]["model"], "setup")
        )
    trouble = status["config"]["problem"]
    rows.append(("Configuration", trouble is None, trouble["title"] if trouble else "in force", None))
    return rows


@st.fragment(run_every=LOOK_EVERY_S)
def readiness() -> None:
    status = get_services().status()
    rows = parts(status)
    bad = [row for row in rows if not row[1]]
    if not bad:
        st.success("Everything is well.", icon=":material/check_circle:")
    for name, _well, words, page in bad:
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.warning(f"**{name}**: {words}", icon=":material/warning:")
        if page == "model":
            right.page_link("war_room/local_model.py", label="Fix", icon=":material/build:")
        elif page == "setup":
            right.page_link("onboarding/page.py", label="Fix", icon=":material/build:")
    with st.expander("All parts"):
        st.dataframe(
            pd.DataFrame(
                {
                    "Part": [row[0] for row in rows],
                    "State": ["well" if row[1] else "degraded" for row in rows],
                    "In words": [row[2] for row in rows],
                }
            ),
            hide_index=True,
            width="stretch",
        )


@st.fragment(run_every=LOOK_EVERY_S)
def today() -> None:
    services = get_services()
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    summary = services.usage.summary(start, None, "lane")
    totals = summary["totals"]
    requests, spent, used, unpriced = st.columns(4)
    requests.metric("Requests today", f"{totals['requests']:,}", help="Since midnight, UTC")
    spent.metric("Spent today", money(totals["cost_usd"]), help="Known prices only; unknown is never counted as zero")
    used.metric("Tokens today", tokens(totals["tokens"]))
    unpriced.metric("Calls without a price", f"{totals['unpriced_calls']:,}")
    if summary["groups"]:
        table = pd.DataFrame(
            {
                "Lane": [row["group"] or "-" for row in summary["groups"]],
                "Requests": [row["requests"] for row in summary["groups"]],
                "Tokens": [row["tokens"] for row in summary["groups"]],
                "Cost": [money(row["cost_usd"]) for row in summary["groups"]],
            }
        )
        left, right = st.columns([3, 2])
        left.altair_chart(bars(table, "Lane", "Requests", "Requests today, by lane"), width="stretch")
        right.dataframe(table, hide_index=True, width="stretch")


def recent() -> None:
    st.subheader("Newest receipts")
    found, _ = get_services().receipts.page({}, None, RECENT)
    if not found:
        empty_state("No requests yet", "Send a message under *Ask*, or point any OpenAI client at this address.")
        return
    for receipt in found:
        what = receipt.data.get("event") if receipt.kind == "event" else f"{receipt.task or receipt.kind}"
        st.page_link(
            "war_room/receipts.py",
            label=f"{receipt.at:%H:%M:%S} · {receipt.lane or receipt.kind} · {what} · {receipt.status}",
            query_params={"id": receipt.id},
        )


if not get_services().is_ready():
    st.switch_page("onboarding/page.py")

with page_guard():
    st.title("Overview")
    readiness()
    today()
    recent()
