"""The gateway's door: a bounded, fair queue that loses no place."""

from __future__ import annotations

import asyncio

import pytest

from lancelot.admission import Admission
from lancelot.errors import TooMany

pytestmark = pytest.mark.anyio


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Visit:
    """Somebody who enters, waits to be told to leave, and notes the order of entry."""

    def __init__(self, door: Admission, key: str | None, log: list[str]) -> None:
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(door, key, log))

    async def _visit(self, door: Admission, key: str | None, log: list[str]) -> None:
        async with door.enter(key):
            log.append(str(key))
            await self.leave.wait()


async def test_a_busy_key_does_not_starve_another() -> None:
    door, log = Admission(running=1), []
    visits = [Visit(door, "busy", log) for _ in range(4)]
    await settle()
    visits.append(Visit(door, "quiet", log))
    await settle()
    for visit in visits:
        visit.leave.set()
    await asyncio.gather(*(visit.task for visit in visits))
    assert log.index("quiet") == 2  # the holder, the busy key's next, then the quiet one
    assert (door.inside, door.queued) == (0, 0)


async def test_a_full_queue_is_refused_with_a_time() -> None:
    door = Admission(running=1, waiting=1)
    first, second = Visit(door, "k", []), Visit(door, "k", [])
    await settle()
    with pytest.raises(TooMany) as refused:
        async with door.enter("k"):
            pass
    assert refused.value.retry_after
    first.leave.set()
    second.leave.set()
    await asyncio.gather(first.task, second.task)
    assert (door.inside, door.queued) == (0, 0)


async def test_patience_ends_with_429_and_leaves_no_trace() -> None:
    door = Admission(running=1, patience_s=0.01)
    first = Visit(door, "k", [])
    await settle()
    with pytest.raises(TooMany):
        async with door.enter("k"):
            pass
    assert door.queued == 0
    first.leave.set()
    await first.task
    async with door.enter("k"):
        assert door.inside == 1


async def test_cancelled_waiters_give_their_place_on() -> None:
    door = Admission(running=1)
    log: list[str] = []
    first, second, third = (Visit(door, name, log) for name in "abc")
    await settle()
    first.leave.set()
    second.task.cancel()
    third.leave.set()
    await asyncio.gather(first.task, second.task, third.task, return_exceptions=True)
    assert "c" in log
    assert (door.inside, door.queued) == (0, 0)


async def test_a_waiter_cancelled_in_the_instant_of_admission_frees_the_place() -> None:
    door = Admission(running=1)
    log: list[str] = []
    first, second, third = (Visit(door, name, log) for name in "abc")
    await settle()
    first.leave.set()
    while door.queued == 2:
        await asyncio.sleep(0)
    second.task.cancel()
    third.leave.set()
    await asyncio.gather(first.task, second.task, third.task, return_exceptions=True)
    assert "c" in log
    assert (door.inside, door.queued) == (0, 0)


async def test_a_key_that_calls_too_often_is_told_when_to_come_back() -> None:
    seconds = 0.0
    door = Admission(per_minute=2, clock=lambda: seconds)
    for _ in range(2):
        async with door.enter("k"):
            pass
    with pytest.raises(TooMany) as refused:
        async with door.enter("k"):
            pass
    assert refused.value.code == "rate_limited"
    assert refused.value.retry_after == pytest.approx(30)
    async with door.enter("other"):  # another key has a rate of its own
        pass
    seconds = 31.0
    async with door.enter("k"):
        pass
