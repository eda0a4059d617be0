"""What happened before: for each task type, how often the fast lane did not do. Feeds the score as its prior.

The counts live in the database (`store.tables.OutcomeLedger`); here is what they mean, and a twin in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from lancelot.routing.lanes import Lane

__all__ = ["MIN_HISTORY", "MemoryOutcomes", "Prior", "priors_of"]

MIN_HISTORY = 20  # outcomes of a task type before its history says anything
Prior = tuple[float, int]  # share (0..1) in which fast did not suffice, outcomes behind it


def priors_of(counts: Mapping[tuple[str, str], tuple[int, int]], *, least: int = MIN_HISTORY) -> dict[str, Prior]:
    """Task type -> prior; a type with fewer than `least` outcomes is unknown and not in it."""
    return {
        task: ((total - good + 1) / (total + 2), total)
        for (task, lane), (good, total) in counts.items()
        if lane == Lane.FAST and total >= least
    }


class MemoryOutcomes:
    """Counts in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}

    def record(self, task: str, lane: str, sufficed: bool) -> None:
        """One outcome of a lane on a task type."""
        with self._lock:
            good, total = self._counts.get((task, str(lane)), (0, 0))
            self._counts[task, str(lane)] = (good + sufficed, total + 1)

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """{(task, lane): (sufficed, all)}."""
        with self._lock:
            return dict(self._counts)
