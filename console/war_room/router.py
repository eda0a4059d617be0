"""Router: how the lanes are, decisions as they fall, one of them in full, a dry run, and what if."""

from __future__ import annotations

import streamlit as st

from console.receipts.timeline import timeline
from console.router.dry_run import dry_run
from console.router.lanes import lanes
from console.router.live import decisions, totals
from console.router.what_if import what_if_view
from console.session import get_services
from console.widgets import empty_state, page_guard, section

VIEWS = {"Live": decisions, "Totals": totals, "Dry run": dry_run, "What if": what_if_view}


def one(receipt_id: str) -> None:
    if st.button("All decisions", icon=":material/arrow_back:"):
        del st.query_params["id"]
        st.rerun()
    receipt = get_services().receipts.get(receipt_id)
    if receipt is None:
        empty_state("No such receipt", "The id in the address is not known here.")
    else:
        timeline(receipt)


with page_guard():
    st.title("Router")
    banner = get_services().budget_banner()
    if banner:
        st.warning(banner, icon=":material/savings:")
    wanted = st.query_params.get("id")
    if wanted is not None:
        one(wanted)
    else:
        lanes()
        view = st.segmented_control(
            "Show", list(VIEWS), default="Live", required=True, key="view", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        with section():
            VIEWS[view or "Live"]()
