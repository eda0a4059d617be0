"""The six commands, as buttons and as a box to type them in, on every state of the set-up page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.onboarding.acting import command
from console.session import recall
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["recovery"]


def recovery(flow: OnboardingFlow, status: dict[str, Any]) -> None:
    """The panel. RESET ONBOARDING asks a second time here, as it does everywhere."""
    with st.expander("Recovery: go back, repair, start over", expanded=bool(recall("setup_confirm", bool))):
        if recall("setup_confirm", bool):
            st.warning(
                "Start over? Receipts, the verified model and stored keys stay, and a copy of this state is kept.",
                icon=":material/warning:",
            )
            if st.button("Yes, start over", key="confirm_reset", type="primary"):
                command(flow, "RESET ONBOARDING", confirm=True)
        for row in status["commands"]:
            left, right = st.columns([1, 2], vertical_alignment="center")
            name = row["command"]
            if left.button(name, key=f"command_{name}", width="stretch"):
                command(flow, name)
            right.caption(row["text"])
        with st.form("command_box", border=False, clear_on_submit=True):
            typed = st.text_input("Command", placeholder="STATUS", max_chars=64)
            if st.form_submit_button("Send command") and typed.strip():
                command(flow, typed)
