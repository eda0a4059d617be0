"""Another provider, address or key: tried out first, shown as a difference, put in force, brought back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from console.session import get_services, recall, remember
from console.settings.changing import tell
from console.widgets import show_diff, show_error
from lancelot.errors import LancelotError
from lancelot.onboarding.exchange import FlagshipWanted, Proposal

__all__ = ["another", "changes_before"]

PROPOSED = "change_flagship"
NEW, STORED, ENVIRONMENT, NONE = "a new key", "the stored key", "the environment", "no key"


def another(status: dict[str, Any]) -> str:
    """The form and its review; returns the provider that is looked at."""
    st.markdown("**Provider, address and key**")
    st.caption(
        "What you enter is tried out before anything changes: the provider is asked which models the key may use, free "
        "of charge. Until the new one works the old one stays, and it can be brought back."
    )
    chosen, sheets = status["flagship"], {sheet["name"]: sheet for sheet in status["providers"] or []}
    names = list(sheets)
    if chosen["provider"] not in sheets:
        st.warning("models.yaml does not list this provider any more: see **Files and history**.")
        return str(chosen["provider"])
    left, right = st.columns(2)
    name = left.selectbox(
        "Provider", names, names.index(chosen["provider"]), format_func=lambda one: sheets[one]["title"], key="provider"
    )
    name = name or chosen["provider"]
    source = right.selectbox("Its key", sources(sheets[name]), format_func=str.capitalize, key=f"key_source_{name}")
    with st.form("flagship", clear_on_submit=True):
        given: dict[str, Any] = {"provider": name, "use_stored": source == STORED}
        if name == "selfhosted":
            given["base_url"] = st.text_input(
                "Address of your server (leave empty for our own local service)",
                (chosen["base_url"] or "") if chosen["provider"] == name else "",
                placeholder="http://127.0.0.1:11434/v1",
            )
        if source == NEW:
            given["key"] = st.text_input("Key", type="password", autocomplete="off")
        elif source == ENVIRONMENT:
            given["env_name"] = sheets[name]["key_env"]
            st.caption(f"Taken from `{sheets[name]['key_env']}` where Lancelot runs.")
        if st.form_submit_button("Try it out and show what would change", type="primary"):
            try_out(given)
    review()
    return str(name)


def sources(sheet: dict[str, Any]) -> list[str]:
    """Where the provider's key may come from; the likeliest first."""
    possible = {
        NEW: True,
        STORED: sheet["stored"],
        ENVIRONMENT: sheet["in_environment"],
        NONE: not sheet["needs_key"],
    }
    found = [source for source, there in possible.items() if there]
    return sorted(found, key=lambda source: source != NONE) if sheet["name"] == "selfhosted" else found


def try_out(given: dict[str, Any]) -> None:
    """Ask the provider; what would do waits for *Put in force*, a refusal is told in place."""
    remember(PROPOSED, None)
    try:
        with st.spinner("Asking the provider, looking for what must not leave…"):
            remember(PROPOSED, get_services().onboarding.exchange.propose(FlagshipWanted.model_validate(given)))
    except LancelotError as refused:
        show_error(refused)


def review() -> None:
    """The difference of what is proposed; nothing when nothing is."""
    found = recall(PROPOSED, Proposal)
    if found is None:
        return
    with st.container(border=True):
        st.markdown(f"**The flagship would be {found.title}**")
        show_diff(found.diff, "Nothing: it is the one in use, and it works.")
        for line in found.found:
            st.caption(line)
        save, leave = st.columns(2)
        if save.button("Put in force", type="primary", key="save_flagship", disabled=not found.diff, width="stretch"):
            carry_out(lambda: get_services().onboarding.exchange.save(found.id))
        if leave.button("Leave it", key="leave_flagship", width="stretch"):
            remember(PROPOSED, None)
            st.rerun()


def carry_out(change: Any) -> None:
    try:
        said = change()
    except LancelotError as problem:
        show_error(problem)
        return
    remember(PROPOSED, None)
    tell(said)
    st.rerun()


def changes_before() -> None:
    """What was changed, newest first; the newest that stands can be taken back."""
    past = get_services().onboarding.exchange.past()
    if not past:
        return
    st.markdown("**Changes before**")
    newest = next((one.id for one in past if one.can_undo), None)
    for one in past:
        state = "taken back" if one.undone_at else "done"
        heading = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M} UTC · {state} · {one.why}"
        with st.expander(heading, key=f"flagship_{one.id}", on_change="rerun") as opened:
            if not opened.open:
                continue
            show_diff(one.diff, "No file was changed.")
            if one.id == newest and st.button(
                "Bring back what it replaced", key=f"back_{one.id}", icon=":material/undo:"
            ):
                carry_out(lambda: get_services().onboarding.exchange.back(newest))
