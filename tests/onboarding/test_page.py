"""The set-up page drawn in every state, with its buttons pressed, without a browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lancelot.onboarding.states import State
from tests.onboarding.fakes import GOOD_KEY, World
from tests.onboarding.test_recovery import put_in

SIX = ["BACK", "STATUS", "REPAIR", "RESTART STEP", "RESET ONBOARDING", "RESEND CODE"]


@pytest.fixture
def world(data_folder: Path) -> World:
    return World(data_folder)


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest puts its script in place of the main module, which processes that are spawned later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def drawn(world: World) -> AppTest:
    """The page of this machine."""

    def script() -> None:
        import streamlit as st

        from console.onboarding.screen import render

        render(st.session_state["flow"])

    page = AppTest.from_function(script, default_timeout=60)
    page.session_state["flow"] = world.flow
    page.run()
    assert not page.exception
    return page


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception


def words(page: AppTest) -> str:
    blocks = [page.title, page.markdown, page.caption, page.error, page.success, page.info, page.warning]
    return "\n".join(str(element.value) for block in blocks for element in block)


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_drawn_with_the_six_commands(world: World, state: State) -> None:
    put_in(world, state)
    page = drawn(world)
    assert len(page.title) == 1
    assert {button.label for button in page.button} >= set(SIX)
    assert page.sidebar.markdown


def test_welcome_tells_what_happens_to_machine_and_money(world: World) -> None:
    said = words(drawn(world))
    assert "this machine" in said
    assert "your money" in said


def test_the_model_is_introduced_and_nothing_goes_without_consent(world: World) -> None:
    put_in(world, State.LOCAL_UTILITY_SETUP)
    page = drawn(world)
    card = world.model.card()
    for fact in (card.id, card.publisher, card.licence, card.licence_url, card.sources[0]):
        assert fact in words(page)
    press(page, "Install")
    assert "Without the local model" in words(page)
    assert world.flow.snapshot.consent is None
    page.checkbox[0].check()
    press(page, "Install")
    assert world.flow.state is State.COMMS_SELECTION
    assert "skip" not in words(page).lower()


def test_a_key_is_not_left_in_the_session(world: World) -> None:
    world.go_to("CREDENTIALS_CAPTURE", provider="openai")
    page = drawn(world)
    page.text_input[0].input(GOOD_KEY)
    press(page, "Store and check the key")
    assert world.flow.state is State.LOCAL_UTILITY_SETUP
    assert GOOD_KEY not in words(page)
    press(page, "BACK")
    assert world.flow.state is State.CREDENTIALS_CAPTURE
    assert not page.text_input[0].value  # the field forgot it when the form was sent


def test_reset_asks_a_second_time_on_the_page(world: World) -> None:
    world.go_to("READY")
    page = drawn(world)
    press(page, "RESET ONBOARDING")
    assert world.flow.is_ready
    press(page, "Yes, start over")
    assert world.flow.state is State.WELCOME


def test_a_command_may_be_typed(world: World) -> None:
    world.go_to("FLAGSHIP_SELECTION")
    page = drawn(world)
    box = next(field for field in page.text_input if field.label == "Command")
    box.input("back")
    press(page, "Send command")
    assert world.flow.state is State.WELCOME


def test_failed_checks_offer_their_fix(world: World) -> None:
    world.go_to("COMMS_VERIFY")
    world.flow.credentials.put("gemini", GOOD_KEY)
    world.credentials_path.chmod(0o644)
    world.flow.submit("COMMS_VERIFY", {"code": world.last_code()})
    assert world.flow.state is State.FINAL_CHECKS
    page = drawn(world)
    press(page, "Fix key")
    assert world.flow.is_ready
