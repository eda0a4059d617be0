"""What the engine's thread and its plans say to each other: passes to evaluate, prefixes to start from, tickets.

A plan is a generator. It yields `Fork` (start from a cached prefix) or a list of `Pass` (tokens to evaluate); it
receives a `Branch`, or one array of logits for each wanted token. Between yields it may use its `Room` freely: both run
on the engine's thread, so nothing here is locked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from local_models.errors import EngineFailed
from local_models.llama import Weights

__all__ = ["Branch", "Cancelled", "Fork", "Job", "Late", "Pass", "Plan", "Prefix", "Room", "Ticket", "Timing"]

T = TypeVar("T")


class Late(EngineFailed):
    code, status = "deadline_passed", 504
    title = "The local model did not answer before the deadline."
    hint = "Try again, or allow more time."


class Cancelled(EngineFailed):
    code, status = "cancelled", 499
    title = "The request was cancelled."
    hint = "Nothing to do: the caller has gone."


@dataclass(frozen=True)
class Prefix:
    """Tokens every request of a kind starts with: evaluated once, kept as a sequence; `pinned` ones stay for good."""

    name: str
    tokens: tuple[int, ...]
    parent: Prefix | None = None
    pinned: bool = False

    @property
    def length(self) -> int:
        """Tokens including the parents'."""
        return len(self.tokens) + (self.parent.length if self.parent else 0)


@dataclass(frozen=True, slots=True)
class Fork:
    """Ask for a sequence of one's own that begins with the prefix (None: empty)."""

    prefix: Prefix | None


@dataclass(frozen=True, slots=True)
class Branch:
    """A sequence of a plan's own and how many tokens it holds."""

    sequence: int
    length: int


@dataclass(slots=True)
class Pass:
    """Tokens to append to a sequence at a position. `wanted`: logits after the last token, or after every one."""

    sequence: int
    position: int
    tokens: list[int]
    every: bool = False
    prompt: bool = True  # False: tokens of an answer, not of the question


Want = Fork | list[Pass]
Plan = Generator[Want, Any, T]


class Room(Protocol):
    """What a plan may do between passes."""

    weights: Weights

    def branches(self, source: Branch, count: int) -> list[Branch]:
        """Up to `count` further sequences that share all tokens of source (fewer when sequences are scarce)."""
        ...

    def rewind(self, branch: Branch) -> None:
        """Forget what was evaluated after the branch's length."""
        ...

    def release(self, branch: Branch) -> None:
        """Give a branch back."""
        ...


@dataclass(slots=True)
class Timing:
    """Where one request's time and tokens went; milliseconds and token counts."""

    queue_ms: float = 0.0
    engine_ms: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    passes: int = 0


class Ticket(Generic[T]):
    """A request on its way: a future, its timing, and a cancel that takes effect before the next pass."""

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        self.future: Future[T] = Future()
        self.timing = Timing()
        self._cancelled = threading.Event()
        self._wake = wake

    def cancel(self) -> None:
        """Stop working on it; the future ends with `Cancelled`."""
        self._cancelled.set()
        if self._wake:
            self._wake()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def result(self, timeout: float | None = None) -> T:
        """Wait for the outcome, in seconds."""
        return self.future.result(timeout)


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """A plan waiting for its turn.

    Attributes:
        cells: the most KV cells it will hold at once beyond pinned prefixes.
        caller: whose turn it is in the fair queue.
        deadline: time.monotonic() after which it is given up.
        reads: tokens of its first pass.
    """

    plan: Callable[[Room], Plan[T]]
    cells: int
    caller: str = ""
    deadline: float | None = None
    ticket: Ticket[T] = field(default_factory=Ticket)
    queued_at: float = field(default_factory=time.monotonic)
    reads: int = 0
