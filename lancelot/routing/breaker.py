"""A circuit breaker per lane: after repeated failures it rests for a while; state, reason and end are visible."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lancelot.routing.policy import BreakerLimits

__all__ = ["Breaker", "BreakerState"]

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What pages and receipts show.

    Attributes:
        state: closed (works), open (left alone), half_open (one trial call is let through).
        reason: the error code that opened it, or "".
        failures: failures within the window.
        ends_in_s: seconds until a trial call is let through; 0 unless open.
    """

    state: State
    reason: str
    failures: int
    ends_in_s: float


class Breaker:
    """Thread-safe. `clock` gives monotonic seconds."""

    def __init__(self, limits: BreakerLimits | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or BreakerLimits()
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[float] = deque()
        self._reason = ""
        self._until: float | None = None
        self._cooldown = self.limits.cooldown_s
        self._trial = False

    def state(self) -> BreakerState:
        """The state now."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            if self._until is None:
                return BreakerState("closed", "", len(self._failures), 0.0)
            left = self._until - now
            if left > 0:
                return BreakerState("open", self._reason, len(self._failures), left)
            return BreakerState("half_open", self._reason, len(self._failures), 0.0)

    def allow(self) -> bool:
        """Whether a call may go; while half open the first caller gets the trial and others wait for its end."""
        with self._lock:
            if self._until is None:
                return True
            if self._clock() < self._until or self._trial:
                return False
            self._trial = True
            return True

    def succeeded(self) -> None:
        """A call worked: closed again, the cooldown starts small."""
        with self._lock:
            self._failures.clear()
            self._until, self._trial, self._reason = None, False, ""
            self._cooldown = self.limits.cooldown_s

    def failed(self, reason: str, *, retry_after: float | None = None) -> None:
        """A call failed with an error code; `retry_after` (s) is what the other side asked for."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            self._failures.append(now)
            if self._trial:
                self._cooldown = min(self._cooldown * 2, self.limits.max_cooldown_s)
            elif len(self._failures) < self.limits.failures:
                return
            self._trial = False
            self._reason = reason
            self._until = now + max(self._cooldown, min(retry_after or 0.0, self.limits.max_cooldown_s))

    def gave_up(self) -> None:
        """A trial call ended without telling anything (cancelled): the next caller may try."""
        with self._lock:
            self._trial = False

    def reset(self) -> None:
        """An operator closes it by hand."""
        self.succeeded()

    def _forget(self, now: float) -> None:
        while self._failures and self._failures[0] < now - self.limits.window_s:
            self._failures.popleft()
