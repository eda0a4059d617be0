"""The way from a page to the services, and the typed keys of a browser session."""

from __future__ import annotations

from typing import TypeVar, cast

import streamlit as st

from lancelot.services import Services, running

__all__ = ["get_services", "recall", "remember"]

T = TypeVar("T")


def get_services() -> Services:
    """The services of this process; they outlive every browser session."""
    return running()


def remember(name: str, value: object) -> None:
    """Keep a value for this browser session. Never a secret, never a key."""
    st.session_state[name] = value


def recall(name: str, kind: type[T]) -> T | None:
    """The value kept under a name, or None when it is absent or of another kind."""
    value = st.session_state.get(name)
    return cast(T, value) if isinstance(value, kind) else None
