"""The table of moves, walked whole; and advance(), the only mover."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest

from lancelot.errors import Conflict, StoreError
from lancelot.onboarding.snapshot import OnboardingSnapshot
from lancelot.onboarding.states import ORDER, TRANSITIONS, Move, State, advance, before, reachable, target_of
from lancelot.onboarding.steps import STEPS

PERSON = frozenset({Move.FORWARD, Move.BACK, Move.COOL, Move.THAW, Move.RESET})


class Saver:
    def __init__(self, fails: bool = False) -> None:
        self.saved: list[OnboardingSnapshot] = []
        self.fails = fails

    def save(self, record: OnboardingSnapshot) -> OnboardingSnapshot:
        if self.fails:
            raise StoreError()
        self.saved.append(record)
        return record


@pytest.mark.parametrize("state", list(State))
def test_ready_is_reachable_from_every_state_by_what_a_person_does(state: State) -> None:
    assert State.READY in reachable(state, PERSON)


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_entered_by_something(state: State) -> None:
    assert state in reachable(State.WELCOME, PERSON)


def test_the_line_is_the_one_of_the_blueprint() -> None:
    assert [str(state) for state in ORDER] == [
        "WELCOME",
        "FLAGSHIP_SELECTION",
        "CREDENTIALS_CAPTURE",
        "CREDENTIALS_VERIFY",
        "LOCAL_UTILITY_SETUP",
        "COMMS_SELECTION",
        "COMMS_CONFIGURE",
        "COMMS_VERIFY",
        "FINAL_CHECKS",
        "READY",
    ]
    for here, there in pairwise(ORDER):
        assert TRANSITIONS[here][Move.FORWARD] == (there,)


def test_every_state_on_the_line_but_ready_has_a_step_and_a_way_back() -> None:
    assert set(STEPS) == set(ORDER) - {State.READY}
    for state in ORDER[1:-1]:
        earlier = before(state)
        assert earlier is not None
        assert ORDER.index(earlier) < ORDER.index(state)


def test_nothing_skips_the_local_model() -> None:
    for state, moves in TRANSITIONS.items():
        for target in moves.get(Move.FORWARD, ()):
            if ORDER.index(target) > ORDER.index(State.LOCAL_UTILITY_SETUP):
                assert ORDER.index(state) >= ORDER.index(State.LOCAL_UTILITY_SETUP)


def test_advance_persists_and_returns_what_is_on_disk() -> None:
    saver = Saver()
    moved = advance(OnboardingSnapshot(), Move.FORWARD, saver)
    assert moved.state is State.FLAGSHIP_SELECTION
    assert saver.saved == [moved]


def test_a_move_the_table_does_not_know_is_refused_and_not_saved() -> None:
    saver = Saver()
    with pytest.raises(Conflict) as refused:
        advance(OnboardingSnapshot(), Move.COOL, saver)
    assert refused.value.code == "move_not_allowed"
    with pytest.raises(Conflict):
        target_of(State.WELCOME, Move.FORWARD, State.READY)
    assert saver.saved == []


def test_a_move_that_cannot_be_saved_does_not_happen() -> None:
    with pytest.raises(StoreError):
        advance(OnboardingSnapshot(), Move.FORWARD, Saver(fails=True))


def test_cooldown_remembers_where_it_came_from() -> None:
    cooled = advance(OnboardingSnapshot(state=State.COMMS_VERIFY), Move.COOL, Saver())
    assert (cooled.state, cooled.origin) == (State.COOLDOWN, State.COMMS_VERIFY)
    back = advance(cooled, Move.BACK, Saver(), origin=State.COMMS_CONFIGURE)
    assert (back.state, back.origin) == (State.COOLDOWN, State.COMMS_CONFIGURE)
    thawed = advance(back, Move.THAW, Saver(), wanted=State.COMMS_CONFIGURE)
    assert (thawed.state, thawed.origin) == (State.COMMS_CONFIGURE, None)


def test_no_step_imports_the_mover() -> None:
    """Steps return results; only the flow (through the keeper) moves."""
    folder = Path(__file__).resolve().parents[2] / "lancelot" / "onboarding" / "steps"
    for path in folder.glob("*.py"):
        names = {
            name.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        assert not names & {"advance", "Keeper", "SnapshotStore", "Move"}, path.name
