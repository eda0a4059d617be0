"""The way from a page to the services, the switch between real and demonstration records, and the session's keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import streamlit as st

from lancelot.costs import Costs
from lancelot.demo import DemoRecords
from lancelot.errors import LancelotError
from lancelot.services import Services, running

__all__ = ["demo_shown", "get_services", "latest", "linked", "moment_now", "recall", "remember", "show_demo"]

T = TypeVar("T")
DEMO_KEY = "demo_here"


class _WithDemo:
    """The services with the demonstration's records in place of the real ones; everything else is what it is."""

    def __init__(self, services: Services, demo: DemoRecords) -> None:
        self._services = services
        self.receipts = demo.receipts
        self.usage = demo.usage
        self.approvals = demo.approvals
        self.budgets = demo.budgets
        self.costs = Costs(demo.usage, services.config, demo.budgets)

    def budget_banner(self) -> str | None:
        return self.budgets.banner()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)


def get_services() -> Services:
    """The services of this process; they outlive every browser session.

    While the demonstration is shown on this page, its receipts, sums, approvals and budgets stand in for the real ones.
    """
    services = running()
    return cast(Services, _WithDemo(services, services.demo.records())) if demo_shown() else services


def show_demo(here: bool) -> None:
    """Say, at the beginning of a page's run, whether this page shows the demonstration."""
    st.session_state[DEMO_KEY] = here


def demo_shown() -> bool:
    """Whether this page shows the demonstration's records instead of the real ones."""
    return bool(st.session_state.get(DEMO_KEY))


def linked(**parameters: str) -> dict[str, str]:
    """The parameters of a link to another page; while the demonstration is shown it leads into the demonstration."""
    return parameters | ({"demo": "1"} if demo_shown() else {})


def moment_now() -> datetime:
    """The time, UTC; for the demonstration the time of its newest receipt, so that its "today" is never empty."""
    return running().demo.records().until if demo_shown() else datetime.now(UTC)


def latest(name: str, read: Callable[[], T]) -> tuple[T, datetime, LancelotError | None]:
    """What a source says now; when it cannot answer, what it said last in this session, since when, and why.

    Raises:
        LancelotError: it cannot answer and has not before.
    """
    key = f"latest_{name}_{demo_shown()}"
    try:
        value = read()
    except LancelotError as problem:
        if key not in st.session_state:
            raise
        kept, at = st.session_state[key]
        return cast(T, kept), at, problem
    st.session_state[key] = (value, datetime.now(UTC))
    return value, st.session_state[key][1], None


def remember(name: str, value: object) -> None:
    """Keep a value for this browser session. Never a secret, never a key."""
    st.session_state[name] = value


def recall(name: str, kind: type[T]) -> T | None:
    """The value kept under a name, or None when it is absent or of another kind."""
    value = st.session_state.get(name)
    return cast(T, value) if isinstance(value, kind) else None
