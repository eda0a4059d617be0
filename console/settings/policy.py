"""Policy: what is hidden, which brain answers, what escalates; the rules themselves are text, under *Files*."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import streamlit as st

from console.session import get_services
from console.settings.changing import propose, review
from lancelot.changes import version_of
from lancelot.config_edit import Path, Value
from lancelot.config_router import EscalateOn, RouterConfig, SpanLabel

__all__ = ["policy"]

NAME = "router.yaml"


class Field(NamedTuple):
    """One value of router.yaml as a form shows it: its path, its words, how it is entered."""

    path: Path
    label: str
    words: str
    kind: str  # choice | switch | share | whole | seconds | several
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 1


GROUPS: dict[str, tuple[Field, ...]] = {
    "What leaves": (
        Field(
            ("redaction_mode",),
            "How it is looked for",
            "fast: rules and the name tagger; thorough: the local model too (slower); rules: rules alone",
            "choice",
            ("fast", "thorough", "rules"),
        ),
        Field(("redaction_policy",), "Policy", "Used when a request names none", "choice"),
        Field(
            ("blocked_labels",),
            "Stays here altogether",
            "A request with one of these never leaves, although it would be masked",
            "several",
            get_args(SpanLabel),
        ),
        Field(("previews",), "Keep a masked preview in receipts", "Off: receipts hold no text at all", "switch"),
    ),
    "Which brain": (
        Field(("thresholds", "deep_score"), "Deep from", "From this score on a request goes deep", "share"),
        Field(("thresholds", "local"), "Local up to", "Under this score the local model may answer", "share"),
        Field(
            ("thresholds", "unknown_lane"),
            "When nobody can say",
            "Where a request goes whose score is unknown",
            "choice",
            ("fast", "deep"),
        ),
        Field(("classify",), "Ask the local model for the kind of request", "At most once a request", "switch"),
        Field(
            ("compare_local",),
            "Let the local model answer too",
            "Where it can; when the two disagree, the request escalates",
            "switch",
        ),
    ),
    "When the first answer does not do": (
        Field(("escalation", "on"), "Goes one lane up on", "Signals of an answer", "several", get_args(EscalateOn)),
        Field(("thresholds", "cascade"), "From this score on", "Under it the first answer stands", "share"),
        Field(("max_attempts",), "Brains a request may ask, at most", "1 to 10", "whole", (), 1, 10),
        Field(("deadline_s",), "Seconds a request may take, at most", "Retries included", "whole", (), 1, 3600),
        Field(("utility_deadline_s",), "Seconds a utility task may take, at most", "Local model", "whole", (), 1, 3600),
    ),
}


def policy() -> None:
    services = get_services()
    config = services.config.current.router
    version = version_of(services.changes.text(NAME))
    given: dict[Path, Value] = {}
    with st.form("policy"):
        for title, fields in GROUPS.items():
            st.markdown(f"**{title}**")
            columns = st.columns(2)
            for place, field in enumerate(fields):
                with columns[place % 2]:
                    given |= entered(field, config, version)
        if st.form_submit_button("Show what would change", type="primary"):
            propose("policy", lambda: services.changes.propose_values(NAME, given))
    review("policy")
    rules = {"keep here": config.keep_local, "risk": config.risk_rules, "lane": config.lane_rules, "wait": config.park}
    counted = ", ".join(f"{len(found)} {name}" for name, found in rules.items())
    st.caption(f"Rules of your own: {counted}. They are text: see **Files and history**; **Router** tries them out.")


def entered(field: Field, config: RouterConfig, version: str) -> dict[Path, Value]:
    """Draw one field; the edit, when the person changed it."""
    old = value_at(config, field.path)
    key = f"policy_{'_'.join(field.path)}_{version}"
    new: Any
    if field.kind == "choice":
        choices = field.choices or tuple(config.redaction.policies)
        new = st.selectbox(field.label, choices, choices.index(old), help=field.words, key=key)
    elif field.kind == "several":
        new = st.multiselect(field.label, field.choices, list(old), help=field.words, placeholder="none", key=key)
    elif field.kind == "switch":
        new = st.toggle(field.label, bool(old), help=field.words, key=key)
    elif field.kind == "share":
        new = round(st.slider(field.label, 0.0, 1.0, float(old), 0.01, help=field.words, key=key), 4)
    else:
        new = st.number_input(field.label, field.low, field.high, int(old), 1, help=field.words, key=key)
    same = list(new) == list(old) if field.kind == "several" else new == old
    return {} if same else {field.path: new}


def value_at(config: RouterConfig, path: Path) -> Any:
    """The value in force under a path."""
    found: Any = config
    for name in path:
        found = getattr(found, name)
    return found
