"""From a button to the flow and back: hand in an answer or a command, and say what came of it after the next draw."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from console.session import recall, remember
from console.widgets import show_error
from lancelot.errors import LancelotError
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["command", "hand_in", "said"]

SHOWN_S = 30.0


def hand_in(flow: OnboardingFlow, state: str, values: dict[str, Any]) -> None:
    """Submit the step's answer and draw the page again; an error is shown in place."""
    tell("info", "")
    try:
        with st.spinner("One moment…"):
            answer = flow.submit(state, values)
    except LancelotError as refused:
        if flow.snapshot.problem is None or flow.snapshot.problem.code != refused.code:
            show_error(refused)
            return
        st.rerun()  # the flow keeps this problem, so every tab shows it
    tell("info", str(answer.get("note") or ""))
    st.rerun()


def command(flow: OnboardingFlow, name: str, confirm: bool = False) -> None:
    """Give one of the commands and draw the page again with what it said."""
    try:
        with st.spinner("One moment…"):
            answer = flow.command(name, confirm)
    except LancelotError as refused:
        tell("error", f"**{refused.title}** {refused.hint}")
        st.rerun()
    remember("setup_confirm", answer["needs_confirm"])
    lines = [answer["text"]]
    for repair in answer["repairs"]:
        plan = " ".join(repair["plan"]) or "Only you can do this."
        lines.append(f"- {repair['finding']} *Plan:* {plan} *Afterwards:* {repair['detail']}")
    tell("success" if answer["done"] else "info", "\n".join(lines))
    st.rerun()


def tell(kind: str, text: str) -> None:
    """Keep a message for the next draws of this tab; an empty one takes the old one away."""
    remember("setup_said", (kind, text, time.monotonic() + SHOWN_S) if text else None)


def said() -> None:
    """What the last action answered: shown until the next one, for half a minute at most (pages redraw themselves)."""
    told = recall("setup_said", tuple)
    if told and time.monotonic() < told[2]:
        kind, text, _ = told
        {"error": st.error, "success": st.success}.get(kind, st.info)(text)
