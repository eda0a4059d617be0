"""Every change goes the same way: a form or a text proposes it, the difference is shown, then it is saved or left."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from console.session import get_services, recall, remember
from console.widgets import ago, show_diff, show_error
from lancelot.changes import Change
from lancelot.errors import LancelotError

__all__ = ["older_copies", "propose", "review", "said", "tell"]


def propose(part: str, make: Callable[[], Change]) -> None:
    """Keep what a form proposes, for the review below it; a proposal that cannot even be made is told in place."""
    try:
        remember(f"change_{part}", make())
    except LancelotError as problem:
        remember(f"change_{part}", None)
        show_error(problem)


def review(part: str) -> None:
    """The difference of what is proposed, with *Save* and *Leave it*; nothing when nothing is."""
    change = recall(f"change_{part}", Change)
    if change is None:
        return
    with st.container(border=True):
        st.markdown(f"**What would change in {change.name}**")
        show_diff(change.diff, "Nothing: the values are the ones in force.")
        if change.problem is not None:
            show_error(change.problem)
        save, leave = st.columns(2)
        blocked = change.problem is not None or change.is_empty
        if save.button("Save", type="primary", key=f"save_{part}", disabled=blocked, width="stretch"):
            _save(part, change)
        if leave.button("Leave it", key=f"leave_{part}", width="stretch"):
            remember(f"change_{part}", None)
            st.rerun()


def _save(part: str, change: Change) -> None:
    try:
        get_services().changes.save(change)
    except LancelotError as problem:
        show_error(problem)
        return
    remember(f"change_{part}", None)
    tell(f"{change.name} is saved and in force. *Undo* is under **Files and history**.")
    st.rerun()


def older_copies(name: str) -> None:
    """The versions before, newest first, each with what putting it back would change."""
    found = get_services().changes.older(name)
    if not found:
        st.caption("No older version yet: the first save keeps one.")
        return
    if st.button("Undo the last save", key=f"undo_{name}", icon=":material/undo:"):
        _put_back(name, 1)
    for copy in found:
        heading = f"Version {copy.number} before this one, replaced {ago(copy.at)} ago"
        with st.expander(heading, key=f"copy_{name}_{copy.number}", on_change="rerun") as opened:
            if not opened.open:
                continue
            show_diff(copy.diff, "The same as what is in force.")
            if copy.diff and st.button("Put it back", key=f"put_back_{name}_{copy.number}"):
                _put_back(name, copy.number)


def _put_back(name: str, number: int) -> None:
    try:
        get_services().changes.put_back(name, number)
    except LancelotError as problem:
        show_error(problem)
        return
    tell(f"The older version of {name} is in force again.")
    st.rerun()


def tell(words: str) -> None:
    """Say something after the next draw, once."""
    remember("settings_said", words)


def said() -> None:
    """What the last action came to."""
    words = recall("settings_said", str)
    if words:
        remember("settings_said", None)
        st.success(words, icon=":material/check_circle:")
