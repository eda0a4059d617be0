"""Receipts: newest first, filtered; one receipt in full with the chain of attempts."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from console.session import get_services
from console.widgets import empty_state, money, page_guard, redactions_in_words, tokens
from lancelot.store.receipts import Receipt

PAGE_SIZE = 50
LANES = ["local", "fast", "deep"]
STATUSES = ["ok", "error", "cancelled", "parked", "blocked"]


def table(found: list[Receipt]) -> pd.DataFrame:
    """One row a receipt; times in the browser's zone, costs in US dollars."""
    return pd.DataFrame(
        {
            "Time": [receipt.at for receipt in found],
            "Lane": [receipt.lane or "-" for receipt in found],
            "Task": [receipt.task or "-" for receipt in found],
            "Model": [receipt.model or "-" for receipt in found],
            "Status": [receipt.status for receipt in found],
            "Tokens in": [receipt.tokens_in for receipt in found],
            "Tokens out": [receipt.tokens_out for receipt in found],
            "Cost": [money(receipt.cost_usd) for receipt in found],
            "Total ms": [receipt.latency.total_ms for receipt in found],
            "Redacted": [sum(receipt.redactions.values()) for receipt in found],
            "Receipt": [receipt.id for receipt in found],
        }
    )


def filters() -> dict[str, Any]:
    lane, status, task = st.columns(3)
    chosen = {
        "lane": lane.selectbox("Lane", LANES, index=None, placeholder="All lanes"),
        "status": status.selectbox("Status", STATUSES, index=None, placeholder="Any status"),
        "task": task.text_input("Task", placeholder="Any task") or None,
    }
    return {name: value for name, value in chosen.items() if value}


def listing() -> None:
    chosen = filters()
    cursors: list[str | None] = st.session_state.setdefault("receipt_cursors", [None])
    if st.session_state.get("receipt_filters") != chosen:
        st.session_state["receipt_filters"], cursors[:] = chosen, [None]
    found, following = get_services().receipts.page(chosen, cursors[-1], PAGE_SIZE)
    if not found:
        if chosen:
            empty_state("Nothing matches", "No receipt fits these filters. Clear one of them.")
        else:
            empty_state("No receipts yet", "Every request leaves one. Send a message under Ask, or call the gateway.")
            st.page_link("war_room/ask.py", label="Ask something", icon=":material/chat:")
        return
    event = st.dataframe(
        table(found),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"receipts-{len(cursors)}",
        column_config={
            "Time": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "Total ms": st.column_config.NumberColumn(format="%.0f"),
        },
    )
    newer, older, _ = st.columns([1, 1, 4])
    if newer.button("Newer", disabled=len(cursors) == 1, width="stretch"):
        cursors.pop()
        st.rerun()
    if older.button("Older", disabled=following is None, width="stretch"):
        cursors.append(following)
        st.rerun()
    if event.selection.rows:
        st.query_params["id"] = found[event.selection.rows[0]].id
        st.rerun()


def full(receipt: Receipt) -> None:
    st.subheader("One receipt")
    st.caption(receipt.id)
    lane, spent, cost, took = st.columns(4)
    lane.metric("Lane", receipt.lane or "-", help=receipt.model)
    spent.metric("Tokens in + out", f"{tokens(receipt.tokens_in)} + {tokens(receipt.tokens_out)}")
    cost.metric("Cost", money(receipt.cost_usd), help=f"Prices of {receipt.price_version or 'no version'}")
    took.metric("Time", f"{(receipt.latency.total_ms or 0) / 1000:.2f} s")
    st.markdown(f":material/visibility_off: {redactions_in_words(receipt.redactions)}")
    if receipt.error_code:
        st.error(f"Failed with `{receipt.error_code}`.")
    st.markdown("**Why**")
    for reason in receipt.reasons:
        st.markdown(f"- {reason}")
    st.markdown("**What left this machine**")
    st.code(f"egress {receipt.egress or 'none'}\nSHA-256 {receipt.sent_sha256 or '-'}", language=None)
    st.markdown("**The chain of attempts**")
    chain = get_services().receipts.chain(receipt.request_id)
    st.dataframe(table(chain), hide_index=True, width="stretch")
    with st.expander("Everything, as JSON"):
        st.json(receipt.model_dump(mode="json"))


with page_guard():
    st.title("Receipts")
    wanted = st.query_params.get("id")
    if wanted is None:
        listing()
    else:
        if st.button("All receipts", icon=":material/arrow_back:"):
            del st.query_params["id"]
            st.rerun()
        receipt = get_services().receipts.get(wanted)
        if receipt is None:
            empty_state("No such receipt", "The id in the address is not known here.")
        else:
            full(receipt)
