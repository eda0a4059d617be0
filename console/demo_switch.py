"""The switch in the sidebar: real records, or the demonstration's, which is marked wherever it is shown."""

from __future__ import annotations

import streamlit as st

from console.session import show_demo
from console.widgets import live
from lancelot.services import running

__all__ = ["demo_switch"]

WANTED = "demo_wanted"
FIRST_NUMBER = 10_000
LOOK_EVERY_S = 1.0


def demo_switch(has_demo: bool) -> None:
    """Draw the switch, and the mark on top of a page that shows the demonstration.

    Args:
        has_demo: whether this page can show it; the others are about the real system alone.
    """
    demo = running().demo
    if WANTED not in st.session_state:
        st.session_state[WANTED] = st.query_params.get("demo") == "1" and demo.exists()
    there = demo.exists()
    with st.sidebar:
        if there:
            st.toggle("Demo data", key=WANTED, help="Made-up receipts from a database of their own, never mixed in.")
        else:
            st.session_state[WANTED] = False
    wanted = there and bool(st.session_state[WANTED])
    show_demo(wanted and has_demo)
    keep_in_address(wanted and has_demo)
    if wanted and has_demo:
        st.badge("Demo: these figures are made up", icon=":material/science:", color="violet")
    elif wanted:
        st.badge("This page shows the real system, not the demo", icon=":material/info:", color="gray")


def keep_in_address(shown: bool) -> None:
    """The address says that it is the demonstration: it can be sent on, and opened in another tab."""
    if shown and st.query_params.get("demo") != "1":
        st.query_params["demo"] = "1"
    elif not shown and "demo" in st.query_params:
        del st.query_params["demo"]


def offer_demo() -> None:
    """For empty pages: look around with made-up receipts first; a closed tab loses nothing."""
    _offer()


@live(LOOK_EVERY_S)
def _offer() -> None:
    demo = running().demo
    found = demo.status()
    if found["making"]:
        done, total = found["making"]["done"], found["making"]["total"]
        st.progress(
            done / total, text=f"Making demo data: {done:,} of {total:,} receipts. It goes on without this page."
        )
        st.session_state["demo_making"] = True
        return
    if st.session_state.pop("demo_making", False) and found["exists"]:
        st.rerun()
    if found["problem"]:
        st.error(f"**{found['problem']['title']}** {found['problem']['hint']}")
    if found["exists"]:
        st.caption("Demo data is there: switch it on in the sidebar.")
    elif st.button(
        "Make demo data", icon=":material/science:", help="10,000 made-up receipts in a database of their own"
    ):
        demo.begin(FIRST_NUMBER)
        st.rerun(scope="fragment")
