"""Who is let in when many call at once: a bounded, fair queue over application keys."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lancelot.errors import TooMany

__all__ = ["Admission"]


class Admission:
    """At most `running` requests at once; the rest wait in one queue a key, served round robin.

    Args:
        running: requests carried out at the same time.
        waiting: requests of one key that may wait; one more is refused with 429.
        patience_s: seconds a request waits at most before it is refused with 429.
        per_minute: a key's rate; a burst of as many is allowed. None is no limit.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        running: int = 64,
        waiting: int = 256,
        patience_s: float = 30.0,
        *,
        per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._running = running
        self._waiting = waiting
        self._patience_s = patience_s
        self._per_minute = per_minute
        self._clock = clock
        self._left: dict[str | None, tuple[float, float]] = {}  # key -> (requests left, when that was)
        self._inside = 0
        self._queues: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def inside(self) -> int:
        """Requests being carried out."""
        return self._inside

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def enter(self, key: str | None) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises:
            TooMany: the key's rate is reached, its queue is full, or no place came free in time.
        """
        self._count(key)
        if self._inside < self._running and not self._queues:
            self._inside += 1
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._inside -= 1
            self._admit_next()

    def _count(self, key: str | None) -> None:
        if self._per_minute is None:
            return
        now, full = self._clock(), float(self._per_minute)
        left, at = self._left.get(key, (full, now))
        left = min(full, left + (now - at) * full / 60)
        if left < 1:
            self._left[key] = (left, now)
            raise TooMany("This key's rate limit is reached.", code="rate_limited", retry_after=(1 - left) * 60 / full)
        self._left[key] = (left - 1, now)

    async def _wait(self, key: str | None) -> None:
        queue = self._queues.setdefault(key, deque())
        if len(queue) >= self._waiting:
            raise TooMany("Too many requests are waiting.", retry_after=1.0)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            async with asyncio.timeout(self._patience_s):
                await place
        except TimeoutError:
            self._forget(key, place)
            raise TooMany(
                "No place came free in time.", code="queue_timeout", retry_after=self._patience_s / 2
            ) from None
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # admitted in the same instant: give the place on
                self._inside -= 1
                self._admit_next()
            else:
                self._forget(key, place)
            raise

    def _forget(self, key: str | None, place: asyncio.Future[None]) -> None:
        queue = self._queues.get(key)
        if queue is not None and place in queue:
            queue.remove(place)
            if not queue:
                del self._queues[key]

    def _admit_next(self) -> None:
        while self._queues and self._inside < self._running:
            key, queue = next(iter(self._queues.items()))
            place = queue.popleft()
            if queue:
                self._queues.move_to_end(key)
            else:
                del self._queues[key]
            if not place.done():
                self._inside += 1
                place.set_result(None)
