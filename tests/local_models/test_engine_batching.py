"""Requests share forward passes, prefixes are evaluated once, the queue is fair, and nobody waits for ever."""

from __future__ import annotations

import time

import pytest

from local_models.batching import Batcher
from local_models.errors import Busy, EngineFailed
from local_models.work import Branch, Cancelled, Fork, Late, Pass, Plan, Prefix, Room
from tests.local_models.engine_fakes import FakeDecoder, run, submit


def prefix(text: str, *, pinned: bool = False, parent: Prefix | None = None) -> Prefix:
    return Prefix(text, tuple(text.encode()), parent, pinned)


def test_eight_requests_share_their_passes() -> None:
    alone = FakeDecoder()
    batcher = Batcher(alone)
    submit(batcher, answer=10)
    run(batcher)
    together = FakeDecoder()
    batcher = Batcher(together)
    tickets = [submit(batcher, answer=10) for _ in range(8)]
    run(batcher)
    assert all(ticket.result(0) == [ord("o")] * 10 for ticket in tickets)
    assert len(together.batches) <= len(alone.batches) + 1


def test_a_prefix_is_evaluated_once_and_its_parent_too() -> None:
    decoder = FakeDecoder()
    batcher = Batcher(decoder)
    head = prefix("system:", pinned=True)
    tail = prefix("labels", parent=head)
    for _ in range(3):
        ticket = submit(batcher, "x", 1, prefix=tail)
        run(batcher)
        assert ticket.timing.cached_tokens == len("system:labels")
        assert ticket.timing.prompt_tokens == 1
    assert decoder.evaluated == len("system:labels") + 3


def test_requests_that_wait_for_one_prefix_build_it_once() -> None:
    decoder = FakeDecoder()
    batcher = Batcher(decoder)
    tickets = [submit(batcher, "x", 1, prefix=prefix("shared")) for _ in range(5)]
    run(batcher)
    assert all(ticket.future.done() for ticket in tickets)
    assert decoder.evaluated == len("shared") + 5


def test_the_least_recently_used_prefix_goes_and_a_pinned_one_stays() -> None:
    decoder = FakeDecoder()
    batcher = Batcher(decoder, keep=2)
    names = ["pin", "a", "b", "a", "c", "a", "pin"]
    cached = []
    for name in names:
        before = decoder.evaluated
        submit(batcher, "x", 1, prefix=prefix(name, pinned=name == "pin"))
        run(batcher)
        cached.append(decoder.evaluated - before == 1)
    assert cached == [False, False, False, True, False, True, True]
    before = decoder.evaluated
    submit(batcher, "x", 1, prefix=prefix("b"))
    run(batcher)
    assert decoder.evaluated - before == 2, "b was evicted by c"


def test_all_sequences_come_back() -> None:
    decoder = FakeDecoder(sequences=8)
    batcher = Batcher(decoder)
    tickets = [submit(batcher, answer=3) for _ in range(50)]
    run(batcher)
    assert all(ticket.result(0) for ticket in tickets)
    assert all(not tokens for tokens in decoder.held.values())


def test_the_engines_own_time_is_added_up() -> None:
    batcher = Batcher(FakeDecoder(sequences=8))
    tickets = [submit(batcher, answer=3) for _ in range(5)]
    run(batcher)
    assert all(ticket.result(0) for ticket in tickets)
    added = sum(ticket.timing.engine_ms for ticket in tickets) / 1000
    assert batcher.counters.engine_seconds == pytest.approx(added)
    assert added > 0


def test_one_callers_flood_does_not_hold_up_another() -> None:
    batcher = Batcher(FakeDecoder(sequences=6))
    flood = [submit(batcher, answer=5, caller="flood") for _ in range(40)]
    single = submit(batcher, answer=5, caller="single")
    while not single.future.done():
        assert batcher.step()
    assert sum(ticket.future.done() for ticket in flood) < 10


def test_a_full_queue_says_when_to_come_back() -> None:
    batcher = Batcher(FakeDecoder(), capacity=4)
    for number in range(4):
        submit(batcher, caller=str(number))
    with pytest.raises(Busy) as refused:
        submit(batcher, caller="late")
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    assert refused.value.status == 429
    assert batcher.counters.refused == 1


def test_one_caller_cannot_take_every_place() -> None:
    batcher = Batcher(FakeDecoder(), capacity=8)
    for _ in range(6):
        submit(batcher, caller="flood")
    with pytest.raises(Busy):
        submit(batcher, caller="flood")
    submit(batcher, caller="other")


