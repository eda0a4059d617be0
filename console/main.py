"""Navigation only: which pages there are, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from console.demo_switch import demo_switch
from console.login import require_login
from console.widgets import page_guard

# a file of our own: the browser would fetch a named icon from a font server on the internet
ICON = Path(__file__).parent / "icon.svg"
st.set_page_config(page_title="Lancelot", page_icon=str(ICON), layout="wide")

# file, title, icon, address; no address may be one of the API's
PAGES = {
    "overview": ("war_room/overview.py", "Overview", "monitoring"),
    "setup": ("onboarding/page.py", "Set-up & recovery", "flag"),
    "approvals-queue": ("war_room/approvals.py", "Approvals", "approval_delegation"),
    "decisions": ("war_room/router.py", "Router", "alt_route"),
    "costs": ("war_room/costs.py", "Cost & tokens", "payments"),
    "ask": ("war_room/ask.py", "Ask", "chat"),
    "redaction-lab": ("war_room/redaction_lab.py", "Redaction lab", "science"),
    "receipts": ("war_room/receipts.py", "Receipts", "receipt_long"),
    "local-model": ("war_room/local_model.py", "Local model", "memory"),
    "settings": ("settings/page.py", "Settings", "tune"),
}
SECTIONS = {
    "War Room": ["overview", "approvals-queue", "decisions", "receipts", "costs", "local-model"],
    "Use": ["ask", "redaction-lab"],
    "Look after": ["setup", "settings"],
}
WITH_DEMO = ("overview", "approvals-queue", "decisions", "receipts", "costs")


def page(address: str) -> Any:
    """One page; Overview is what `/` shows, and it leads to the set-up until the system is ready."""
    file, title, icon = PAGES[address]
    return st.Page(file, title=title, icon=f":material/{icon}:", url_path=address, default=address == "overview")


with page_guard():
    require_login()
    pages = {section: [page(address) for address in addresses] for section, addresses in SECTIONS.items()}
    chosen = st.navigation(pages)
    has_demo = chosen.url_path in ("", *WITH_DEMO)
    demo_switch(has_demo)
    chosen.run()
