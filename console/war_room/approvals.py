"""Approvals: what waits for a person, decided once, always or not at all; and the standing rules."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from console.approvals.card import after, card, told
from console.approvals.rules_list import rules_list
from console.approvals.words import STATE_WORDS
from console.session import get_services
from console.tables import show_table
from console.widgets import ago, empty_state, live, page_guard
from lancelot.approvals import Approval, State
from lancelot.errors import NotFound

LOOK_EVERY_S = 2.0
CARDS = 20
SHOWN = 100
VIEWS = ["Waiting", "Decided", "Standing rules"]


def in_turn() -> list[Approval]:
    """What waits, the oldest first: what comes new pushes no form away."""
    return get_services().approvals.list(State.PENDING)[::-1]


@live(LOOK_EVERY_S)
def watch(drawn: list[str]) -> None:
    """How many wait, live; the page is drawn again when something new waits, so that no form is swept away without."""
    waiting = in_turn()
    if [one.id for one in waiting] != drawn:
        st.rerun()
    if waiting:
        st.caption(
            f"{len(waiting):,} {'waits' if len(waiting) == 1 else 'wait'}, the oldest for {ago(waiting[0].created_at)}."
        )


def queue() -> None:
    waiting = in_turn()
    watch([one.id for one in waiting])
    if not waiting:
        empty_state(
            "Nothing waits",
            "Requests that a rule stops, and agents that ask first, appear here. Nothing is ever approved by waiting.",
            ":material/task_alt:",
        )
    for approval in waiting[:CARDS]:
        with st.container(border=True):
            card(approval)
    if len(waiting) > CARDS:
        st.caption(f"{len(waiting) - CARDS:,} more follow when these are decided.")


def decided() -> None:
    found = [one for one in get_services().approvals.list() if one.state is not State.PENDING][:SHOWN]
    if not found:
        empty_state("Nothing decided yet", "Every decision stays here and leaves a receipt.", ":material/history:")
        return
    table = pd.DataFrame(
        {
            "Asked": [one.created_at for one in found],
            "Who": [one.ask.who for one in found],
            "What": [one.ask.what for one in found],
            "Risk": [one.ask.risk for one in found],
            "State": [STATE_WORDS[one.state] for one in found],
            "Decided": [one.decided_at for one in found],
            "By": [one.decided_by or "nobody" for one in found],
            "Changed": ["arguments" if one.edited else "" for one in found],
            "Note": [one.note for one in found],
        }
    )
    st.caption("Choose a row to see the whole of it.")
    rows = show_table(table, {"Asked": "time", "Decided": "time"}, key="approvals_decided", select=True)
    if rows:
        st.query_params["id"] = found[rows[0]].id
        st.rerun()


def one(approval_id: str) -> None:
    if st.button("All approvals", icon=":material/arrow_back:"):
        del st.query_params["id"]
        st.rerun()
    try:
        approval = get_services().approvals.get(approval_id)
    except NotFound:
        empty_state("No such approval", "The id in the address is not known here, or was let go long after its end.")
        return
    with st.container(border=True):
        if approval.state is State.PENDING:
            card(approval)
        else:
            told(approval)
            after(approval)


with page_guard():
    st.title("Approvals")
    wanted = st.query_params.get("id")
    if wanted is not None:
        one(wanted)
    else:
        view = st.segmented_control(
            "Show", VIEWS, default=VIEWS[0], required=True, key="approvals_view", label_visibility="collapsed"
        )
        {"Waiting": queue, "Decided": decided, "Standing rules": rules_list}[view or VIEWS[0]]()
