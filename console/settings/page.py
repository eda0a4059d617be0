"""Settings: provider, budgets, policy, the files behind them, application keys and the token."""

from __future__ import annotations

import streamlit as st

from console.settings.budgets import budgets
from console.settings.changing import said
from console.settings.files import files
from console.settings.keys import keys, token
from console.settings.policy import policy
from console.settings.provider import provider
from console.widgets import page_guard, section

PARTS = {
    "Provider": provider,
    "Budgets": budgets,
    "Policy": policy,
    "Files and history": files,
    "Application keys": keys,
    "Token": token,
}

with page_guard():
    st.title("Settings")
    st.caption("Nothing is saved before you have seen what would change; every save can be taken back.")
    said()
    for tab, draw in zip(st.tabs(list(PARTS)), PARTS.values(), strict=True):
        with tab, section():
            draw()
