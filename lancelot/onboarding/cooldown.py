"""What limits guessing: attempts, resends, and a cooldown that grows from 30 seconds to 15 minutes and ends by itself.

Pure functions over `Guards`; the flow persists what they return. Every change raises `epoch`, so that of several stored
versions the newest always wins and a counter never shrinks by restoring an older file.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from lancelot.errors import TooMany
from lancelot.onboarding.clocks import Moment, elapsed
from lancelot.onboarding.codes import ATTEMPTS, RESEND_GAP_S, RESENDS, CodeRecord, expired, lifetime_left

__all__ = [
    "FIRST_S",
    "MAXIMUM_S",
    "Cooldown",
    "Guards",
    "begin_cooldown",
    "check_may_send",
    "code_sent",
    "code_verified",
    "cooldown_length",
    "end_cooldown",
    "heartbeat",
    "remaining",
    "send_wait",
    "wrong_attempt",
]

FIRST_S = 30.0
MAXIMUM_S = 900.0
HEARTBEAT_S = 5.0


class Cooldown(BaseModel):
    """A running wait. `served_s` seconds were over at `anchor`; both move on with each heartbeat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length_s: float = Field(ge=0)
    served_s: float = Field(ge=0)
    anchor: Moment


class Guards(BaseModel):
    """The counters and limits that survive everything.

    Attributes:
        epoch: raised by every change.
        attempts: wrong codes since the last success or served cooldown, 0..5.
        resends: further sends of the present code, 0..3.
        level: cooldowns since the last success; sets the length of the next.
        code: the present code's keyed hash.
        last_sent: when a code last went out, whatever became of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int = Field(default=0, ge=0)
    attempts: int = Field(default=0, ge=0)
    resends: int = Field(default=0, ge=0)
    level: int = Field(default=0, ge=0)
    cooldown: Cooldown | None = None
    code: CodeRecord | None = None
    last_sent: Moment | None = None

    def changed(self, **updates: object) -> Guards:
        return self.model_copy(update=updates | {"epoch": self.epoch + 1})


def cooldown_length(level: int) -> float:
    """Seconds: 30, 60, 120 … 900, never longer."""
    return min(MAXIMUM_S, FIRST_S * 2.0 ** min(level, 16))


def _served(cooldown: Cooldown, now: Moment) -> float:
    return cooldown.served_s + elapsed(cooldown.anchor, now)


def remaining(guards: Guards, now: Moment) -> float:
    """Seconds of cooldown left: never negative, never above the length it began with, never above 15 minutes."""
    if guards.cooldown is None:
        return 0.0
    length = min(guards.cooldown.length_s, MAXIMUM_S)
    return max(0.0, length - _served(guards.cooldown, now))


def heartbeat(guards: Guards, now: Moment) -> Guards | None:
    """The guards with the time served so far written down, or None when the last heartbeat is recent.

    After a reboot with the clock set back only what was written down counts as served."""
    if guards.cooldown is None:
        return None
    gone = elapsed(guards.cooldown.anchor, now)
    if gone < HEARTBEAT_S and guards.cooldown.anchor.boot_id == now.boot_id:
        return None
    kept = guards.cooldown.model_copy(update={"served_s": _served(guards.cooldown, now), "anchor": now})
    return guards.changed(cooldown=kept)


def begin_cooldown(guards: Guards, now: Moment) -> Guards:
    """The code is void and a wait begins, longer than the one before."""
    cooldown = Cooldown(length_s=cooldown_length(guards.level), served_s=0.0, anchor=now)
    return guards.changed(cooldown=cooldown, code=None, level=guards.level + 1)


def end_cooldown(guards: Guards) -> Guards:
    """The wait is served: attempts and resends start anew, the level stays."""
    return guards.changed(cooldown=None, attempts=0, resends=0, code=None)


def wrong_attempt(guards: Guards, now: Moment) -> tuple[Guards, bool]:
    """The guards after one wrong code, and whether a cooldown began."""
    counted = guards.changed(attempts=guards.attempts + 1)
    if counted.attempts >= ATTEMPTS:
        return begin_cooldown(counted, now), True
    return counted, False


def code_verified(guards: Guards) -> Guards:
    """The right code: it is used up, and what had been counted against the person is forgotten."""
    return guards.changed(code=None, attempts=0, resends=0, level=0)


def _series_open(guards: Guards, now: Moment) -> bool:
    """Whether the next send would be a resend of a live code rather than a first send."""
    return guards.code is not None and not expired(guards.code, now)


def send_wait(guards: Guards, now: Moment) -> float:
    """Seconds until a code may be sent again; 0 when it may be sent now."""
    waits = [remaining(guards, now)]
    if guards.last_sent is not None:
        waits.append(RESEND_GAP_S - elapsed(guards.last_sent, now))
    if guards.code is not None and _series_open(guards, now) and guards.resends >= RESENDS:
        waits.append(lifetime_left(guards.code, now))
    return max(0.0, *waits)


def check_may_send(guards: Guards, now: Moment) -> None:
    """Returns when a code may be sent.

    Raises:
        TooMany: not yet; `retry_after` says in how many seconds. Codes `cooldown`, `resend_limit`, `resend_too_soon`.
    """
    wait = math.ceil(send_wait(guards, now))
    if wait <= 0:
        return
    if remaining(guards, now) > 0:
        raise TooMany(
            "A cooldown is running; no code is sent meanwhile.",
            hint=f"It ends by itself in {wait} s; RESEND CODE works then.",
            code="cooldown",
            retry_after=wait,
        )
    if guards.resends >= RESENDS and _series_open(guards, now):
        raise TooMany(
            f"This code has been sent again {RESENDS} times, which is the limit.",
            hint=f"The last one you received still counts; a new code can be sent in {wait} s.",
            code="resend_limit",
            retry_after=wait,
        )
    raise TooMany(
        "A code was sent less than a minute ago.",
        hint=f"Wait {wait} s, then send again.",
        code="resend_too_soon",
        retry_after=wait,
    )


def code_sent(guards: Guards, record: CodeRecord, now: Moment) -> Guards:
    """The guards with a new code in place of the old one. Attempts stay: another code is no new set of guesses."""
    resends = guards.resends + 1 if _series_open(guards, now) else 0
    return guards.changed(code=record, resends=resends, last_sent=now)
