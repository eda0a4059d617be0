"""One request goes to the quick cache, many or long ones to the wide one; one queue serves both."""

from __future__ import annotations

import time

import pytest

from local_models.errors import Busy, EngineFailed
from local_models.pair import CROWD, LINGER_S, LONG, Pair
from local_models.work import Prefix, Ticket
from tests.local_models.engine_fakes import FakeDecoder, say_plan

HEAD = Prefix("head", tuple(b"system:"), None, True)


def pair(**terms: object) -> tuple[Pair, FakeDecoder, FakeDecoder]:
    quick, wide = FakeDecoder(cells=512), FakeDecoder()
    return Pair(quick, wide, linger=lambda _seconds: None, **terms), quick, wide  # type: ignore[arg-type]


def ask(both: Pair, text: str = "hello", answer: int = 1, caller: str = "") -> Ticket[list[int]]:
    plan = say_plan(HEAD, list(text.encode()), answer)
    return both.submit(plan, cells=len(text) + answer, caller=caller, reads=len(text))


def finish(both: Pair) -> None:
    while both.step():
        continue


def test_a_request_that_is_alone_is_quick() -> None:
    both, quick, wide = pair()
    for _ in range(3):
        ticket = ask(both)
        finish(both)
        assert ticket.result(0) == [ord("o")]
    assert quick.evaluated == len("system:") + 3 * len("hello")
    assert wide.evaluated == 0


def test_many_requests_share_the_wide_passes() -> None:
    both, quick, wide = pair()
    tickets = [ask(both) for _ in range(8)]
    finish(both)
    assert all(ticket.result(0) for ticket in tickets)
    assert quick.evaluated == 0
    assert len(wide.batches) == 2, "the prefix, then all eight"


@pytest.mark.parametrize("length", [LONG, 600])
def test_a_long_text_is_read_wide(length: int) -> None:
    both, quick, wide = pair()
    ticket = ask(both, "x" * length)
    finish(both)
    assert ticket.result(0)
    assert quick.evaluated == 0
    assert wide.evaluated == len("system:") + length


def test_a_request_too_large_for_the_quick_cache_runs_in_the_wide_one() -> None:
    both, quick, _ = pair()
    ticket = ask(both, "x", answer=700)
    finish(both)
    assert len(ticket.result(0)) == 700
    assert quick.evaluated == 0


def test_those_who_come_while_one_writes_join_the_other_cache() -> None:
    both, quick, wide = pair()
    first = ask(both, answer=20)
    both.step()
    others = [ask(both) for _ in range(CROWD)]
    finish(both)
    assert len(first.result(0)) == 20
    assert all(other.result(0) for other in others)
    assert quick.evaluated
    assert wide.evaluated


def test_one_queue_one_capacity_one_end() -> None:
    both, _, _ = pair(capacity=4)
    for number in range(4):
        ask(both, caller=str(number))
    with pytest.raises(Busy):
        ask(both, caller="late")
    assert both.waiting == 4
    assert both.counters.refused == 1
    both.close()
    with pytest.raises(EngineFailed, match="shutting down"):
        ask(both)
    finish(both)
    assert both.counters.requests == 4
    assert both.idle


def test_callers_who_were_answered_together_are_waited_for() -> None:
    """The next requests of a crowd arrive one by one; the pass waits for them, and not for longer than it says."""
    quick, wide = FakeDecoder(cells=512), FakeDecoder()
    late: list[Ticket[list[int]]] = []
    both = Pair(quick, wide, linger=lambda _seconds: late.append(ask(both)) if len(late) < 5 else None)
    tickets = [ask(both) for _ in range(6)]
    both.step()  # the prefix
    both.step()
    assert all(ticket.future.done() for ticket in tickets)
    ask(both)
    both.step()
    assert len(late) == 5
    assert all(ticket.future.done() for ticket in late), "in one pass"
    assert quick.evaluated == 0


def test_nobody_is_waited_for_who_does_not_come() -> None:
    both = Pair(FakeDecoder(cells=512), FakeDecoder())
    for _ in range(6):
        ask(both)
    both.step()
    both.step()
    begun = time.monotonic()
    assert not both.step()
    assert time.monotonic() - begun < 20 * LINGER_S
