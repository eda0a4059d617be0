"""Continuous batching: the plans of all running requests share each forward pass.

One `Batcher` drives one context. `submit` may be called from any thread; everything else runs on the engine's thread,
which calls `step` for as long as there is work.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from local_models.errors import EngineFailed, ModelError
from local_models.llama import CacheFull, Logits, Slot
from local_models.running import Counters, Decoder, Running, slots_of
from local_models.waiting import FairQueue
from local_models.work import Branch, Cancelled, Fork, Job, Late, Pass, Plan, Prefix, Ticket, Want

__all__ = ["Batcher"]

T = TypeVar("T")


class Batcher:
    """Admits jobs in fair order while sequences and cells last, packs their tokens into shared passes.

    Args:
        keep: prefixes (label lists, schemas) kept beside the pinned ones, least recently used first out.
        capacity: waiting requests before new ones are refused.
        shares: a batcher whose queue and lock this one works from, too; requests are submitted there.
    """

    def __init__(
        self,
        context: Decoder,
        *,
        keep: int = 12,
        capacity: int = 256,
        wake: Callable[[], None] | None = None,
        shares: Batcher | None = None,
    ) -> None:
        self.context = context
        self.weights = context.weights
        self.counters = Counters()
        self._wake = wake or (lambda: None)
        self._lock: threading.Lock = shares._lock if shares else threading.Lock()
        self._queue: FairQueue = shares._queue if shares else FairQueue(capacity)
        self._shares = shares is not None
        self._keep = keep
        self._free = list(range(context.sequences - 1, -1, -1))
        self._prefixes: OrderedDict[Prefix, int] = OrderedDict()
        self._building: set[Prefix] = set()
        self._running: list[Running] = []
        self._reserved = 0
        self._closed = False
        self._seconds_each = 0.1  # moving average of one request's time in the engine
        self.last_progress = time.monotonic()

    # --- any thread

    def submit(
        self,
        plan: Callable[[Batcher], Plan[T]],
        *,
        cells: int,
        caller: str = "",
        deadline: float | None = None,
        reads: int = 0,
    ) -> Ticket[T]:
        """Queue a plan; its ticket's future gets the plan's return value. reads: tokens of its first pass.

        Raises:
            Busy: the queue is full.
            EngineFailed: the engine is draining, or the request can never fit.
        """
        if not self.fits(cells):
            raise EngineFailed("The request is larger than the model's memory.", code="too_large_for_model")
        job: Job[T] = Job(plan, cells, caller, deadline, Ticket(self._wake), reads=reads)  # type: ignore[arg-type]
        with self._lock:
            if self._closed:
                raise EngineFailed("The local model is shutting down.", code="draining", retry_after=2.0)
            try:
                self._queue.put(job, retry_after=self._wait_guess())
            except ModelError:
                self.counters.refused += 1
                raise
            if not self._running:
                self.last_progress = time.monotonic()
        self._wake()
        return job.ticket

    @property
    def waiting(self) -> int:
        """Requests in this batcher's own queue."""
        return 0 if self._shares else len(self._queue)

    @property
    def active(self) -> int:
        """Requests in progress."""
        return sum(1 for running in self._running if running.job is not None)

    @property
    def idle(self) -> bool:
        return not self._running and not self.waiting

    def turn(self) -> Job[Any] | None:
        """The waiting job whose turn it is."""
        with self._lock:
            return self._queue.peek()

    def fits(self, cells: int) -> bool:
        """Whether a request of so many cells could run alone."""
        return cells <= self._cells_for_jobs()

    def close(self) -> None:
        """Take no new work; what is queued and running still finishes."""
        with self._lock:
            self._closed = True

    def abandon(self, problem: ModelError) -> None:
        """Fail everything that waits or runs (engine thread, or after it has ended)."""
        with self._lock:
            waiting = self._queue.drain()
        for job in waiting:
            _fail(job, problem)
        for running in list(self._running):
            self._end(running, problem=problem)

    def _cells_for_jobs(self) -> int:
        return self.context.cells - 64 - sum(prefix.length for prefix in self._prefixes if prefix.pinned)

    def _wait_guess(self) -> float:
        return max(1.0, round(len(self._queue) * self._seconds_each, 1))

    # --- the room plans live in (engine thread)

    def branches(self, source: Branch, count: int) -> list[Branch]:
        """Up to count further sequences that share all tokens of source."""
        made: list[Branch] = []
        while len(made) < count and len(self._free) > 4:  # the rest is for forks already promised
            sequence = self._free.pop()
            self.context.copy(source.sequence, sequence, source.length)
            self._owner(source.sequence).owned.add(sequence)
            made.append(Branch(sequence, source.length))
        return made

    def rewind(self, branch: Branch) -> None:
        """Forget what was evaluated after the branch's length."""
        self.context.cut(branch.sequence, branch.length)

    def release(self, branch: Branch) -> None:
        """Give a branch's sequence back."""
        self._owner(branch.sequence).owned.discard(branch.sequence)
        self._give_back(branch.sequence)

    def _owner(self, sequence: int) -> Running:
        return next(running for running in self._running if sequence in running.owned)

    def _give_back(self, sequence: int) -> None:
        self.context.cut(sequence)
        self._free.append(sequence)

    # --- one round (engine thread)

    def step(self, *, admit: bool = True) -> bool:
        """Admit, evaluate one shared pass, hand out its logits. False when there was nothing to evaluate."""
        self._sweep()
        if admit:
            self._admit()
        chosen = self._pack()
        if not chosen:
            return False
        slots = [slot for _, slots in chosen for slot in slots]
        try:
            rows = self.context.decode(slots)
        except CacheFull:
            self._make_room()
            return True
        except EngineFailed as problem:
            for running, _ in chosen:
                self._end(running, problem=problem)
            return True
        self.counters.passes += 1
        self.counters.tokens_evaluated += len(slots)
        self.last_progress = time.monotonic()
        start = 0
        for running, mine in chosen:
            self._deliver(running, mine, rows[start : start + len(mine)])
            start += len(mine)
        return True

    def _sweep(self) -> None:
        now = time.monotonic()
        with self._lock:
            gone = self._queue.sweep(now) if len(self._queue) else []
        for job in gone:
            self._count_end(job)
            _fail(job, Cancelled() if job.ticket.cancelled else Late())
        for running in list(self._running):
            if running.job is None:
                continue
            if running.job.ticket.cancelled:
                self._end(running, problem=Cancelled())
            elif running.job.deadline is not None and now >= running.job.deadline:
                self._end(running, problem=Late())

    def _admit(self) -> None:
        while self._free:
            with self._lock:
                job = self._queue.peek()
                # a lone request always runs: what it needs was checked against the whole cache
                if job is None or (self.active and self._reserved + job.cells > self._cells_for_jobs()):
                    return
                if len(self._free) < 4 and self.active:
                    return
                self._queue.take()
            self._reserved += job.cells
            job.ticket.timing.queue_ms = (time.monotonic() - job.queued_at) * 1000
            running = Running(job.plan(self), job)
            self._running.append(running)
            self._advance(running, None)

    def _pack(self) -> list[tuple[Running, list[Slot]]]:
        """Short passes first, so that an answer being written never waits for a long prompt; but the oldest long one
        always gets a quarter of the width."""
        ready = [running for running in self._running if running.passes]
        if not ready:
            return []
        width = self.context.width
        oldest = ready[0]
        order = sorted(ready, key=lambda running: running.left)
        kept_back = min(oldest.left, width // 4)
        chosen: list[tuple[Running, list[Slot]]] = []
        for running in order:
            room = width if running is oldest else width - kept_back
            used = sum(len(slots) for _, slots in chosen)
            take = min(running.left, room - used)
            if take > 0:
                chosen.append((running, slots_of(running, take)))
                if running is oldest:
                    kept_back = 0
        return chosen

    def _deliver(self, running: Running, slots: list[Slot], rows: list[Logits | None]) -> None:
        running.rows += [row for row in rows if row is not None]
        running.done += len(slots)
        if running.job:
            running.job.ticket.timing.passes += 1
        while running.passes and running.done >= len(running.passes[0].tokens):
            running.done -= len(running.passes.pop(0).tokens)
        if not running.passes:
            rows_got, running.rows = running.rows, []
            self._advance(running, rows_got)

    def _advance(self, running: Running, reply: Any) -> None:
        """Run a plan until it needs the engine again or is over."""
        while True:
            try:
                want: Want = running.plan.send(reply)
            except StopIteration as finished:
                self._end(running, value=finished.value)
                return
            except ModelError as problem:
                self._end(running, problem=problem)
                return
            except Exception as problem:  # noqa: BLE001 one broken plan must not take the engine's thread down
                self._end(running, problem=EngineFailed(f"Internal error ({type(problem).__name__}).", code="internal"))
                return
            if isinstance(want, Fork):
                branch = self._fork(running, want.prefix)
                if branch is None:
                    return
                reply = branch
                continue
            running.passes = [p for p in want if p.tokens]
            if running.passes:
                if running.job:
                    running.job.ticket.timing.prompt_tokens += sum(len(p.tokens) for p in running.passes if p.prompt)
                return
            reply = []

    def _end(self, running: Running, *, value: Any = None, problem: ModelError | None = None) -> None:
        if running in self._running:
            self._running.remove(running)
        running.plan.close()
        if running.job is None:
            self._built(running, problem)
            return
        for sequence in running.owned:
            self._give_back(sequence)
        running.owned.clear()
        job = running.job
        self._reserved -= job.cells
        spent = time.monotonic() - running.started
        self._seconds_each = 0.9 * self._seconds_each + 0.1 * spent
        job.ticket.timing.engine_ms = spent * 1000
        self.counters.engine_seconds += spent
        self.counters.tokens_generated += job.ticket.timing.output_tokens
        self.counters.tokens_from_cache += job.ticket.timing.cached_tokens
        self._count_end(job, problem)
        if problem is not None:
            _fail(job, problem)
        elif job.ticket.future.set_running_or_notify_cancel():
            job.ticket.future.set_result(value)

    def _count_end(self, job: Job[Any], problem: ModelError | None = None) -> None:
        self.counters.requests += 1
        if job.ticket.cancelled:
            self.counters.cancelled += 1
        elif isinstance(problem, Late) or (job.deadline is not None and time.monotonic() >= job.deadline):
            self.counters.late += 1
        elif problem is not None:
            self.counters.failed += 1

    # --- prefixes (engine thread)

    def _fork(self, running: Running, prefix: Prefix | None) -> Branch | None:
        """A branch that starts with the prefix, or None after parking the plan until the prefix is built."""
        if prefix is not None and prefix not in self._prefixes:
            running.waits_for = prefix
            if prefix not in self._building:
                self._building.add(prefix)
                build = Running(_build(prefix), None, prefix=prefix)
                self._running.insert(0, build)
                self._advance(build, None)
            return None
        if not self._free:
            self._evict_one()
        sequence = self._free.pop()
        running.owned.add(sequence)
        if prefix is None:
            return Branch(sequence, 0)
        self._prefixes.move_to_end(prefix)
        self.context.copy(self._prefixes[prefix], sequence, prefix.length)
        if running.job:
            running.job.ticket.timing.cached_tokens += prefix.length
        return Branch(sequence, prefix.length)

    def _built(self, build: Running, problem: ModelError | None) -> None:
        prefix = build.prefix
        assert prefix is not None
        self._building.discard(prefix)
        if problem is not None:
            for sequence in build.owned:
                self._give_back(sequence)
        else:
            (sequence,) = build.owned
            self._prefixes[prefix] = sequence
            while sum(1 for kept in self._prefixes if not kept.pinned) > self._keep:
                self._evict_one()
        for running in [running for running in self._running if running.waits_for == prefix]:
            running.waits_for = None
            if problem is not None:
                self._end(running, problem=problem)
                continue
            branch = self._fork(running, prefix)
            if branch is not None:
                self._advance(running, branch)

    def _evict_one(self) -> None:
        victim = next((prefix for prefix in self._prefixes if not prefix.pinned), None)
        if victim is not None:
            self._give_back(self._prefixes.pop(victim))

    def _make_room(self) -> None:
        """The cache is full although requests were counted: forget a prefix, else give up the newest request."""
        before = len(self._prefixes)
        self._evict_one()
        if len(self._prefixes) == before:
            newest = next((running for running in reversed(self._running) if running.job), None)
            if newest is not None:
                self._end(newest, problem=CacheFull())


def _build(prefix: Prefix) -> Plan[None]:
    branch: Branch = yield Fork(prefix.parent)
    yield [Pass(branch.sequence, branch.length, list(prefix.tokens))]


def _fail(job: Job[Any], problem: ModelError) -> None:
    if job.ticket.future.set_running_or_notify_cancel():
        job.ticket.future.set_exception(problem)