def test_a_deadline_ends_a_waiting_and_a_running_request() -> None:
    decoder = FakeDecoder()
    batcher = Batcher(decoder)
    waiting = submit(batcher, deadline=time.monotonic() - 1)
    running = submit(batcher, answer=100, deadline=time.monotonic() + 0.05)
    patient = submit(batcher, answer=3)
    batcher.step()
    with pytest.raises(Late):
        waiting.result(0)
    while not running.future.done():
        batcher.step()
        time.sleep(0.002)  # the clock has to move while the fake model writes
    with pytest.raises(Late):
        running.result(0)
    run(batcher)
    assert patient.result(0)
    assert all(not tokens for tokens in decoder.held.values())
    assert batcher.counters.late == 2


def test_cancelling_frees_the_place_at_once() -> None:
    decoder = FakeDecoder()
    batcher = Batcher(decoder)
    ticket = submit(batcher, answer=1000)
    queued = submit(batcher, answer=1000)
    batcher.step()
    ticket.cancel()
    queued.cancel()
    assert run(batcher) <= 1
    for each in (ticket, queued):
        with pytest.raises(Cancelled):
            each.result(0)
    assert all(not tokens for tokens in decoder.held.values())
    assert batcher.idle


def test_a_closed_batcher_finishes_but_takes_nothing_new() -> None:
    batcher = Batcher(FakeDecoder())
    ticket = submit(batcher)
    batcher.close()
    with pytest.raises(EngineFailed, match="shutting down"):
        submit(batcher)
    run(batcher)
    assert ticket.result(0)


def test_a_broken_plan_hurts_nobody_else() -> None:
    def broken(_room: Room) -> Plan[None]:
        yield Fork(None)
        raise ZeroDivisionError

    batcher = Batcher(FakeDecoder())
    bad = batcher.submit(broken, cells=4)
    good = submit(batcher)
    run(batcher)
    with pytest.raises(EngineFailed, match="ZeroDivisionError"):
        bad.result(0)
    assert good.result(0)


def test_a_full_cache_drops_a_prefix_and_goes_on() -> None:
    decoder = FakeDecoder()
    batcher = Batcher(decoder)
    submit(batcher, prefix=prefix("old"))
    run(batcher)
    decoder.full_once = True
    ticket = submit(batcher, answer=3)
    run(batcher)
    assert ticket.result(0)
    before = decoder.evaluated
    submit(batcher, "x", 1, prefix=prefix("old"))
    run(batcher)
    assert decoder.evaluated - before == len("old") + 1


def test_what_can_never_fit_is_refused_at_once() -> None:
    batcher = Batcher(FakeDecoder(cells=200))
    with pytest.raises(EngineFailed, match="larger"):
        submit(batcher, cells=400)


def test_requests_wait_while_the_cache_is_promised_to_others() -> None:
    decoder = FakeDecoder(cells=300)
    batcher = Batcher(decoder)
    tickets = [submit(batcher, answer=5, cells=100) for _ in range(6)]
    batcher.step()
    assert batcher.active <= 2
    run(batcher)
    assert all(ticket.future.done() for ticket in tickets)


def test_a_short_request_overtakes_a_long_prompt_which_still_moves() -> None:
    decoder = FakeDecoder(width=16)
    batcher = Batcher(decoder)
    long = submit(batcher, "l" * 400, 1)
    batcher.step()
    short = submit(batcher, "s" * 4, 3)
    steps = 0
    while not short.future.done():
        batcher.step()
        steps += 1
    assert steps <= 5
    assert not long.future.done()
    assert all(sum(slot.token == ord("l") for slot in batch) >= 4 for batch in decoder.batches)
    run(batcher)
    assert long.result(0)


def test_branches_share_their_beginning_and_are_given_back() -> None:
    decoder = FakeDecoder(sequences=12)
    batcher = Batcher(decoder)

    def plan(room: Room) -> Plan[list[int]]:
        at: Branch = yield Fork(None)
        yield [Pass(at.sequence, 0, [1, 2, 3])]
        whole = Branch(at.sequence, 3)
        others = room.branches(whole, 3)
        rows = yield [Pass(other.sequence, 3, [number], every=True) for number, other in enumerate(others, 65)]
        for other in others:
            room.release(other)
        return [int(row.argmax()) for row in rows]

    ticket = batcher.submit(plan, cells=10)
    run(batcher)
    assert ticket.result(0) == [65, 66, 67]
    assert all(not tokens for tokens in decoder.held.values())


def test_abandon_fails_everything_with_the_reason() -> None:
    batcher = Batcher(FakeDecoder())
    tickets = [submit(batcher, answer=50) for _ in range(3)]
    batcher.step()
    batcher.abandon(EngineFailed("gone"))
    for ticket in tickets:
        with pytest.raises(EngineFailed, match="gone"):
            ticket.result(0)
