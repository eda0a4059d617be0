"""The one thread all that computes runs on: it loads the weights, drives the batchers, and frees the memory again.

thread = EngineThread(weights, adapter)      returns when the weights are loaded
thread.tasks.submit(plan, cells=…)           from any thread
thread.close()
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from local_models.batching import Batcher
from local_models.errors import EngineFailed
from local_models.llama import Adapter, Context, Weights
from local_models.pair import LONG, Pair

__all__ = ["EngineSettings", "EngineThread"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Sizes, in tokens unless said otherwise.

    Attributes:
        task_cells, quick_cells, chat_cells: KV caches: for tasks, for a task that is alone (x86 only), for chat.
        width: most tokens of one forward pass; small, so that a short request never waits long behind a long one.
        window: most tokens of a text read at once; redact_window: for redact, which overlooks things in longer ones.
        threads: 0 takes the CPUs this process may use.
        capacity: waiting requests before new ones are refused.
    """

    task_cells: int = 4096
    quick_cells: int = 2048
    chat_cells: int = 3072
    width: int = 192
    window: int = 640
    redact_window: int = 192
    overlap: int = 48
    threads: int = 0
    capacity: int = 256

    def with_threads(self) -> EngineSettings:
        return self if self.threads else replace(self, threads=len(os.sched_getaffinity(0)))


class EngineThread:
    """Weights, contexts and batchers of one model, and the thread they live on.

    Args and errors: those of `Engine`, which adds the tasks.
    """

    def __init__(
        self,
        weights: Path,
        adapter: Path | None = None,
        chat_weights: Path | None = None,
        *,
        settings: EngineSettings | None = None,
    ) -> None:
        self.settings = (settings or EngineSettings()).with_threads()
        self._chat_file = chat_weights
        self._chat_weights: Weights | None = None
        self._condition = threading.Condition()
        self._stopping = False
        self._contexts: list[Context] = []
        self._chat: Batcher | None = None
        self._errands: list[tuple[Future[None], Callable[[], None]]] = []
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(weights, adapter, opened), name="local-model", daemon=True
        )
        self._thread.start()
        opened.result()

    @property
    def stalled_for(self) -> float:
        """Seconds since the last forward pass while there is work to do; 0 when idle."""
        busy = [b for b in (self.tasks, self._chat) if b is not None and not b.idle]
        return max((time.monotonic() - b.last_progress for b in busy), default=0.0)

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._thread.is_alive()

    def batchers(self) -> dict[str, Batcher | Pair]:
        """The batchers in use, by name; for metrics."""
        return {"tasks": self.tasks} | ({"chat": self._chat} if self._chat else {})

    def drain(self, timeout: float) -> bool:
        """Refuse new work and wait for what is queued and running, at most timeout seconds. Whether all got done."""
        for batcher in self.batchers().values():
            batcher.close()
        until = time.monotonic() + timeout
        with self._condition:
            while any(not batcher.idle for batcher in self.batchers().values()):
                left = until - time.monotonic()
                if left <= 0 or not self.alive:
                    return False
                self._condition.wait(min(left, 0.05))
        return True

    def close(self) -> None:
        """Stop the thread, fail what is unfinished, free the memory."""
        for batcher in self.batchers().values():
            batcher.close()
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join(timeout=30)
        if self._thread.is_alive():
            return  # a decode hangs: its memory cannot be freed safely
        for batcher in self.batchers().values():
            batcher.abandon(EngineFailed("The local model was stopped.", code="stopped"))
        for context in self._contexts:
            context.close()
        for weights in (self._chat_weights, self._weights):
            if weights:
                weights.close()

    def _run(self, weights: Path, adapter: Path | None, opened: Future[None]) -> None:
        """The thread: all that computes runs here, loading too, since OpenMP keeps a team of threads for each thread
        that ever computed, and two teams on the same cores are in each other's way (see docs/decisions/0040)."""
        _settle(opened, lambda: self._load(weights, adapter))
        if not opened.exception():
            self._loop()

    def _load(self, weights: Path, adapter: Path | None) -> None:
        self._weights = Weights(weights)
        self._adapted = Adapter(self._weights, adapter) if adapter else None
        self.tasks = self._task_batchers()

    def _loop(self) -> None:
        try:
            while True:
                with self._condition:
                    while not (self._stopping or self._errands or any(not b.idle for b in self.batchers().values())):
                        self._condition.notify_all()
                        self._condition.wait()
                    if self._stopping:
                        return
                    errands, self._errands = self._errands, []
                for future, work in errands:
                    _settle(future, work)
                for batcher in list(self.batchers().values()):
                    batcher.step()
        finally:
            with self._condition:
                failed, self._stopping = not self._stopping, True
                errands, self._errands = self._errands, []
            for future, _ in errands:
                future.set_exception(EngineFailed("The local model was stopped.", code="stopped"))
            for batcher in self.batchers().values():
                batcher.close()
                if failed:  # a defect ended this thread: nobody may wait for ever
                    batcher.abandon(EngineFailed("The local model's engine has failed.", code="engine_dead"))

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _context(
        self, weights: Weights, cells: int, adapter: Adapter | None, *, sequences: int, half: str, small: bool = False
    ) -> Context:
        """small: narrow passes. Each token of a pass and each sequence holds a row of logits, so both are kept few."""
        made = Context(
            weights,
            cells=cells,
            sequences=sequences,
            width=min(LONG, self.settings.width) if small else self.settings.width,
            threads=self.settings.threads,
            half=half,
            adapter=adapter,
        )
        self._contexts.append(made)
        return made

    def _task_batchers(self) -> Batcher | Pair:
        wide = self._context(self._weights, self.settings.task_cells, self._adapted, sequences=48, half="f16")
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return Batcher(wide, capacity=self.settings.capacity, wake=self._notify)
        cells = self.settings.quick_cells
        quick = self._context(self._weights, cells, self._adapted, sequences=24, half="bf16", small=True)
        return Pair(quick, wide, capacity=self.settings.capacity, wake=self._notify)

    def _chat_batcher(self) -> Batcher | Pair:
        """The base model's batcher, made at the first chat; the tasks' own where nothing is adapted."""
        if self._chat is None and (self._adapted is not None or self._chat_file is not None):
            made: Future[None] = Future()
            with self._condition:
                if self._stopping:
                    raise EngineFailed("The local model was stopped.", code="stopped")
                self._errands.append((made, self._load_chat))
                self._condition.notify_all()
            made.result()
        return self._chat or self.tasks

    def _load_chat(self) -> None:
        if self._chat is None:
            self._chat_weights = Weights(self._chat_file) if self._chat_file else None
            weights, cells = self._chat_weights or self._weights, self.settings.chat_cells
            context = self._context(weights, cells, None, sequences=16, half="f16", small=True)
            self._chat = Batcher(context, capacity=self.settings.capacity, wake=self._notify)


def _settle(future: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
        future.set_result(None)
    except BaseException as problem:  # noqa: BLE001 it belongs to who waits for it
        future.set_exception(problem)
