"""Local model: is it well, what runs, how good and how fast is it; restart, tune, examine."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from console.session import get_services, recall, remember
from console.widgets import empty_state, live, page_guard, show_error
from lancelot.errors import LancelotError
from local_models.tier import Tier

LOOK_EVERY_S = 1.0
LOG_LINES = 60
STATE_WORDS = {
    "absent": ":material/download: not installed",
    "stopped": ":material/stop_circle: stopped",
    "starting": ":material/hourglass_top: starting",
    "ready": ":material/check_circle: ready",
    "restarting": ":material/autorenew: restarting",
    "failed": ":material/error: failing",
    "external": ":material/lan: external service",
}
JOB_WORDS = {"exam": "The exam", "tune": "Tuning", "install": "The installation"}
SCORE_WORDS = {
    "classify": "share of right labels",
    "extract": "share of right fields",
    "redact": "spans found and rightly found",
    "summarize": "share of faithful summaries",
    "rewrite": "closeness to a good rewrite",
}


@live(LOOK_EVERY_S)
def service() -> None:
    """Live: state, format, memory, restarts, and the upkeep that runs."""
    services = get_services()
    found = services.local.status()
    st.markdown(f"#### {STATE_WORDS.get(found['state'], found['state'])}")
    if found.get("last_error"):
        st.warning(found["last_error"])
    st.caption(found.get("model_id") or found.get("base_url") or "no model yet")
    form, memory, restarts = st.columns(3)
    form.metric("Weight format", found.get("weight_format") or "-")
    memory.metric("Memory", f"{found['rss_mb']:.0f} MiB" if found.get("rss_mb") else "-")
    restarts.metric("Restarts", found.get("restarts", 0))
    job = services.upkeep.job
    running = services.upkeep.busy
    if recall("model_job", bool) and not running:
        remember("model_job", False)
        st.rerun()  # what came of it concerns the whole page
    remember("model_job", running)
    if job and job["running"]:
        share = job["done"] / job["total"] if job["total"] else None
        words = f"{JOB_WORDS.get(job['name'], job['name'])}: {job['detail']}"
        if share is None:
            st.markdown(f":material/progress_activity: {words}")
        elif job["name"] == "install":
            st.progress(share, text=f"{words} · {job['done'] / 1e6:.0f} of {job['total'] / 1e6:.0f} MB")
        else:
            st.progress(share, text=f"{words} · {job['done']} of {job['total']}")
    elif job and job["error"]:
        st.warning(f"{JOB_WORDS.get(job['name'], job['name'])} failed. {job['error']['title']} {job['error']['hint']}")


def actions() -> None:
    services = get_services()
    if services.local.external:
        st.caption("This service runs elsewhere; start and tune it there.")
        return
    restart, tune, exam, _ = st.columns([1, 1, 1, 2])
    busy = bool(services.upkeep.job and services.upkeep.job["running"])
    if restart.button("Restart", icon=":material/autorenew:", width="stretch"):
        services.local.start(again=True)
        st.toast("The local model is being restarted.")
    wanted = None
    if tune.button("Tune", icon=":material/speed:", disabled=busy, width="stretch"):
        wanted = "tune"
    if exam.button("Examine", icon=":material/school:", disabled=busy, width="stretch"):
        wanted = "exam"
    if wanted:
        try:
            services.upkeep.begin(wanted)
            st.toast("Started. It goes on when you close the page.")
        except LancelotError as error:
            show_error(error)


def exams() -> None:
    st.subheader("Exam")
    rows = get_services().upkeep.latest()
    if not rows:
        empty_state("No exam yet", "It is held in the background after the set-up, or now with *Examine*.")
        return
    flagged = get_services().upkeep.flagged()
    st.dataframe(
        pd.DataFrame(
            {
                "Task": [row["task"] for row in rows],
                "Score": [row["score"] for row in rows],
                "What it means": [SCORE_WORDS.get(row["task"], "") for row in rows],
                "Items": [row["items"] for row in rows],
                "Verdict": ["under its bar" if not row["data"].get("passed", True) else "passed" for row in rows],
                "p50 ms": [row["data"].get("p50_ms") for row in rows],
                "p95 ms": [row["data"].get("p95_ms") for row in rows],
                "Held": [row["time"] for row in rows],
            }
        ),
        hide_index=True,
        width="stretch",
        column_config={
            "Score": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.3f"),
            "Held": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    if flagged:
        st.info(
            f"Under their bar: {', '.join(sorted(flagged))}. Requests of this kind go to the fast lane; the utility "
            "routes still answer here, since their text must not leave, and say so."
        )
    with st.expander("Earlier exams"):
        for row in rows:
            scores = [past["score"] for past in get_services().upkeep.history(row["task"])]
            st.markdown(f"**{row['task']}**: " + ", ".join(f"{score:.3f}" for score in scores[:12]))


def tuning() -> None:
    st.subheader("Tuning")
    found = get_services().upkeep.tuning()
    if not found:
        empty_state(
            "Not tuned yet", "*Tune* measures the weight formats on this processor and keeps the fastest good one."
        )
        return
    st.caption(f"Measured on {found['cpu']}; llama.cpp {found['library']}.")
    st.dataframe(pd.DataFrame([format_row(row) for row in found["formats"]]), hide_index=True, width="stretch")


def format_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "Format": row["format"],
        "Size": f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "-",
        "Reading, tokens/s": row["prefill_tps"],
        "Writing, tokens/s": row["decode_tps"],
        "Verdict": row["verdict"],
    }


def models() -> None:
    """All tiers, and the way from one to another."""
    services = get_services()
    st.subheader("Models")
    rows = services.tiers.rows()
    chosen = next(row for row in rows if row.chosen)
    st.markdown(
        f"**{chosen.id}** by {chosen.publisher}, [{chosen.licence}]({chosen.licence_url}), "
        f"{(chosen.bytes or 0) / 1e6:.1f} MB, SHA-256 `{chosen.sha256}`"
    )
    st.dataframe(pd.DataFrame([tier_row(row) for row in rows]), hide_index=True, width="stretch")
    others = {row.id: row for row in rows if row.installable and not row.chosen}
    if services.local.external:
        return
    if not others:
        st.caption("No other model can be installed yet: the others are candidates, each lacks what the table says.")
        return
    picked = others[
        st.selectbox("Another model", list(others), format_func=lambda name: others[name].title, key="other_tier")
    ]
    agreed = picked.state == "installed" or st.checkbox(
        f"I agree to install {picked.id} under [{picked.licence}]({picked.licence_url}); "
        f"{(picked.bytes or 0) / 1e6:.0f} MB are downloaded.",
        key=f"consent_{picked.id}",
    )
    words = "Use it" if picked.state == "installed" else "Install and use it"
    if st.button(words, icon=":material/swap_horiz:", disabled=services.upkeep.busy or not agreed, key="take_tier"):
        try:
            services.local.begin_tier(picked.id, consent=agreed, fetch=picked.state != "installed")
            st.toast("Started. The present model works on until the other one has answered known questions.")
        except LancelotError as error:
            show_error(error)


def tier_row(row: Tier) -> dict[str, Any]:
    return {
        "Model": row.title,
        "Size": f"{row.bytes / 1e6:.0f} MB" if row.bytes else "unknown",
        "Memory": f"{row.min_memory_mb} MB",
        "Licence": row.licence,
        "For": row.recommended,
        "Standing": row.standing,
    }


def log_tail() -> None:
    services = get_services()
    if services.local.external:
        return
    with st.expander("Log"):
        lines = services.supervisor.log_tail(LOG_LINES)
        st.code("\n".join(lines) or "The log is empty.", language=None)


with page_guard():
    st.title("Local model")
    st.caption(
        "The brain on this machine: it classifies, extracts, summarizes, redacts and rewrites, and costs nothing."
    )
    service()
    actions()
    exams()
    tuning()
    models()
    log_tail()
