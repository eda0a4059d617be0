"""Which lane a text would take, and why; no call is made, nothing is kept."""

from __future__ import annotations

import streamlit as st

from console.session import get_services
from console.widgets import LANE_WORDS, show_error
from console.words import plain
from lancelot.chat import ChatRequest, Message
from lancelot.errors import LancelotError

__all__ = ["dry_run"]


def dry_run() -> None:
    """The form, and the decision as it would fall at this moment."""
    st.caption("Which lane a text would take now, and why. No call is made, nothing is kept.")
    with st.form("dry", border=False):
        text = st.text_area("Text to try", height=110, key="dry_text")
        asked = st.form_submit_button("Explain", type="primary", icon=":material/quiz:")
    if not asked:
        return
    if not text.strip():
        st.warning("Write a text first.")
        return
    try:
        found = get_services().explain(ChatRequest(messages=[Message(role="user", content=text)]))
    except LancelotError as error:
        show_error(error)
        return
    score = f"{found['deep_score']:.2f}" if found["known"] else "unknown"
    lane, deep, risk, task = st.columns(4)
    lane.metric("Lane", LANE_WORDS.get(found["lane"], "none"))
    deep.metric("Need for deep, 0 to 1", score)
    risk.metric("Risk", found["risk"])
    task.metric("Kind of request", found["task"])
    if found["refusal"]:
        st.warning(f"It would be refused: {plain(found['refusal'])}", icon=":material/block:")
    if found["parked"]:
        st.info(f"It would wait for a person: the rule {plain(found['parked'])}.", icon=":material/front_hand:")
    st.markdown("\n".join(f"- {plain(reason)}" for reason in found["reasons"]))
