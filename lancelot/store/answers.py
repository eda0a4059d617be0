"""Answers asked for again and again: worked out once for all who wait, and kept until something new is written.

A caller who comes while an answer is being worked out joins the *next* one: what was written before it asked is in what
it gets. Under 32 callers that is two workings-out at a time in place of 32.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

__all__ = ["Answers"]

T = TypeVar("T")

KEPT = 64


class Answers:
    """A bounded memory of answers; safe from any thread.

    Args:
        state: settles what is to be counted and names the state it is in; an answer holds as long as the name does.
        kept: answers at most; the one not asked for longest goes first.
    """

    def __init__(self, state: Callable[[], Hashable], *, kept: int = KEPT) -> None:
        self._state = state
        self._kept = kept
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()
        self._running: dict[Hashable, Future[Any]] = {}
        self._next: dict[Hashable, Future[Any]] = {}

    def get(self, question: Hashable, work: Callable[[], T]) -> T:
        """The answer: the kept one if nothing has changed, else `work()`, once for all who ask meanwhile.

        Whoever shares it must not change it. An error of `work` reaches all who wait for it, and is not kept.
        """
        mine: Future[T] = Future()
        with self._lock:
            shared, before = self._next.get(question), self._running.get(question)
            if shared is None:
                (self._running if before is None else self._next)[question] = mine
        if shared is not None:
            return shared.result()  # type: ignore[no-any-return]
        if before is not None:
            wait([before])  # until it is our turn, others join us
            with self._lock:
                self._running[question] = self._next.pop(question)
        try:
            mine.set_result(self._find(question, work))
        except BaseException as problem:
            mine.set_exception(problem)
            raise
        finally:
            with self._lock:
                if self._running.get(question) is mine:
                    del self._running[question]
        return mine.result()

    def _find(self, question: Hashable, work: Callable[[], T]) -> T:
        state = self._state()
        with self._lock:
            known = self._answers.get(question)
            if known is not None and known[0] == state:
                self._answers.move_to_end(question)
                return known[1]  # type: ignore[no-any-return]
        found = work()
        with self._lock:
            self._answers[question] = (state, found)
            self._answers.move_to_end(question)
            if len(self._answers) > self._kept:
                self._answers.popitem(last=False)
        return found
