"""The states of onboarding, the one table of moves between them, and `advance()`, which checks the table and persists.

    WELCOME → FLAGSHIP_SELECTION → CREDENTIALS_CAPTURE → CREDENTIALS_VERIFY → LOCAL_UTILITY_SETUP
            → COMMS_SELECTION → COMMS_CONFIGURE → COMMS_VERIFY → FINAL_CHECKS → READY

COOLDOWN stands beside the line: it remembers the state it came from and gives it back when the wait is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol, Self, TypeVar

from lancelot.errors import Conflict

__all__ = ["ORDER", "TRANSITIONS", "Move", "State", "Table", "advance", "before", "position", "reachable", "target_of"]


class State(StrEnum):
    WELCOME = "WELCOME"
    FLAGSHIP_SELECTION = "FLAGSHIP_SELECTION"
    CREDENTIALS_CAPTURE = "CREDENTIALS_CAPTURE"
    CREDENTIALS_VERIFY = "CREDENTIALS_VERIFY"
    LOCAL_UTILITY_SETUP = "LOCAL_UTILITY_SETUP"
    COMMS_SELECTION = "COMMS_SELECTION"
    COMMS_CONFIGURE = "COMMS_CONFIGURE"
    COMMS_VERIFY = "COMMS_VERIFY"
    FINAL_CHECKS = "FINAL_CHECKS"
    READY = "READY"
    COOLDOWN = "COOLDOWN"


class Move(StrEnum):
    """Why the state changes. A move that lands in COOLDOWN from COOLDOWN changes the remembered state instead."""

    FORWARD = "forward"  # a step is done
    BACK = "back"  # the person asked for the step before
    COOL = "cool"  # too many wrong codes
    THAW = "thaw"  # the wait is over
    RESET = "reset"  # the person asked, twice, to start over
    CORRECT = "correct"  # the snapshot claimed more than the facts
    RESTORE = "restore"  # a reset is undone


ORDER: tuple[State, ...] = tuple(state for state in State if state is not State.COOLDOWN)
WAITABLE = ORDER[: ORDER.index(State.FINAL_CHECKS)]  # what a cooldown may remember

Table = Mapping[State, Mapping[Move, tuple[State, ...]]]


def _line() -> dict[State, dict[Move, tuple[State, ...]]]:
    """The table: for each state and move, where it may lead (the first is meant when none is named)."""
    table: dict[State, dict[Move, tuple[State, ...]]] = {}
    for index, state in enumerate(ORDER):
        moves: dict[Move, tuple[State, ...]] = {Move.RESET: (State.WELCOME,), Move.RESTORE: ORDER}
        if state is not State.READY:
            moves[Move.FORWARD] = (ORDER[index + 1],)
        if index:
            moves[Move.CORRECT] = ORDER[:index]
        if index > 0 and state is not State.READY:
            moves[Move.BACK] = (ORDER[index - 1],)
        table[state] = moves
    # going back onto the verification would run it again and come straight forward
    table[State.LOCAL_UTILITY_SETUP][Move.BACK] = (State.CREDENTIALS_CAPTURE,)
    table[State.COMMS_VERIFY][Move.COOL] = (State.COOLDOWN,)
    table[State.COOLDOWN] = {
        Move.THAW: WAITABLE,
        Move.BACK: (State.COOLDOWN,),
        Move.RESET: (State.COOLDOWN,),
        Move.CORRECT: (State.COOLDOWN,),
        Move.RESTORE: (State.COOLDOWN,),
    }
    return table


TRANSITIONS: Table = _line()


class Record(Protocol):
    """What `advance` needs of a snapshot."""

    @property
    def state(self) -> State: ...
    @property
    def origin(self) -> State | None: ...
    def changed(self, **updates: Any) -> Self: ...


R = TypeVar("R", bound=Record)


class Saver(Protocol[R]):
    """What `advance` needs of the store: the record is on disk when `save` returns."""

    def save(self, record: R) -> R: ...


def position(state: State) -> int:
    """The place of a state on the line, 0 for WELCOME; COOLDOWN has none and raises ValueError."""
    return ORDER.index(state)


def before(state: State, table: Table = TRANSITIONS) -> State | None:
    """Where BACK leads from a state on the line, or None."""
    targets = table[state].get(Move.BACK)
    return targets[0] if targets else None


def target_of(state: State, move: Move, wanted: State | None = None, table: Table = TRANSITIONS) -> State:
    """Where the move leads from the state.

    Raises:
        Conflict: the table does not know this move; code `move_not_allowed`.
    """
    targets = table[state].get(move, ())
    target = wanted if wanted is not None else (targets[0] if targets else None)
    if target is None or target not in targets:
        raise Conflict(
            f"From {state} the move “{move}” leads nowhere{f' near {wanted}' if wanted else ''}.",
            hint="STATUS says which commands and answers this step takes.",
            code="move_not_allowed",
        )
    return target


def advance(
    record: R,
    move: Move,
    saver: Saver[R],
    *,
    wanted: State | None = None,
    origin: State | None = None,
    table: Table = TRANSITIONS,
    **updates: Any,
) -> R:
    """The record after the move, already on disk. The only place where a state changes.

    Args:
        wanted: the target, where the move has several.
        origin: for a move inside COOLDOWN, the state to return to from now on.
        updates: further fields of the record that change in the same write.

    Raises:
        Conflict: the table does not allow the move.
        StoreError, DiskFull: it could not be saved; the state is as before.
    """
    target = target_of(record.state, move, wanted, table)
    if target is State.COOLDOWN:
        remembered = origin or (record.origin if record.state is State.COOLDOWN else record.state)
        if remembered not in WAITABLE:
            raise Conflict(f"A cooldown cannot return to {remembered}.", code="move_not_allowed")
    else:
        remembered = None
    return saver.save(record.changed(state=target, origin=remembered, **updates))


def reachable(start: State, moves: frozenset[Move] = frozenset(Move), table: Table = TRANSITIONS) -> frozenset[State]:
    """All states that the moves can reach from start, start included."""
    seen, open_states = {start}, [start]
    while open_states:
        for move, targets in table[open_states.pop()].items():
            if move in moves:
                fresh = [target for target in targets if target not in seen]
                seen.update(fresh)
                open_states.extend(fresh)
    return frozenset(seen)
