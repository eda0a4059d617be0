"""Navigation only: which pages there are, and in which order. Before READY the set-up page comes first."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.session import get_services
from console.widgets import page_guard

st.set_page_config(page_title="Lancelot", page_icon=":material/shield:", layout="wide")

# file, title, icon, address; no address may be one of the API's
PAGES = {
    "setup": ("onboarding/page.py", "Set-up", "flag"),
    "ask": ("war_room/ask.py", "Ask", "chat"),
    "redaction-lab": ("war_room/redaction_lab.py", "Redaction lab", "science"),
    "receipts": ("war_room/receipts.py", "Receipts", "receipt_long"),
    "local-model": ("war_room/local_model.py", "Local model", "memory"),
}
SECTIONS = {
    True: {"Use": ["ask", "redaction-lab"], "War Room": ["receipts", "local-model", "setup"]},
    False: {"Start": ["setup"], "War Room": ["ask", "redaction-lab", "receipts", "local-model"]},
}


def navigation(ready: bool) -> dict[str, list[Any]]:
    """The pages by section; the first one is what `/` shows."""
    sections = SECTIONS[ready]
    first = next(iter(sections.values()))[0]

    def page(address: str) -> Any:
        file, title, icon = PAGES[address]
        return st.Page(file, title=title, icon=f":material/{icon}:", url_path=address, default=address == first)

    return {section: [page(address) for address in addresses] for section, addresses in sections.items()}


with page_guard():
    st.navigation(navigation(get_services().is_ready())).run()
