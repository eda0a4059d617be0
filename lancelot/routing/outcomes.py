"""What happened before: for each task type, how often the fast lane did not do. Feeds the score as its prior."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from lancelot.routing.lanes import Lane

__all__ = ["MIN_HISTORY", "MemoryOutcomes", "prior_of"]

MIN_HISTORY = 20  # outcomes of a task type before its history says anything


def prior_of(ok: int, total: int, *, least: int = MIN_HISTORY) -> float | None:
    """The share (0..1) of outcomes in which fast did not suffice, smoothed; None while the type is unknown."""
    if total < least:
        return None
    return (total - ok + 1) / (total + 2)


class MemoryOutcomes:
    """Counts in memory; the twin of the ledger in the database. Thread-safe."""

    def __init__(self, *, least: int = MIN_HISTORY) -> None:
        self._least = least
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}

    def record(self, task: str, lane: Lane, sufficed: bool) -> None:
        """One outcome of a lane on a task type."""
        with self._lock:
            ok, total = self._counts.get((task, lane.value), (0, 0))
            self._counts[task, lane.value] = (ok + sufficed, total + 1)

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """{(task, lane): (sufficed, all)}."""
        with self._lock:
            return dict(self._counts)

    def priors(self) -> Mapping[str, float]:
        """Task type -> share in which fast did not suffice; task types without history are not in it."""
        found = {}
        for (task, lane), (ok, total) in self.counts().items():
            prior = prior_of(ok, total, least=self._least) if lane == Lane.FAST else None
            if prior is not None:
                found[task] = prior
        return found
