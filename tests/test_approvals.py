"""Approvals: nobody but a person allows, once means once, rules end, and a kill never turns waiting into allowed."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lancelot.approvals import ApprovalQueue, Ask, Scope, State
from lancelot.approvals.nouns import TRANSITIONS, ToolCall
from lancelot.errors import ApprovalNeeded, BadInput, Conflict, DiskFull, Forbidden, StoreError
from lancelot.routing.context import RequestContext
from lancelot.store.receipts import Receipt
from tests.fakes import FakeProvider
from tests.routing.fakes import EMAIL, chat, world

WIRE = ToolCall(name="transfer_funds", arguments={"to": "<IBAN_1>", "amount": 40})


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 15, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Receipts:
    def __init__(self) -> None:
        self.written: list[Receipt] = []
        self.broken = False

    def write(self, receipt: Receipt) -> None:
        if self.broken:
            raise DiskFull()
        self.written.append(receipt)


class Room:
    """A queue with its surroundings; `again` opens it as after a restart."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.clock, self.receipts = folder, Clock(), Receipts()
        self.told: list[str] = []
        self.queue = self.again()

    def again(self) -> ApprovalQueue:
        return ApprovalQueue(self.folder, self.receipts, notify=lambda one: self.told.append(one.id), clock=self.clock)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "data")


def ask(key: str | None = "i-1", **more: Any) -> Ask:
    return Ask(who="agent", what="Pay the invoice", tools=(WIRE,), idempotency_key=key, key_id="k1", **more)


def test_once_means_once(room: Room) -> None:
    waiting = room.queue.ask(ask())
    assert waiting.state is State.PENDING
    assert room.told == [waiting.id]
    with pytest.raises(Conflict):
        room.queue.start(waiting.id)
    room.queue.decide(waiting.id, "once", by="Ann", note="fine")
    room.queue.start(waiting.id)
    with pytest.raises(Conflict):
        room.queue.start(waiting.id)
    room.queue.finish(waiting.id)
    assert room.queue.ask(ask()).state is State.DONE
    assert room.receipts.written[0].kind == "approval"
    assert room.receipts.written[0].data["by"] == "Ann"


def test_a_replayed_key_gives_the_same_approval_and_another_request_is_refused(room: Room) -> None:
    first = room.queue.ask(ask(fingerprint="a"))
    assert room.queue.ask(ask(fingerprint="a")).id == first.id
    assert len(room.told) == 1
    with pytest.raises(Conflict):
        room.queue.ask(ask(fingerprint="b"))


