"""The files themselves: any edit, checked while it is made, with the difference before and the versions after."""

from __future__ import annotations

import streamlit as st

from console.session import get_services
from console.settings.changing import older_copies, propose, review
from console.widgets import show_error
from lancelot.changes import version_of

__all__ = ["files"]

WORDS = {
    "router.yaml": "The policy: what leaves, which brain, what it may cost.",
    "models.yaml": "Providers, their lanes, and what each model takes.",
    "prices.yaml": "What a million tokens cost, in US dollars.",
}
ROWS_PX = 420


def files() -> None:
    services = get_services()
    name = st.segmented_control("File", list(services.changes.names()), default="router.yaml", key="settings_file")
    name = name or "router.yaml"
    problem = services.config.problem
    if problem is not None:
        st.markdown("**The newest edit on disk is not in force; the version before it is:**")
        show_error(problem)
    text = services.changes.text(name)
    version = version_of(text)
    st.caption(f"{WORDS.get(name, '')} Lies in `{services.config.folder}`; an edit from outside is taken over too.")
    with st.form(f"text_{name}"):
        typed = st.text_area(f"Text of {name}", text, height=ROWS_PX, key=f"text_{name}_{version}")
        if st.form_submit_button("Check and show what would change", type="primary"):
            propose(f"file_{name}", lambda: services.changes.propose(name, typed or "", version))
    review(f"file_{name}")
    st.markdown("**Versions before**")
    older_copies(name)
