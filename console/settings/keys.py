"""Who may call: application keys with their lanes and budgets, and the operator's own token."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import streamlit as st

from console.session import get_services, recall, remember
from console.settings.changing import tell
from console.tables import show_table
from console.widgets import empty_state, show_error
from lancelot.errors import LancelotError
from lancelot.keys import LANES, AppKey

__all__ = ["keys", "token"]


def keys() -> None:
    st.caption(
        "One key for each application: it may use the lanes you say, and spend no more than you say. The secret is "
        "shown once, when the key is made; here only its fingerprint is kept."
    )
    found = get_services().keys.all()
    if found:
        listing(found)
        revoke([key for key in found if key.revoked is None])
    else:
        empty_state("No application key yet", "Until then only the operator's token opens the gateway.")
    add()


def listing(found: list[AppKey]) -> None:
    services = get_services()
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    spent = {key.id: services.usage.spent(month, key.id) for key in found}
    table = pd.DataFrame(
        {
            "Name": [key.name for key in found],
            "State": ["in use" if key.revoked is None else "revoked" for key in found],
            "Lanes": [", ".join(key.lanes) for key in found],
            "$ a day": [key.daily_usd for key in found],
            "$ a month": [key.monthly_usd for key in found],
            "Tokens a day": [key.daily_tokens for key in found],
            "Tokens a month": [key.monthly_tokens for key in found],
            "Spent this month": [spent[key.id].usd for key in found],
            "Tokens this month": [spent[key.id].tokens for key in found],
            "Made": [key.created for key in found],
            "Id": [key.id for key in found],
        }
    )
    money = dict.fromkeys(("$ a day", "$ a month", "Spent this month"), "usd")
    counts = dict.fromkeys(("Tokens a day", "Tokens a month", "Tokens this month"), "count")
    show_table(table, {**money, **counts, "Made": "time"}, key="app_keys")  # type: ignore[dict-item]


def add() -> None:
    """The form of a new key. Its secret is drawn once and kept nowhere, the session included."""
    with st.expander("Make a key", icon=":material/add:"), st.form("add_key", clear_on_submit=True, border=False):
        name = st.text_input("Name of the application", max_chars=80, key="key_name")
        lanes = st.multiselect("Lanes it may use", LANES, list(LANES), key="key_lanes")
        columns = st.columns(4)
        usd_day = columns[0].number_input("US dollars a day", 0.0, value=None, placeholder="no limit")
        usd_month = columns[1].number_input("US dollars a month", 0.0, value=None, placeholder="no limit")
        tokens_day = columns[2].number_input("Tokens a day", 0, value=None, step=1000, placeholder="no limit")
        tokens_month = columns[3].number_input("Tokens a month", 0, value=None, step=1000, placeholder="no limit")
        sent = st.form_submit_button("Make the key", type="primary")
    if not sent:
        return
    try:
        made, secret = get_services().keys.add(
            name,
            lanes=lanes,
            daily_usd=None if usd_day is None else Decimal(str(round(usd_day, 4))),
            monthly_usd=None if usd_month is None else Decimal(str(round(usd_month, 4))),
            daily_tokens=tokens_day,
            monthly_tokens=tokens_month,
        )
    except LancelotError as problem:
        show_error(problem)
        return
    st.success(f"The key **{made.name}** is made. Copy its secret now; it is not shown again.")
    st.code(secret, language=None)


def revoke(active: list[AppKey]) -> None:
    """Revoking asks a second time: it holds at once and cannot be taken back."""
    if not active:
        return
    names = {key.id: key.name for key in active}
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    chosen = left.selectbox("Revoke a key", list(names), None, format_func=names.__getitem__, placeholder="which one?")
    if right.button("Revoke…", disabled=chosen is None, width="stretch"):
        remember("revoking", chosen)
    if chosen is not None and recall("revoking", str) == chosen:
        st.warning(f"**{names[chosen]}** stops working at once, and for good. Make a new key to let it in again.")
        if st.button(f"Yes, revoke {names[chosen]}", type="primary", key="revoke_yes"):
            remember("revoking", None)
            try:
                get_services().keys.revoke(chosen)
            except LancelotError as problem:
                show_error(problem)
                return
            get_services().receipts.event("key_revoked", key_id=chosen)
            tell(f"{names[chosen]} is revoked.")
            st.rerun()


def token() -> None:
    """The operator's token: where it is, and a new one in its place."""
    st.markdown(
        "The operator's token opens the control plane and the gateway. It lies in the data folder in a file that only "
        "you can read; `lancelot token` prints it."
    )
    if st.button("Replace the token…", icon=":material/autorenew:"):
        remember("rotating", True)
    if not recall("rotating", bool):
        return
    st.warning(
        "The old token stops working at once. Command lines on this machine take the new one by themselves; whatever "
        "else uses the old one has to be told."
    )
    yes, no = st.columns(2)
    if no.button("Keep the old one", width="stretch"):
        remember("rotating", False)
        st.rerun()
    if yes.button("Yes, replace it", type="primary", width="stretch"):
        remember("rotating", False)
        try:
            fresh = get_services().keys.rotate_token()
        except LancelotError as problem:
            show_error(problem)
            return
        get_services().receipts.event("token_rotated")
        st.success("The new token, shown this once (`lancelot token` prints it again):")
        st.code(fresh, language=None)
