"""The fair queue: callers take turns, each one's requests stay in order, a full queue says when to come back."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from local_models.errors import Busy
from local_models.work import Job

__all__ = ["FairQueue"]


class FairQueue:
    """Round robin over callers. Not locked: the batcher holds its own lock around every call.

    A caller may fill at most `share` of the places while others wait too, so one flood cannot lock the others out.
    """

    def __init__(self, capacity: int = 256, share: float = 0.75) -> None:
        self.capacity = capacity
        self._most = max(1, int(capacity * share))
        self._turns: OrderedDict[str, deque[Job[Any]]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, job: Job[Any], *, retry_after: float) -> None:
        """Append a job to its caller's line.

        Raises:
            Busy: no place is left; `retry_after` seconds is a guess at when one is.
        """
        line = self._turns.get(job.caller)
        if self._count >= self.capacity or (line is not None and len(line) >= self._most):
            raise Busy(retry_after=retry_after)
        if line is None:
            line = self._turns[job.caller] = deque()
        line.append(job)
        self._count += 1

    def peek(self) -> Job[Any] | None:
        """The job whose turn it is."""
        return next(iter(self._turns.values()))[0] if self._turns else None

    def take(self) -> Job[Any]:
        """Remove the job whose turn it is and pass the turn to the next caller."""
        caller, line = self._turns.popitem(last=False)
        job = line.popleft()
        self._count -= 1
        if line:
            self._turns[caller] = line
        return job

    def sweep(self, now: float) -> list[Job[Any]]:
        """Remove and return the jobs that were cancelled or whose deadline has passed."""
        gone: list[Job[Any]] = []
        for caller in list(self._turns):
            line = self._turns[caller]
            kept = deque(job for job in line if not _over(job, now))
            if len(kept) != len(line):
                gone += [job for job in line if _over(job, now)]
                if kept:
                    self._turns[caller] = kept
                else:
                    del self._turns[caller]
        self._count -= len(gone)
        return gone

    def drain(self) -> list[Job[Any]]:
        """Remove and return everything."""
        jobs = [job for line in self._turns.values() for job in line]
        self._turns.clear()
        self._count = 0
        return jobs


def _over(job: Job[Any], now: float) -> bool:
    return job.ticket.cancelled or (job.deadline is not None and now >= job.deadline)
