"""What a standing rule covers, as fields; and what it would have done to the past."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from console.approvals.words import RISKS
from console.session import demo_shown, get_services
from console.tables import show_table
from lancelot.approvals import Scope
from lancelot.approvals.rules import LookBack
from lancelot.store.assessed import past_requests

__all__ = ["look_back", "scope_fields"]

LOOK_BACK = 10_000
PARTS = ("tools", "tasks", "risks")


def scope_fields(start: Scope, key: str, *, narrowing: bool = False) -> Scope:
    """Fields that begin at a scope; returns the scope as they stand.

    Args:
        narrowing: offer only what is inside `start`.
    """
    key_id, rule = start.key_id, start.rule
    if not narrowing:
        if key_id is not None and not st.checkbox(f"Only requests of key {key_id}", True, key=f"{key}_key"):
            key_id = None
        if rule is not None and not st.checkbox(f"Only what the rule {rule} stops", True, key=f"{key}_rule"):
            rule = None
    tools = st.text_input(
        "Tools it may call",
        ", ".join(start.tools),
        key=f"{key}_tools",
        placeholder="any tools",
        help="Names with commas between; * stands for any characters. Every tool of a request must match.",
    )
    left, right = st.columns(2)
    tasks = left.multiselect(
        "Kinds of request", list(start.tasks), list(start.tasks), key=f"{key}_tasks",
        placeholder="any kind", accept_new_options=not narrowing or not start.tasks,
    )  # fmt: skip
    allowed = list(start.risks) if narrowing and start.risks else RISKS
    risks = right.multiselect("Risk", allowed, list(start.risks), key=f"{key}_risks", placeholder="any risk")
    names = tuple(name.strip() for name in tools.split(",") if name.strip())
    return Scope(key_id=key_id, rule=rule, tools=names, tasks=tuple(tasks), risks=tuple(risks))


def look_back(scope: Scope, key: str) -> None:
    """Which past requests a rule of this scope would have let through."""
    found = _found(scope.model_dump_json(), demo_shown())
    if not found.looked_at or found.since is None:
        st.caption("Look-back: there are no past requests to compare with yet.")
        return
    st.markdown(
        f"**Look-back:** of the newest {found.looked_at:,} requests (since {found.since:%Y-%m-%d %H:%M} UTC) "
        f"this rule would have let **{found.matched:,}** through without asking."
    )
    if not found.newest:
        return
    with st.expander(f"The newest {len(found.newest)} of them"):
        table = pd.DataFrame(
            {
                "Time": [match.at for match in found.newest],
                "Who": [match.who for match in found.newest],
                "Tools": [", ".join(match.tools) or "none" for match in found.newest],
                "Kind": [match.task for match in found.newest],
                "Risk": [match.risk for match in found.newest],
                "Receipt": [match.receipt_id for match in found.newest],
            }
        )
        show_table(table, {"Time": "time", "Receipt": "receipt"}, key=f"{key}_past")


@st.cache_data(ttl=30, max_entries=32, show_spinner="Looking back over past requests…")
def _found(scope: str, demo: bool) -> LookBack:
    services = get_services()
    past = past_requests(services.receipts, most=LOOK_BACK)
    return services.approvals.look_back(Scope.model_validate_json(scope), past)