def test_two_operators_at_once_one_decides(room: Room) -> None:
    waiting = room.queue.ask(ask())
    start, told = threading.Barrier(8), []

    def operator(name: str) -> None:
        start.wait()
        try:
            told.append(room.queue.decide(waiting.id, "once" if name > "d" else "deny", by=name).decided_by)
        except Conflict:
            told.append(None)

    threads = [threading.Thread(target=operator, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [name for name in told if name]
    assert len(winners) == 1
    assert room.queue.get(waiting.id).decided_by == winners[0]
    assert len(room.receipts.written) == 1


def test_time_never_approves(room: Room) -> None:
    waiting = room.queue.ask(ask())
    room.clock.now += timedelta(hours=25)
    assert room.queue.get(waiting.id).state is State.EXPIRED
    with pytest.raises(Conflict):
        room.queue.decide(waiting.id, "once")
    assert room.queue.ask(ask()).id != waiting.id


def test_an_allowance_not_taken_up_expires(room: Room) -> None:
    waiting = room.queue.ask(ask())
    room.queue.decide(waiting.id, "once")
    room.clock.now += timedelta(hours=2)
    with pytest.raises(Conflict):
        room.queue.start(waiting.id)


def test_a_restart_keeps_what_waits_what_was_decided_and_what_was_started(room: Room) -> None:
    waiting, allowed, started = (room.queue.ask(ask(key)) for key in ("a", "b", "c"))
    for one in (allowed, started):
        room.queue.decide(one.id, "once")
    room.queue.start(started.id)
    after = room.again()
    assert after.ask(ask("a")).id == waiting.id
    assert after.get(waiting.id).state is State.PENDING
    assert after.start(allowed.id).state is State.STARTED
    with pytest.raises(Conflict):
        after.start(started.id)


def test_a_decision_whose_receipt_fails_has_not_happened(room: Room) -> None:
    waiting = room.queue.ask(ask())
    room.receipts.broken = True
    with pytest.raises(StoreError):
        room.queue.decide(waiting.id, "always")
    assert room.queue.get(waiting.id).state is State.PENDING
    assert room.queue.rules() == []


def test_a_kill_between_receipt_and_state_leaves_it_waiting(room: Room) -> None:
    waiting = room.queue.ask(ask())
    kept = (room.folder / "approvals.json").read_bytes()
    room.queue.decide(waiting.id, "once")
    (room.folder / "approvals.json").write_bytes(kept)
    assert room.again().get(waiting.id).state is State.PENDING


def test_always_makes_a_rule_with_an_end_and_a_cap(room: Room) -> None:
    waiting = room.queue.ask(ask("a"))
    decided = room.queue.decide(waiting.id, "always", rule_uses=2)
    rule = room.queue.rules()[0]
    assert decided.standing_rule == rule.id
    assert "transfer_funds" in rule.scope.words()
    assert room.queue.ask(ask("b")).state is State.ALLOWED
    assert room.queue.ask(ask("c")).state is State.ALLOWED
    assert room.queue.ask(ask("d")).state is State.PENDING
    assert room.again().rules()[0].uses == 2


def test_a_rule_expires_and_can_be_revoked(room: Room) -> None:
    room.queue.decide(room.queue.ask(ask("a")).id, "always", rule_ttl=timedelta(days=1))
    room.clock.now += timedelta(days=2)
    assert room.queue.ask(ask("b")).state is State.PENDING
    room.queue.decide(room.queue.ask(ask("c")).id, "always")
    room.queue.revoke(room.queue.rules()[0].id, by="Ann")
    assert room.queue.ask(ask("d")).state is State.PENDING
    assert room.receipts.written[-1].data["event"] == "rule_revoked"


def test_a_rule_is_narrow_by_nature(room: Room) -> None:
    waiting = room.queue.ask(ask())
    for scope in (Scope(), Scope(tools=("read_*",)), Scope(key_id="other")):
        with pytest.raises(BadInput):
            room.queue.decide(waiting.id, "always", scope=scope)
    rule = room.queue.decide(waiting.id, "always", scope=Scope(tools=("transfer_*",))).standing_rule or ""
    with pytest.raises(BadInput):
        room.queue.narrow(rule, scope=Scope(tools=("*",)))
    with pytest.raises(BadInput):
        room.queue.narrow(rule, max_uses=10**6)
    assert room.queue.narrow(rule, scope=Scope(tools=("transfer_funds",)), max_uses=1).max_uses == 1
    other = ask("z").model_copy(update={"tools": (ToolCall(name="transfer_all"),)})
    assert room.queue.ask(other).state is State.PENDING


def test_look_back_shows_what_a_rule_would_have_matched(room: Room) -> None:
    past = [
        Receipt(
            request_id="1", key_id="k1", assessment={"tool_names": ["transfer_funds"], "task": "x", "risk": "high"}
        ),
        Receipt(request_id="2", key_id="k1", assessment={"tool_names": ["get_rate"], "task": "x", "risk": "low"}),
        Receipt(request_id="3", key_id="k2", assessment={"task": "x", "risk": "high"}),
    ]
    found = room.queue.look_back(Scope(key_id="k1", tools=("transfer_*",)), past)
    assert [one.request_id for one in found.newest] == ["1"]
    with pytest.raises(BadInput):
        room.queue.look_back(Scope(), past)


def test_arguments_can_be_edited_but_not_the_tool(room: Room) -> None:
    waiting = room.queue.ask(ask())
    with pytest.raises(BadInput):
        room.queue.decide(waiting.id, "once", edited=[{"name": "delete_all", "arguments": {}}])
    decided = room.queue.decide(waiting.id, "once", edited=[{"name": "transfer_funds", "arguments": {"amount": 1}}])
    assert decided.tools()[0].arguments == {"amount": 1}


def test_a_damaged_file_is_told(room: Room) -> None:
    (room.folder / "approvals.json").write_text("{", "utf-8")
    with pytest.raises(StoreError):
        room.again()


def test_every_state_is_in_the_table_and_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.PENDING} | {state for following in TRANSITIONS.values() for state in following}
    assert reached == set(State)


@pytest.mark.anyio
async def test_waiting_ends_with_the_decision_or_with_time(room: Room) -> None:
    waiting = room.queue.ask(ask())
    assert (await room.queue.wait(waiting.id, 0.01)).state is State.PENDING
    task = asyncio.create_task(room.queue.wait(waiting.id, 30))
    await asyncio.sleep(0)
    await asyncio.to_thread(room.queue.decide, waiting.id, "once")
    assert (await task).state is State.ALLOWED


PARK = [{"name": "wires", "reason": "moves money", "tools": ["transfer_*"]}]
TOOLS = [{"type": "function", "function": {"name": "transfer_funds", "parameters": {"type": "object"}}}]


@pytest.mark.anyio
async def test_a_parked_request_goes_on_after_a_person_allowed_it(room: Room) -> None:
    here = world("done", park=PARK, approvals=room.queue)
    body, context = chat(f"Pay {EMAIL} 40 dollars", tools=TOOLS), RequestContext(key_id="k1", idempotency_key="x")
    with pytest.raises(ApprovalNeeded) as caught:
        await here.router.handle(body, context=context)
    waiting = room.queue.get(caught.value.extra["approval_id"])
    assert EMAIL not in (room.folder / "approvals.json").read_text("utf-8")
    assert not here.provider.calls
    assert here.receipts.written[-1].status == "parked"
    room.queue.decide(waiting.id, "once", by="Ann")
    answered = await here.router.handle(body, context=RequestContext(key_id="k1", idempotency_key="x"))
    assert answered.answer.message["content"] == "done"
    assert any("allowed by Ann" in reason for reason in answered.reasons)
    assert room.queue.get(waiting.id).state is State.DONE
    with pytest.raises(ApprovalNeeded):
        await here.router.handle(body, context=RequestContext(key_id="k1", idempotency_key="x"))
    assert len(here.provider.calls) == 1


@pytest.mark.anyio
async def test_a_parked_request_can_wait_and_be_denied(room: Room) -> None:
    here = world(provider=FakeProvider("never"), park=PARK, approvals=room.queue)
    context = RequestContext(wait_s=30)
    task = asyncio.create_task(here.router.handle(chat("Pay 40 dollars", tools=TOOLS), context=context))
    while not room.told:
        await asyncio.sleep(0.001)
    await asyncio.to_thread(room.queue.decide, room.told[0], "deny", note="too much")
    with pytest.raises(Forbidden) as caught:
        await task
    assert caught.value.code == "approval_denied"
    assert not here.provider.calls


@pytest.mark.anyio
async def test_without_a_queue_a_parked_request_is_refused() -> None:
    here = world("x", park=PARK)
    with pytest.raises(ApprovalNeeded):
        await here.router.handle(chat("Pay 40 dollars", tools=TOOLS))


@pytest.mark.anyio
async def test_an_allowed_request_may_escalate(room: Room) -> None:
    here = world("", "better", park=PARK, approvals=room.queue)
    body, first = chat("Call it for 40", tools=TOOLS), RequestContext(idempotency_key="e")
    with pytest.raises(ApprovalNeeded) as caught:
        await here.router.handle(body, context=first)
    room.queue.decide(caught.value.extra["approval_id"], "once")
    answered = await here.router.handle(body, context=RequestContext(idempotency_key="e"))
    assert answered.answer.message["content"] == "better" or answered.attempts == 1
    assert room.queue.list()[0].state is State.DONE
