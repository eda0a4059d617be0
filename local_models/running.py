"""A plan in progress, what it has got so far, and the tokens of it that go into the next pass; and what is counted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_models.llama import Logits, Slot, Weights
from local_models.work import Job, Pass, Plan, Prefix

__all__ = ["Counters", "Decoder", "Running", "slots_of"]


class Decoder(Protocol):
    """What a batcher needs of a context; tests hand in a counting one."""

    weights: Weights
    cells: int
    sequences: int
    width: int

    def decode(self, slots: list[Slot]) -> list[Logits | None]: ...
    def copy(self, source: int, target: int, length: int) -> None: ...
    def cut(self, sequence: int, start: int = 0) -> None: ...


@dataclass(slots=True, eq=False)
class Running:
    """A plan in progress: what it waits for and what it has got so far."""

    plan: Plan[Any]
    job: Job[Any] | None  # None: the build of a prefix
    prefix: Prefix | None = None
    owned: set[int] = field(default_factory=set)
    passes: list[Pass] = field(default_factory=list)
    done: int = 0  # tokens of passes[0] already evaluated
    rows: list[Logits] = field(default_factory=list)
    waits_for: Prefix | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> int:
        return sum(len(p.tokens) for p in self.passes) - self.done


@dataclass(slots=True)
class Counters:
    """What happened so far, for /metrics."""

    requests: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    late: int = 0
    passes: int = 0
    tokens_evaluated: int = 0
    tokens_from_cache: int = 0
    tokens_generated: int = 0
    engine_seconds: float = 0.0  # of all requests; those of shared passes count for each


def slots_of(running: Running, take: int) -> list[Slot]:
    """The next `take` tokens of a plan, each with where it goes and whether its logits are wanted."""
    slots: list[Slot] = []
    skip = running.done
    for item in running.passes:
        for index in range(skip, len(item.tokens)):
            if len(slots) == take:
                return slots
            wanted = item.every or index == len(item.tokens) - 1
            slots.append(Slot(item.tokens[index], item.position + index, item.sequence, wanted))
        skip = 0
    return slots
