"""The flagship: which provider, which model on each lane, where its key is; another one goes through the set-up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from console.session import get_services
from console.settings.changing import propose, review
from console.widgets import ago, empty_state
from lancelot.changes import version_of
from lancelot.config import AUTO
from lancelot.config_edit import Path, Value

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
    lanes(chosen["provider"])
    review("provider")
    st.markdown("**Another provider, or another key**")
    st.caption(
        "The set-up asks again and checks the new key before it is used. *Reset onboarding* keeps receipts, the local "
        "model and stored keys; *Undo* brings the present set-up back."
    )
    st.page_link("onboarding/page.py", label="Open set-up & recovery", icon=":material/flag:")


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


def lanes(name: str) -> None:
    """Which model each lane uses."""
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
            propose("provider", lambda: services.changes.propose_values(NAME, given))


def words_of(config: Any, model: str) -> str:
    """The model's id, and until when it is offered where that is known."""
    if model == AUTO:
        return "auto: what the server offers"
    facts = config.models.get(model)
    end = getattr(facts, "deprecated_on", None)
    return f"{model} (withdrawn on {end})" if end else model
