"""The standing rules: what each covers, how much of it is used up; narrowed or revoked in place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import streamlit as st

from console.approvals.scope_form import look_back, scope_fields
from console.approvals.words import rule_words
from console.session import get_services
from console.widgets import empty_state, show_error
from console.words import plain
from lancelot.approvals import StandingRule
from lancelot.errors import LancelotError

__all__ = ["rules_list"]

NARROWING = "approval_narrow"
ENDED_SHOWN = 20


def rules_list() -> None:
    """The rules in force, then those that have ended."""
    found = get_services().approvals.rules()
    now = datetime.now(UTC)
    alive = [rule for rule in found if rule.alive(now)]
    if not alive:
        empty_state(
            "No standing rules",
            "*Allow always* on something that waits makes one; it expires, and has a cap on its uses.",
            ":material/rule:",
        )
    for rule in alive:
        with st.container(border=True):
            _one(rule)
    ended = [rule for rule in found if not rule.alive(now)][:ENDED_SHOWN]
    if ended:
        with st.expander(f"Ended rules ({len(ended)})"):
            for rule in ended:
                st.markdown(f"**{plain(rule.scope.words())}**  \n{rule_words(rule)}")


def _one(rule: StandingRule) -> None:
    st.markdown(f"**{plain(rule.scope.words())}**")
    note = f" · {plain(rule.note)}" if rule.note else ""
    st.caption(f"{rule_words(rule)} · made by {plain(rule.created_by)}{note}")
    with st.container(horizontal=True):
        if st.button("Narrow…", key=f"narrow_{rule.id}", icon=":material/compress:"):
            st.session_state[NARROWING] = rule.id
        if st.button("Revoke", key=f"revoke_{rule.id}", icon=":material/block:"):
            _change("Revoked. Such requests wait for a person again.", lambda: get_services().approvals.revoke(rule.id))
    if st.session_state.get(NARROWING) == rule.id:
        with st.container(border=True):
            _narrow(rule)


def _narrow(rule: StandingRule) -> None:
    scope = scope_fields(rule.scope, f"narrowing_{rule.id}", narrowing=True)
    left = max(1, -(-int((rule.expires_at - datetime.now(UTC)).total_seconds()) // 3600))
    hours, uses = st.columns(2)
    for_hours = hours.number_input("Holds for another, hours", 1, left, left, key=f"narrow_hours_{rule.id}")
    most = uses.number_input(
        "Times it may be used, all in all", 1, rule.max_uses, rule.max_uses, key=f"narrow_uses_{rule.id}"
    )
    if not scope.is_empty():
        st.info(plain(scope.words()), icon=":material/rule:")
        look_back(scope, f"narrowing_{rule.id}")
    with st.container(horizontal=True):
        if st.button("Narrow the rule", key=f"narrowed_{rule.id}", type="primary"):
            ends = None if for_hours == left else datetime.now(UTC) + timedelta(hours=for_hours)
            _change(
                "Narrowed. The change is a receipt.",
                lambda: get_services().approvals.narrow(rule.id, scope=scope, expires_at=ends, max_uses=int(most)),
            )
        if st.button("Leave it", key=f"unnarrow_{rule.id}"):
            del st.session_state[NARROWING]
            st.rerun()


def _change(words: str, change: Callable[[], object]) -> None:
    try:
        change()
    except LancelotError as error:
        show_error(error)
        return
    st.session_state.pop(NARROWING, None)
    st.toast(words, icon=":material/receipt_long:")
    st.rerun()
