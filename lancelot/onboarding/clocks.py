"""Time that survives a clock set back, a clock set forward, and a restart.

A `Moment` keeps the wall clock and the seconds since boot together. Within one boot only the second counts, and nobody
can set it; across a reboot the wall clock decides, bounded below by the time the machine has been up.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

__all__ = ["Clock", "Moment", "SystemClock", "elapsed", "moment", "went_backwards"]


class Clock(Protocol):
    def wall(self) -> float:
        """Unix seconds; may jump."""
        ...

    def boot(self) -> float:
        """Seconds since this boot, sleep included; never jumps."""
        ...

    def boot_id(self) -> str:
        """Another string after every reboot."""
        ...


class SystemClock:
    """The machine's own clocks. Where the system gives no boot id, each process counts as a boot of its own."""

    def __init__(self) -> None:
        named = Path("/proc/sys/kernel/random/boot_id")
        try:
            self._boot_id = named.read_text().strip()
            self._source: int | None = time.CLOCK_BOOTTIME
        except (OSError, AttributeError):
            self._boot_id, self._source = uuid.uuid4().hex, None
        self._started = time.monotonic()

    def wall(self) -> float:
        return time.time()

    def boot(self) -> float:
        if self._source is not None:
            return time.clock_gettime(self._source)
        return time.monotonic() - self._started

    def boot_id(self) -> str:
        return self._boot_id


class Moment(BaseModel):
    """One point in time, in both clocks (seconds)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wall: float
    boot: float
    boot_id: str


def moment(clock: Clock) -> Moment:
    """Now."""
    return Moment(wall=clock.wall(), boot=clock.boot(), boot_id=clock.boot_id())


def elapsed(since: Moment, now: Moment) -> float:
    """Seconds that have certainly passed, never negative. Source: boot clock, or after a reboot the larger of uptime
    and wall-clock difference."""
    if since.boot_id == now.boot_id:
        return max(0.0, now.boot - since.boot)
    return max(0.0, now.boot, now.wall - since.wall)


def went_backwards(since: Moment, now: Moment) -> bool:
    """True when the machine was restarted and its wall clock now stands before `since`."""
    return since.boot_id != now.boot_id and now.wall < since.wall
