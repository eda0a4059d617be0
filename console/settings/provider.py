"""The flagship: which provider, where its key is, which model on each lane; and another one in its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from console.session import get_services, recall, remember
from console.settings.changing import propose, review
from console.settings.flagship import another, changes_before
from console.widgets import ago, empty_state
from lancelot.changes import Change, version_of
from lancelot.config import AUTO, ProviderEntry
from lancelot.config_edit import Path, Value
from lancelot.errors import LancelotError

__all__ = ["provider"]

NAME = "models.yaml"
KEY_WORDS = {
    "stored": "stored in a file that only you can read",
    "environment": "taken from the environment",
    "none": "none is needed",
}


def provider() -> None:
    status = get_services().onboarding.status()
    chosen = status["flagship"]
    if chosen is None:
        empty_state("No flagship yet", "The set-up asks for it.", ":material/flag:")
        st.page_link("onboarding/page.py", label="Go on with the set-up", icon=":material/flag:")
        return
    facts(chosen, status["credentials"])
    looked_at = chosen["provider"]
    if status["ready"]:
        looked_at = another(status)
    else:
        st.page_link("onboarding/page.py", label="Another one is chosen in the set-up", icon=":material/flag:")
    lanes(looked_at, in_use=looked_at == chosen["provider"])
    review("provider")
    changes_before()


def facts(chosen: dict[str, Any], key: dict[str, Any] | None) -> None:
    st.markdown(f"#### {chosen['title']}")
    if chosen["base_url"]:
        st.caption(f"At {chosen['base_url']}")
    if key is None:
        return
    source = KEY_WORDS.get(key["source"], key["source"])
    name = f" ({key['env_name']})" if key["env_name"] else ""
    shown = f" `{key['mask']}`" if key["mask"] else ""
    when = f", checked {ago(datetime.fromtimestamp(key['verified_at'], UTC))} ago" if key["verified_at"] else ""
    st.markdown(f":material/key: Key{shown}: {source}{name}{when if key['verified'] else ', not verified'}.")


def lanes(name: str, *, in_use: bool) -> None:
    """Which model each lane uses; for the provider in use its models are asked for first."""
    services = get_services()
    config = services.config.current.models
    entry = config.providers.get(name)
    if entry is None:
        st.warning(f"{NAME} lists no provider {name} any more.")
        return
    known = [model for model, facts in config.models.items() if facts.provider == name]
    if name == "selfhosted":
        known = [AUTO, *known]
    version = version_of(services.changes.text(NAME))
    given: dict[Path, Value] = {}
    st.markdown("**Its models**")
    with st.form("lanes"):
        columns = st.columns(2)
        for column, lane in zip(columns, ("fast", "deep"), strict=True):
            old = getattr(entry, lane)
            choices = known if old in known else [old, *known]
            new = column.selectbox(
                f"Model of the {lane} lane",
                choices,
                choices.index(old),
                format_func=lambda model: words_of(config, model),
                key=f"lane_{name}_{lane}_{version}",
            )
            if new != old:
                given[("providers", name, lane)] = new
        st.caption("A model that is not listed is added under `models` in models.yaml: see **Files and history**.")
        if st.form_submit_button("Show what would change", type="primary"):
            propose("provider", lambda: checked(given, entry, in_use))
    if said := recall("lanes_said", str):
        st.caption(said)


def checked(given: dict[Path, Value], entry: ProviderEntry, in_use: bool) -> Change:
    """The change, with why it would not do when the key in use may use neither model."""
    services = get_services()
    change = services.changes.propose_values(NAME, given)
    models = [str(next((value for path, value in given.items() if path[-1] == lane), getattr(entry, lane)))
              for lane in ("fast", "deep")]  # fmt: skip
    remember("lanes_said", "")
    if not in_use or change.problem is not None:
        return change
    try:
        remember("lanes_said", services.onboarding.exchange.lanes(*models))
    except LancelotError as refused:
        return replace(change, problem=refused)
    return change


def words_of(config: Any, model: str) -> str:
    """The model's id, and until when it is offered where that is known."""
    if model == AUTO:
        return "auto: what the server offers"
    facts = config.models.get(model)
    end = getattr(facts, "deprecated_on", None)
    return f"{model} (withdrawn on {end})" if end else model
