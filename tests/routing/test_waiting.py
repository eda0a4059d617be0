"""What a request does not wait for: its score where the caller names the lane, another thread where it is alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lancelot.chat import ChatRequest, parse_chat
from lancelot.routing import prepare
from lancelot.routing.assess import assess, first_look, with_score
from lancelot.routing.features import Features
from lancelot.store.journal import QUICK_S, Journal
from tests.fakes import FakeProvider
from tests.routing.fakes import FakeReceipts, chat, world

pytestmark = pytest.mark.anyio
PROOF = "Prove that there are infinitely many primes, and explain each step of the proof."
PARK = [{"name": "wires", "reason": "moves money", "tools": ["transfer_*"]}]


class Scores:
    """How many calls had begun each time a score was worked out."""

    def __init__(self) -> None:
        self.provider = FakeProvider("ok", delay_s=0.01)
        self.calls_begun: list[int] = []


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Scores:
    seen, real = Scores(), prepare.with_score

    def scored(*args: Any, **named: Any) -> Any:
        seen.calls_begun.append(len(seen.provider.calls))
        return real(*args, **named)

    monkeypatch.setattr(prepare, "with_score", scored)
    return seen


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_named_lane_is_scored_while_the_answer_is_on_its_way(scores: Scores, streamed: bool) -> None:
    here = world(provider=scores.provider)
    if streamed:
        async for _ in here.router.stream(chat(PROOF, model="lancelot-fast", stream=True)):
            pass
    else:
        await here.router.handle(chat(PROOF, model="lancelot-fast"))
    assert scores.calls_begun == [1]
    [receipt] = here.receipts.attempts
    looked = assess(chat_request(PROOF))
    assert (receipt.task, receipt.complexity) == (looked.task, looked.complexity)
    assert receipt.assessment["deep_score"] == round(looked.deep_score, 4)
    assert receipt.reasons[: len(looked.reasons)] == list(looked.reasons)
    assert any(reason.startswith("forced_fast") for reason in receipt.reasons)


async def test_an_answer_that_comes_at_once_still_has_its_score(scores: Scores) -> None:
    here = world("ok")
    answered = await here.router.handle(chat(PROOF, model="lancelot-fast"))
    assert len(scores.calls_begun) == 1
    assert answered.task == here.receipts.attempts[0].task == assess(chat_request(PROOF)).task
    assert answered.reasons == here.receipts.attempts[0].reasons


async def test_a_rule_that_may_ask_for_the_kind_of_task_is_not_kept_waiting(scores: Scores) -> None:
    here = world(provider=scores.provider, park=PARK)
    await here.router.handle(chat(PROOF, model="lancelot-fast"))
    assert scores.calls_begun == [0]
    assert here.receipts.attempts[0].task == assess(chat_request(PROOF)).task


async def test_a_refused_lane_has_its_score_in_the_receipt() -> None:
    here = world("ok")
    here.router.set_brains(brain=here.brain, provider=None, profile=None)
    with pytest.raises(Exception, match="not available"):
        await here.router.handle(chat(PROOF, model="lancelot-deep"))
    [receipt] = here.receipts.written
    assert receipt.assessment["deep_score"] == round(assess(chat_request(PROOF)).deep_score, 4)
    assert receipt.task == assess(chat_request(PROOF)).task


async def test_the_two_halves_are_the_whole() -> None:
    for text in (PROOF, "hi", "Pay invoice 4711 now.", "Do not send this out: my diary."):
        features = Features.of_text(text)
        whole = assess(chat_request(text), classification={"skipped": "turned off"})
        halves = with_score(first_look(features), features, classification={"skipped": "turned off"})
        # a request is counted with its frame, a bare text without
        frame = {"features", "capabilities"}
        assert {k: v for k, v in halves.to_dict().items() if k not in frame} == {
            k: v for k, v in whole.to_dict().items() if k not in frame
        }
        assert halves.reasons == whole.reasons


async def test_a_lone_request_writes_its_own_receipt_where_the_disk_is_quick() -> None:
    for quick, in_loop in ((True, 1), (False, 0)):
        here, receipts = world("ok"), FakeReceipts(quick=quick)
        here.router.recorder._sink = receipts
        await here.router.handle(chat(model="lancelot-fast"))
        assert (receipts.in_loop, len(receipts.attempts)) == (in_loop, 1)


async def test_with_others_under_way_the_loop_is_not_held_up() -> None:
    here, receipts = world("ok"), FakeReceipts(quick=True)
    here.provider._delay_s = 0.02
    here.router.recorder._sink = receipts
    await asyncio.gather(*(here.router.handle(chat(model="lancelot-fast")) for _ in range(3)))
    assert len(receipts.attempts) == 3
    assert receipts.in_loop <= 1  # the last of them is alone again


async def test_a_receipt_it_cannot_write_itself_is_a_warning_all_the_same() -> None:
    here, receipts = world("ok"), FakeReceipts(quick=True)
    here.router.recorder._sink = receipts
    receipts.broken = True
    answered = await here.router.handle(chat(model="lancelot-fast"))
    assert answered.warning is not None
    assert here.router.recorder.problem is not None


async def test_a_journal_knows_whether_it_is_quick(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert not journal.quick  # nothing is known yet
    file = journal._file
    file.sync = lambda: None  # type: ignore[method-assign]
    for _ in range(40):
        journal.append(b"{}")
    assert journal.quick
    journal._usual_s += 100 * QUICK_S / 4  # one commit that took a hundred times as long
    assert not journal.quick
    for _ in range(40):
        journal.append(b"{}")
    assert journal.quick
    journal.close()


def chat_request(text: str) -> ChatRequest:
    return parse_chat(chat(text))
