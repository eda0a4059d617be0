"""The six commands that work everywhere, and what each can do in each state."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lancelot.errors import BadInput
from lancelot.onboarding.clocks import Moment
from lancelot.onboarding.cooldown import remaining, send_wait
from lancelot.onboarding.snapshot import OnboardingSnapshot
from lancelot.onboarding.states import TRANSITIONS, Move, State, Table

__all__ = ["Answer", "Command", "offers", "parse_command", "previous"]


class Command(StrEnum):
    BACK = "BACK"
    STATUS = "STATUS"
    REPAIR = "REPAIR"
    RESTART_STEP = "RESTART STEP"
    RESET_ONBOARDING = "RESET ONBOARDING"
    RESEND_CODE = "RESEND CODE"
    UNDO = "UNDO"  # offered after a repair or a reset


ALIASES = {"RESET": Command.RESET_ONBOARDING, "RESTART": Command.RESTART_STEP, "RESEND": Command.RESEND_CODE}


def parse_command(typed: str) -> Command:
    """The command a person typed: case, blanks, dashes and underscores do not matter.

    Raises:
        BadInput: there is no such command; code `unknown_command`.
    """
    words = " ".join(re.split(r"[\s_-]+", typed.strip().upper()))
    if words in ALIASES:
        return ALIASES[words]
    try:
        return Command(words)
    except ValueError:
        known = ", ".join(command for command in Command if command is not Command.UNDO)
        raise BadInput("There is no such command.", hint=f"The commands are {known}.", code="unknown_command") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says. `done` tells whether it changed or did what it is for; `text` is for a person."""

    command: Command
    done: bool
    text: str
    needs_confirm: bool = False
    repairs: tuple[dict[str, Any], ...] = ()
    retry_after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "command": str(self.command),
            "done": self.done,
            "text": self.text,
            "needs_confirm": self.needs_confirm,
            "repairs": list(self.repairs),
        }
        return shown if self.retry_after is None else shown | {"retry_after": self.retry_after}


def previous(snapshot: OnboardingSnapshot, table: Table = TRANSITIONS) -> State | None:
    """Where BACK leads: in a cooldown, the step before the remembered one."""
    targets = table[snapshot.standing].get(Move.BACK)
    return targets[0] if targets else None


def offers(snapshot: OnboardingSnapshot, now: Moment, *, undo: bool = False) -> list[dict[str, Any]]:
    """[{"command", "enabled", "text"}]: what each command would do right now."""
    state, cooling = snapshot.state, snapshot.state is State.COOLDOWN
    wait = math.ceil(remaining(snapshot.guards, now)) if cooling else 0
    earlier = previous(snapshot)
    after = f" once the wait of {wait} s is over" if cooling else ""
    back = f"Goes to {earlier}{after}." if earlier else "There is no step before this one."
    rows = [
        (Command.BACK, earlier is not None, back),
        (Command.STATUS, True, "Says where the set-up stands."),
        (Command.REPAIR, True, "Looks for faults and repairs what it can, with copies to go back to."),
        (Command.RESTART_STEP, True, _restart_words(snapshot, wait)),
        (Command.RESET_ONBOARDING, True, f"Asks again, keeps a copy, then starts over at WELCOME{after}."),
        _resend_row(snapshot, now, wait),
    ]
    if undo:
        rows.append((Command.UNDO, True, "Puts back what the last repair or reset replaced."))
    return [
        {"command": str(command), "enabled": enabled, "text": text, "state": str(state)}
        for command, enabled, text in rows
    ]


def _restart_words(snapshot: OnboardingSnapshot, wait: int) -> str:
    if snapshot.state is State.COOLDOWN:
        return f"Keeps {snapshot.standing} for when the wait of {wait} s is over; counters stay."
    if snapshot.state is State.READY:
        return "Runs the final checks once more; Lancelot stays ready."
    return f"Begins {snapshot.state} anew; what is downloaded, counted and agreed to stays."


def _resend_row(snapshot: OnboardingSnapshot, now: Moment, wait: int) -> tuple[Command, bool, str]:
    if wait:
        return Command.RESEND_CODE, False, f"Sends a new code once the wait of {wait} s is over."
    if snapshot.state is not State.COMMS_VERIFY:
        return Command.RESEND_CODE, False, "No code is awaited at this step."
    pause = math.ceil(send_wait(snapshot.guards, now))
    if pause:
        return Command.RESEND_CODE, False, f"Possible in {pause} s."
    return Command.RESEND_CODE, True, "Sends a new code; the old one stops counting."
