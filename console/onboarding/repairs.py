"""Repair as four steps a person can follow: look, read the plan and its difference, apply it, see it checked again."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from console.onboarding.acting import tell
from console.session import recall, remember
from console.tables import show_table
from console.widgets import ago, show_diff, show_error
from lancelot.errors import LancelotError
from lancelot.mending import Found, Mending, Snapshot
from lancelot.repair import Past

__all__ = ["history", "repair", "snapshots"]


def repair(mending: Mending) -> None:
    """What the last look found, kept by the service; a button looks again."""
    if st.button("Look for faults", key="look_for_faults", type="primary", icon=":material/troubleshoot:"):
        with st.spinner("Every check runs once; this takes a few seconds…"):
            mending.look()
    found = mending.found
    if not found:
        st.caption("Looking changes nothing. Each fault gets a plan first; nothing is done before you say so.")
        return
    bad = [one for one in found if not one.outcome.ok]
    when = ago(datetime.fromtimestamp(max(one.at for one in found), UTC))
    if not bad:
        st.success(f"All {len(found)} checks pass (looked {when} ago).", icon=":material/check_circle:")
    else:
        st.warning(f"{len(bad)} of {len(found)} checks fail (looked {when} ago).", icon=":material/warning:")
    for one in found:
        if one.plan is not None:
            with st.container(border=True):
                fault(mending, one)
    with st.expander("Every check"):
        table = pd.DataFrame(
            {
                "Check": [one.outcome.title for one in found],
                "Result": ["passes" if one.outcome.ok else "fails" for one in found],
                "In words": [one.outcome.detail for one in found],
                "Took": [one.outcome.took_ms for one in found],
            }
        )
        show_table(table, {"Took": "ms"}, key="every_check")


def fault(mending: Mending, found: Found) -> None:
    """One fault: the finding, the plan, what would change, and afterwards what the check says."""
    outcome, plan = found.outcome, found.plan
    assert plan is not None
    st.markdown(f"**{outcome.title}**")
    st.text(plan.finding)
    if found.done is not None:
        told = st.success if outcome.ok else st.error
        told(f"{'Checked again: passes.' if outcome.ok else 'Checked again: still fails.'} {outcome.detail}")
        return
    if not plan.steps:
        st.markdown(f"Only you can do this: {outcome.fix or 'see the finding.'}")
        return
    st.markdown("\n".join(f"{number}. {step}" for number, step in enumerate(plan.steps, 1)))
    show_diff(plan.diff, "What it will change cannot be told before it is done.")
    if st.button(f"Apply: {outcome.title}", key=f"apply_{outcome.name}"):
        with st.spinner("Copying, applying, checking again…"):
            try:
                mending.apply(outcome.name)
            except LancelotError as problem:
                show_error(problem)
                return
        st.rerun()


def history(mending: Mending) -> None:
    """What was repaired, reset and restored, newest first, each with its difference and a way back."""
    past = mending.history()
    if not past:
        st.caption("Nothing has been repaired, reset or restored yet.")
        return
    for one in past:
        with st.expander(headline(one), key=f"past_{one.id}", on_change="rerun") as opened:
            if opened.open:  # a difference is drawn only for who reads it
                entry(mending, one)


def headline(one: Past) -> str:
    when = datetime.fromtimestamp(one.at, UTC)
    state = "undone" if one.undone_at else {True: "repaired", False: "still failing", None: "done"}[one.fixed]
    return f"{when:%Y-%m-%d %H:%M} UTC · {state} · {one.why}"


def entry(mending: Mending, one: Past) -> None:
    for number, step in enumerate(one.steps, 1):
        st.markdown(f"{number}. {step}")
    if one.detail:
        st.text(one.detail)
    show_diff(one.diff, "No file was changed.")
    if one.undone_at:
        st.caption(f"Undone {ago(datetime.fromtimestamp(one.undone_at, UTC))} ago.")
    elif one.can_undo and st.button("Undo", key=f"undo_{one.id}", icon=":material/undo:"):
        try:
            told = mending.undo(one.id)
        except LancelotError as problem:
            show_error(problem)
            return
        tell("success", told)
        st.rerun()


def snapshots(mending: Mending) -> None:
    """The older copies of the set-up record; restoring one is asked twice and can be undone."""
    found = mending.snapshots()
    if not found:
        st.caption("No older copy yet: every change of the set-up keeps one, five at most.")
        return
    st.caption("Only what still holds on this machine comes back: a key or model that is gone is asked for again.")
    for one in found:
        when = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M:%S} UTC" if one.at else "time unknown"
        heading = f"Revision {one.revision} · {one.state} · {when}"
        with st.expander(heading, key=f"older_{one.revision}", on_change="rerun") as opened:
            if opened.open:
                older(mending, one)


def older(mending: Mending, one: Snapshot) -> None:
    show_diff(one.diff, "The same as now.")
    if st.button("Restore this one", key=f"restore_{one.revision}", icon=":material/settings_backup_restore:"):
        remember("restoring", one.revision)
    if recall("restoring", int) == one.revision:
        confirm(mending, one.revision)


def confirm(mending: Mending, revision: int) -> None:
    st.warning("Lancelot goes back to this state; while it is not READY, requests are refused. *Undo* takes it back.")
    if st.button("Yes, restore it", key=f"restore_yes_{revision}", type="primary"):
        remember("restoring", None)
        try:
            told = mending.restore(revision)
        except LancelotError as problem:
            show_error(problem)
            return
        tell("success", told)
        st.rerun()
