"""From a button to the flow and back: hand in an answer or a command, and say what came of it after the next draw."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.session import recall, remember
from console.widgets import show_error
from lancelot.errors import LancelotError
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["command", "hand_in", "said"]


def hand_in(flow: OnboardingFlow, state: str, values: dict[str, Any]) -> None:
    """Submit the step's answer and draw the page again; an error is shown in place."""
    try:
        with st.spinner("One moment…"):
            answer = flow.submit(state, values)
    except LancelotError as refused:
        if flow.snapshot.problem is None or flow.snapshot.problem.code != refused.code:
            show_error(refused)
            return
        st.rerun()  # the flow keeps this problem, so every tab shows it
    remember("setup_said", ("info", str(answer["note"])) if answer.get("note") else None)
    st.rerun()


def command(flow: OnboardingFlow, name: str, confirm: bool = False) -> None:
    """Give one of the commands and draw the page again with what it said."""
    try:
        with st.spinner("One moment…"):
            answer = flow.command(name, confirm)
    except LancelotError as refused:
        remember("setup_said", ("error", f"**{refused.title}** {refused.hint}"))
        st.rerun()
    remember("setup_confirm", answer["needs_confirm"])
    lines = [answer["text"]]
    for repair in answer["repairs"]:
        plan = " ".join(repair["plan"]) or "Only you can do this."
        lines.append(f"- {repair['finding']} *Plan:* {plan} *Afterwards:* {repair['detail']}")
    remember("setup_said", ("success" if answer["done"] else "info", "\n".join(lines)))
    st.rerun()


def said() -> None:
    """What the last action answered; shown once."""
    told = recall("setup_said", tuple)
    remember("setup_said", None)
    if told:
        kind, text = told
        {"error": st.error, "success": st.success}.get(kind, st.info)(text)
