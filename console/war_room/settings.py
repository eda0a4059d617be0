"""Settings."""

from __future__ import annotations

import streamlit as st

from console.widgets import page_guard

with page_guard():
    st.title("Settings")
