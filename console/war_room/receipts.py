"""Receipts: filtered, sorted, page by page; one receipt in full with the story of its request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from console.demo_switch import offer_demo
from console.receipts.table import KINDS, as_table
from console.receipts.timeline import timeline
from console.session import demo_shown, get_services, moment_now
from console.tables import show_table
from console.widgets import LANE_WORDS, empty_state, money, page_guard, tokens
from lancelot.store.receipts import Receipt

PAGE_SIZE, TABLE_PX, FEW = 50, 560, 14
SPANS = {"1 h": timedelta(hours=1), "24 h": timedelta(days=1), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
CHOICES: dict[str, tuple[str, list[str]]] = {
    "lane": ("Lane", ["local", "fast", "deep"]),
    "status": ("Status", ["ok", "error", "cancelled", "parked", "blocked"]),
    "risk": ("Risk", ["low", "medium", "high", "unknown"]),
    "kind": ("Sort of receipt", ["attempt", "request", "utility", "approval", "budget", "event"]),
}
WRITTEN = {"task": "Kind of request", "model": "Model", "key_id": "Key", "error_code": "Error code"}
ORDERS = {
    "newest": "newest",
    "dearest": "cost_usd",
    "slowest": "total_us",
    "most tokens in": "tokens_in",
    "most tokens out": "tokens_out",
}


def filters() -> tuple[dict[str, Any], str]:
    """What to show and in which order; every choice is part of the address, so that a view can be sent on."""
    span = st.segmented_control("Time", list(SPANS), key="span", bind="query-params", help="Nothing chosen: all")
    chosen: dict[str, Any] = {}
    named = any(name in st.query_params for name in (*CHOICES, *WRITTEN, "hidden", "sort"))
    with st.expander("Filters, and the order", expanded=named, icon=":material/filter_alt:"):
        for column, (name, (label, options)) in zip(st.columns(len(CHOICES)), CHOICES.items(), strict=True):
            chosen[name] = column.selectbox(
                label, options, index=None, placeholder="any", key=name, bind="query-params", required=False
            )
        for column, (name, label) in zip(st.columns(len(WRITTEN)), WRITTEN.items(), strict=True):
            chosen[name] = column.text_input(label, key=name, placeholder="any", bind="query-params").strip()
        hidden = st.toggle("Only where something was hidden", key="hidden", bind="query-params")
        order = st.selectbox("Order, first the", list(ORDERS), key="sort", bind="query-params")
    found = {name: value for name, value in chosen.items() if value}
    if hidden:
        found["redacted"] = True
    if span:  # to the minute, so that paging does not begin anew at every look
        found["since"] = (moment_now() - SPANS[span]).replace(second=0, microsecond=0)
    return found, ORDERS[order or "newest"]


def find() -> None:
    """Straight to a receipt by its id."""
    wanted = st.text_input(
        "Find a receipt", key="find", placeholder="its id, or its request's id", max_chars=64
    ).strip()
    if not wanted:
        return
    services = get_services()
    receipt = services.receipts.get(wanted) or next(iter(services.receipts.chain(wanted)), None)
    if receipt is None:
        st.warning("There is no receipt or request with this id here.")
    else:
        st.query_params.clear()
        st.query_params["id"] = receipt.id
        st.rerun()


def listing() -> None:
    find()
    chosen, sort = filters()
    cursors: list[str | None] = st.session_state.setdefault("receipt_cursors", [None])
    same = {name: value for name, value in chosen.items() if name != "since"} | {"sort": sort, "demo": demo_shown()}
    same["span"] = st.session_state.get("span")
    if st.session_state.get("receipt_filters") != same:
        st.session_state["receipt_filters"], cursors[:] = same, [None]
    found, following = get_services().receipts.page(chosen, cursors[-1], PAGE_SIZE, sort=sort)
    if not found:
        nothing(bool(chosen))
        return
    st.caption(
        "Choose a row to read the whole story. A click on a head sorts this page; the order above sorts them all."
    )
    rows = show_table(
        as_table(found),
        KINDS,
        key=f"receipts-{len(cursors)}-{found[0].id}",
        select=True,
        height=TABLE_PX if len(found) > FEW else "auto",
        missing="unknown",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Newer" if sort == "newest" else "Before", disabled=len(cursors) == 1, icon=":material/chevron_left:"
        ):
            cursors.pop()
            st.rerun()
        if st.button(
            "Older" if sort == "newest" else "After", disabled=following is None, icon=":material/chevron_right:"
        ):
            cursors.append(following)
            st.rerun()
        st.caption(f"Page {len(cursors):,}, {len(found):,} receipt{'' if len(found) == 1 else 's'}")
    if rows:
        st.query_params["id"] = found[rows[0]].id
        st.rerun()


def nothing(filtered: bool) -> None:
    if filtered:
        empty_state("Nothing matches", "No receipt fits these filters. Clear one of them.", ":material/filter_alt_off:")
        return
    empty_state("No receipts yet", "Every request leaves one. Send a message under *Ask*, or call the gateway.")
    st.page_link("war_room/ask.py", label="Ask something", icon=":material/chat:")
    offer_demo()


def full(receipt: Receipt) -> None:
    """One receipt: the figures, the story of its request, what left this machine, and everything as JSON."""
    st.subheader("One receipt")
    st.caption(f"Receipt {receipt.id} · request {receipt.request_id}")
    lane, spent, cost, took = st.columns(4)
    lane.metric("Lane", LANE_WORDS.get(receipt.lane or "", "none"), help=receipt.model)
    spent.metric("Tokens in + out", f"{tokens(receipt.tokens_in)} + {tokens(receipt.tokens_out)}")
    cost.metric("Cost", money(receipt.cost_usd), help=f"Prices of {receipt.price_version or 'no version'}")
    total = receipt.latency.total_ms
    took.metric("Time", "not said" if total is None else f"{total / 1000:.2f} s")
    timeline(receipt)
    with st.expander("What left this machine"):
        st.code(
            f"egress   {receipt.egress or 'none'}\n"
            f"bytes    {'-' if receipt.sent_bytes is None else f'{receipt.sent_bytes:,}'}\n"
            f"SHA-256  {receipt.sent_sha256 or '-'}\n"
            f"policy   {receipt.policy or '-'}",
            language=None,
        )
    with st.expander("Everything, as JSON"):
        st.json(receipt.model_dump(mode="json"))


with page_guard():
    st.title("Receipts")
    wanted = st.query_params.get("id")
    if wanted is None:
        listing()
    else:
        if st.button("All receipts", icon=":material/arrow_back:"):
            st.query_params.clear()
            st.rerun()
        receipt = get_services().receipts.get(wanted)
        if receipt is None:
            empty_state("No such receipt", "The id in the address is not known here, or was pruned by its age.")
        else:
            full(receipt)
