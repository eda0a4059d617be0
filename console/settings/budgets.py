"""Budgets: how full each limit is, and the limits themselves; an empty field is no limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from console.session import get_services
from console.settings.changing import propose, review
from console.tables import show_table
from console.widgets import empty_state
from lancelot.changes import version_of
from lancelot.config import Budget
from lancelot.config_edit import Path, Value

__all__ = ["budgets"]

SCOPES: dict[tuple[str, ...], tuple[str, str, str]] = {
    ("total",): ("Everything together", "All paid calls of this installation.", ""),
    ("lanes", "fast"): ("Fast lane", "What the flagship's fast model may spend.", "Fast: "),
    ("lanes", "deep"): (
        "Deep lane",
        "What the flagship's deep model may spend; when it is spent, fast answers.",
        "Deep: ",
    ),
    ("default_key",): ("Each application key", "For keys that were made without limits of their own.", "Key: "),
}
LIMITS = {
    "daily_usd": "US dollars a day",
    "monthly_usd": "US dollars a month",
    "daily_tokens": "Tokens a day",
    "monthly_tokens": "Tokens a month",
}
DIAL = {
    "narrow_deep": ("Deep only where needed, from", "Share of a budget from which deep answers only what needs it."),
    "no_deep": ("No deep any more, from", "Share from which fast answers in deep's place."),
    "narrow_fast": ("Local wherever it can, from", "Share from which what the local model can answer stays local."),
}
NAME = "router.yaml"


def budgets() -> None:
    use()
    form()
    review("budgets")


def use() -> None:
    """How full every limit is, in its present day or month."""
    rows = get_services().budgets.status()
    if not rows:
        empty_state("No budget is set", "Nothing holds spending back but the price a request may have. Set one below.")
        return
    table = pd.DataFrame(
        {
            "Budget": [row["scope"] for row in rows],
            "Period": [row["period"] for row in rows],
            "Used": [row["share"] for row in rows],
            "Spent": [row["usd"] for row in rows],
            "Limit": [row["limit_usd"] for row in rows],
            "Tokens": [row["tokens"] for row in rows],
            "Token limit": [row["limit_tokens"] for row in rows],
            "Renews": [row["renews"] for row in rows],
        }
    )
    kinds = {"Used": "share", "Spent": "usd", "Limit": "usd", "Tokens": "count", "Token limit": "count"}
    show_table(table, {**kinds, "Renews": "time"}, key="budget_use", missing="no limit")  # type: ignore[dict-item]


def form() -> None:
    changes, config = get_services().changes, get_services().config.current.router
    version = version_of(changes.text(NAME))
    given: dict[Path, Value] = {}
    with st.form("budgets"):
        for scope, (title, words, short) in SCOPES.items():
            st.markdown(f"**{title}**  \n{words}")
            present = limits_now(config.budgets, scope)
            columns = st.columns(4)
            for column, (field, label) in zip(columns, LIMITS.items(), strict=True):
                old = getattr(present, field)
                money = field.endswith("usd")
                new = column.number_input(
                    f"{short}{label}",
                    min_value=0.0 if money else 0,
                    value=None if old is None else float(old) if money else int(old),
                    step=1.0 if money else 1000,
                    format="%.2f" if money else "%d",
                    placeholder="no limit",
                    key=f"budget_{'_'.join(scope)}_{field}_{version}",
                )
                given |= changed(("budgets", *scope, field), old, exact(new) if money else new)
        st.markdown("**One request**")
        most = config.max_cost_usd_per_request
        typed = st.number_input(
            "US dollars a request, all attempts together",
            min_value=0.0,
            value=None if most is None else float(most),
            step=0.1,
            placeholder="no limit",
            key=f"budget_request_{version}",
        )
        given |= changed(("max_cost_usd_per_request",), most, exact(typed))
        if most is not None and typed is None:
            st.caption("Emptying this field brings the default back; write null in the file for no limit.")
        st.markdown("**When the dial turns**")
        columns = st.columns(3)
        for column, (field, (label, words)) in zip(columns, DIAL.items(), strict=True):
            old = getattr(config.budgets.pressure, field)
            new = column.slider(
                label, 0.0, 1.0, float(old), 0.01, format="percent", help=words, key=f"dial_{field}_{version}"
            )
            given |= changed(("budgets", "pressure", field), old, round(float(new), 4))
        if st.form_submit_button("Show what would change", type="primary"):
            propose("budgets", lambda: changes.propose_values(NAME, given))


def limits_now(found: Any, scope: tuple[str, ...]) -> Budget:
    """The limits in force for one scope."""
    if scope[0] == "lanes":
        return found.lanes.get(scope[1]) or Budget()
    budget: Budget = getattr(found, scope[0])
    return budget


def exact(typed: float | None) -> Decimal | None:
    """Dollars as they were typed, to the hundredth of a cent."""
    return None if typed is None else Decimal(str(round(typed, 4)))


def changed(path: Path, old: Any, new: Value) -> dict[Path, Value]:
    """The edit, when there is one."""
    if old is None or new is None:
        return {} if old is new else {path: new}
    return {} if float(old) == float(new) else {path: new}  # type: ignore[arg-type]
