"""The set-up page as a whole: steps on the left, one question, live progress, recovery below."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.onboarding.acting import said
from console.onboarding.questions import QUESTIONS
from console.onboarding.recovery import recovery
from console.onboarding.repairs import history, repair, snapshots
from console.widgets import live, section
from lancelot.mending import Mending
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["render"]

MARKS = {
    "done": ":material/check_circle:",
    "current": ":material/radio_button_checked:",
    "waiting": ":material/hourglass_top:",
    "open": ":material/radio_button_unchecked:",
}
WORDS = {"done": "done", "current": "now", "waiting": "waiting", "open": "later"}
LOOK_EVERY_S = 1.0


def render(flow: OnboardingFlow, mending: Mending | None = None) -> None:
    """Draw the page from the flow's status; everything that lives longer than this run lives in the services."""
    status = flow.status()
    steps(status)
    header(status)
    said()
    for notice in status["notices"][-2:]:
        st.info(notice["text"], icon=":material/info:")
    if status["problem"] and not status["working"]:
        problem(status["problem"])
    QUESTIONS[status["state"]](flow, status)
    watch(flow, drawn(status))
    recovery(flow, status)
    if mending is not None:
        care(mending)


def care(mending: Mending) -> None:
    """Repair in steps, what was repaired before, and older set-ups to go back to; below the set-up itself."""
    st.subheader("Repair and history")
    names = ["Repair", "History of repairs", "Older set-ups"]
    for tab, draw in zip(st.tabs(names), (repair, history, snapshots), strict=True):
        with tab, section():
            draw(mending)


def steps(status: dict[str, Any]) -> None:
    """All steps with their state, in the sidebar."""
    with st.sidebar:
        st.markdown("**Set-up**")
        lines = [
            f"{MARKS[row['standing']]} {'**' if row['standing'] in ('current', 'waiting') else ''}{row['title']}"
            f"{'**' if row['standing'] in ('current', 'waiting') else ''} · {WORDS[row['standing']]}"
            for row in status["steps"]
        ]
        st.markdown("\n\n".join(lines))


def header(status: dict[str, Any]) -> None:
    """Where we are, in one line; on a phone this stands for the list of steps."""
    done = sum(row["standing"] == "done" for row in status["steps"])
    total = len(status["steps"])
    if status["ready"]:
        st.title("Lancelot is ready")
        return
    st.title(status["title"])
    st.progress(done / total, text=f"Step {min(done + 1, total)} of {total}")


def problem(found: dict[str, Any]) -> None:
    """What stopped the last attempt, in the same three fields as everywhere."""
    st.error(f"**{found['title']}** {found['hint']}\n\n`{found['code']}`", icon=":material/error:")


def drawn(status: dict[str, Any]) -> tuple[Any, ...]:
    """What the page depends on besides progress: when it changes, the page is drawn again."""
    found = status["problem"]
    return (status["state"], status["origin"], status["working"], found["at"] if found else None)


@live(LOOK_EVERY_S)
def watch(flow: OnboardingFlow, known: tuple[Any, ...]) -> None:
    """Live progress and countdown; follows what other tabs, the command line and the long work do."""
    status = flow.status()
    if drawn(status) != known:
        st.rerun()
    if status["working"] and status["progress"]:
        progress(status["progress"])
    cooldown = status["cooldown"]
    if cooldown:
        minutes, seconds = divmod(cooldown["remaining_s"], 60)
        st.metric("Time left", f"{minutes}:{seconds:02d}")
        served = 1.0 - cooldown["remaining_s"] / max(cooldown["length_s"], 1.0)
        st.progress(min(1.0, max(0.0, served)), text=f"Then {cooldown['returns_to']} goes on by itself.")


def progress(found: dict[str, Any]) -> None:
    """The sub-steps of the running work, and a bar where bytes are counted."""
    marks = {"done": MARKS["done"], "running": ":material/progress_activity:", "failed": ":material/error:"}
    for row in found["substeps"]:
        mark = marks.get(row["standing"], MARKS["open"])
        detail = f": {row['detail']}" if row["detail"] and row["standing"] != "open" else ""
        st.markdown(f"{mark} {row['title']}{detail}")
    if found["total"] and found["done"] is not None:
        st.progress(min(1.0, found["done"] / found["total"]), text=bytes_in_words(found))
    elif not found["substeps"]:
        st.markdown(found["detail"] or "Working…")
    st.caption("This goes on when you close the page.")


def bytes_in_words(found: dict[str, Any]) -> str:
    """“41.2 of 98.4 MB · 3.1 MB/s · 19 s left”."""
    words = f"{found['done'] / 1e6:.1f} of {found['total'] / 1e6:.1f} MB"
    if found["rate"]:
        words += f" · {found['rate'] / 1e6:.1f} MB/s"
    if found["eta"] is not None:
        words += f" · {found['eta']:.0f} s left"
    return words
