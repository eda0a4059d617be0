"""Answers shared by all who wait for them, and kept while nothing changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lancelot.store.answers import Answers


class Desk:
    """A question whose working-out waits for `open`, counting how often it is worked out."""

    def __init__(self) -> None:
        self.state = 0
        self.asked = 0
        self.begun = threading.Semaphore(0)
        self.open = threading.Semaphore(0)
        self.answers = Answers(lambda: self.state, kept=2)

    def ask(self, question: str = "sum") -> int:
        return self.answers.get(question, self._work)

    def _work(self) -> int:
        self.asked += 1
        found = self.state
        self.begun.release()
        self.open.acquire()
        return found


def test_an_answer_is_kept_until_something_changes() -> None:
    desk = Desk()
    desk.open.release()
    assert [desk.ask(), desk.ask()] == [0, 0]
    assert desk.asked == 1
    desk.state = 7
    desk.open.release()
    assert desk.ask() == 7
    assert desk.asked == 2


def test_who_comes_during_the_work_gets_what_was_there_when_it_came() -> None:
    desk = Desk()
    with ThreadPoolExecutor(40) as pool:
        first = pool.submit(desk.ask)
        desk.begun.acquire()
        desk.state = 1  # written after the first working-out began
        late = [pool.submit(desk.ask) for _ in range(32)]
        for _ in range(2):
            desk.open.release()
        assert first.result(30) == 0
        assert [one.result(30) for one in late] == [1] * 32
    # whoever came while the second was running found it kept; nothing was worked out a third time
    assert desk.asked == 2


def test_different_questions_do_not_wait_for_each_other() -> None:
    desk = Desk()
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(desk.ask, question) for question in ("sum", "list")]
        for _ in both:
            assert desk.begun.acquire(timeout=30)
        for _ in both:
            desk.open.release()
        assert [one.result(30) for one in both] == [0, 0]


def test_an_error_reaches_those_who_wait_and_is_not_kept() -> None:
    answers = Answers(lambda: 0)
    calls = []

    def work() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("down")
        return 5

    with pytest.raises(ValueError, match="down"):
        answers.get("sum", work)
    assert answers.get("sum", work) == 5


def test_only_so_many_are_kept() -> None:
    desk = Desk()
    for question in ("a", "b", "c", "a"):
        desk.open.release()
        desk.ask(question)
    assert desk.asked == 4  # `a` had to make room for `c`
