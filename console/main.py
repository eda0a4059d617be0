"""Navigation only: which pages there are, and in which order. Before READY the set-up page comes first."""

from __future__ import annotations

import streamlit as st

from console.session import get_services
from console.widgets import page_guard

st.set_page_config(page_title="Lancelot", page_icon=":material/shield:", layout="wide")


def pages() -> dict[str, list[st.Page]]:
    """The pages by section; the set-up is the first page until the system is ready."""
    ready = get_services().is_ready()
    setup = st.Page("onboarding/page.py", title="Set-up", icon=":material/flag:", url_path="setup", default=not ready)
    ask = st.Page("war_room/ask.py", title="Ask", icon=":material/chat:", url_path="ask", default=ready)
    receipts = st.Page("war_room/receipts.py", title="Receipts", icon=":material/receipt_long:", url_path="receipts")
    if ready:
        return {"Use": [ask], "War Room": [receipts, setup]}
    return {"Start": [setup], "War Room": [ask, receipts]}


with page_guard():
    st.navigation(pages()).run()
