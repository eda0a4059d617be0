"""Two batchers over one queue: a quick one for a request that is alone, a wide one for many at once or a long text.

On x86, llama.cpp's attention has two ways. Passes of fewer than 64 tokens go token by token, and with a cache of BF16
numbers take half the time of F16's. Passes of 64 and more go tile by tile, at half the time again, but only from F16.
One cache cannot be both, so there are two, over the same weights. (Measured on two cores with AMX, 8-bit weights, after
a prefix of 120 tokens: 20 tokens 26 against 45 ms, 128 tokens 166 against 96.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar

from local_models.batching import Batcher
from local_models.errors import ModelError
from local_models.llama import Weights
from local_models.running import Counters, Decoder
from local_models.work import Plan, Room, Ticket

__all__ = ["Pair"]

T = TypeVar("T")
CROWD = 3  # requests at once that are better off in one wide pass
KEPT_QUICK = 6  # label lists and schemas
LONG = 64  # tokens read at once
LINGER_S = 0.002  # callers who got their answers together ask again together; a pass takes 10 times as long


class Pair:
    """The face of one batcher. `submit`, `close` and the counts are for any thread, `step` for the engine's.

    Args:
        quick, wide: contexts over the same weights.
        linger: waits (seconds) until something is submitted, at most so long; tests hand in one that does not.
    """

    def __init__(
        self,
        quick: Decoder,
        wide: Decoder,
        *,
        capacity: int = 256,
        wake: Callable[[], None] | None = None,
        linger: Callable[[float], None] = time.sleep,
    ) -> None:
        self.wide = Batcher(wide, capacity=capacity, wake=wake)
        self.quick = Batcher(quick, keep=KEPT_QUICK, wake=wake, shares=self.wide)
        self._linger = linger
        self._finished = 0  # requests that ended in the last round

    def submit(
        self,
        plan: Callable[[Room], Plan[T]],
        *,
        cells: int,
        caller: str = "",
        deadline: float | None = None,
        reads: int = 0,
    ) -> Ticket[T]:
        """Queue a plan, see Batcher."""
        return self.wide.submit(plan, cells=cells, caller=caller, deadline=deadline, reads=reads)

    def step(self) -> bool:
        """Admit what waits to where it is better off, then one pass of each. False when there was nothing to do."""
        self._gather()
        before = self._ended
        job = self.wide.turn()
        few = self.waiting + self.active < CROWD
        alone = job is not None and few and job.reads < LONG and self.quick.fits(job.cells)
        worked = self.quick.step(admit=alone)
        worked = self.wide.step(admit=not alone) or worked
        self._finished = self._ended - before
        return worked

    @property
    def _ended(self) -> int:
        return self.quick.counters.requests + self.wide.counters.requests

    def _gather(self) -> None:
        """After a shared pass, wait a moment for the callers' next requests, so that they share one again."""
        until = self.last_progress + LINGER_S
        while self._finished >= CROWD and self.waiting < self._finished and time.monotonic() < until:
            self._linger(LINGER_S / 10)
        self._finished = 0

    @property
    def waiting(self) -> int:
        return self.wide.waiting

    @property
    def active(self) -> int:
        return self.quick.active + self.wide.active

    @property
    def idle(self) -> bool:
        return self.quick.idle and self.wide.idle

    @property
    def last_progress(self) -> float:
        return max(self.quick.last_progress, self.wide.last_progress)

    @property
    def weights(self) -> Weights:
        return self.wide.weights

    @property
    def counters(self) -> Counters:
        """Both batchers' together."""
        both = (self.quick.counters, self.wide.counters)
        return Counters(**{field.name: sum(getattr(one, field.name) for one in both) for field in fields(Counters)})

    def close(self) -> None:
        """Take no new work; what is queued and running still finishes."""
        self.wide.close()
        self.quick.close()

    def abandon(self, problem: ModelError) -> None:
        """Fail everything that waits or runs."""
        self.wide.abandon(problem)
        self.quick.abandon(problem)
