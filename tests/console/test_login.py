"""The login before every page: nothing of a page is drawn for somebody who is not logged in."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.xdist_group("pages")]


def page() -> None:
    import streamlit as st

    from console.login import require_login

    require_login()
    st.write("what only operators see")


def drawn() -> AppTest:
    return AppTest.from_function(page, default_timeout=60).run()


def test_without_a_login_configured_pages_are_just_drawn() -> None:
    assert "what only operators see" in [text.value for text in drawn().markdown]


def test_with_oidc_nothing_is_drawn_before_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANCELOT_LOGIN", "oidc")
    monkeypatch.setenv("LANCELOT_OPERATORS", "anna@example.com")
    seen = drawn()
    assert [button.label for button in seen.button] == ["Log in"]
    assert "what only operators see" not in [text.value for text in seen.markdown]
    assert not seen.exception
