"""One request all the way: what leaves, what comes back, what is kept."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from lancelot.chat import Usage
from lancelot.config import RouterConfig
from lancelot.errors import (
    DiskFull,
    Forbidden,
    LocalModelError,
    NotFound,
    NotReady,
    ProviderAuth,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
)
from lancelot.routing.context import RequestContext
from lancelot.routing.lanes import Lane
from lancelot.routing.outcomes import MemoryOutcomes
from tests.fakes import FakeProvider, text_answer, tool_answer
from tests.routing.fakes import EMAIL, FakeBrain, chat, world

pytestmark = pytest.mark.anyio


async def test_a_request_all_the_way() -> None:
    here = world("Mail sent to <EMAIL_1>.")
    answered = await here.router.handle(chat(f"Which tides would {EMAIL} like?"))
    assert answered.answer.message["content"] == f"Mail sent to {EMAIL}."
    assert EMAIL.encode() not in here.provider.calls[0].sent
    assert answered.redactions == {"EMAIL": 1}
    receipt = here.receipts.attempts[0]
    assert receipt.id == answered.receipt_id
    assert receipt.request_id == answered.request_id
    assert receipt.sent_sha256 == here.provider.calls[0].sent_sha256
    assert receipt.redactions == {"EMAIL": 1}
    assert receipt.reasons == answered.reasons
    assert receipt.reasons
    assert receipt.latency.redaction_ms is not None
    assert receipt.latency.decision_ms is not None
    assert receipt.latency.provider_ms is not None
    assert receipt.latency.first_token_ms is not None
    assert receipt.latency.total_ms is not None
    assert EMAIL not in receipt.model_dump_json()
    assert receipt.preview is None


async def test_cost_and_tokens_come_from_the_provider_and_the_price_list() -> None:
    here = world(text_answer("ok", usage=Usage(input=1000, output=500, cached=0, reasoning=20)))
    answered = await here.router.handle(chat(model="lancelot-fast"))
    receipt = here.receipts.attempts[0]
    assert (receipt.tokens_in, receipt.tokens_out, receipt.tokens_reasoning) == (1000, 500, 20)
    assert receipt.cost_usd == Decimal("0.002")
    assert receipt.price_version == "test-1"
    assert answered.cost_usd == Decimal("0.002")


async def test_the_receipt_is_durable_before_the_answer_is_handed_on() -> None:
    here = world("ok")
    here.receipts.slow_s = 0.05
    await here.router.handle(chat())
    assert len(here.receipts.attempts) == 1


@pytest.mark.parametrize(
    ("model", "lane"), [("lancelot-local", Lane.LOCAL), ("lancelot-fast", Lane.FAST), ("lancelot-deep", Lane.DEEP)]
)
async def test_a_named_lane_is_kept(model: str, lane: Lane) -> None:
    here = world("ok")
    answered = await here.router.handle(chat(model=model))
    assert answered.lane is lane
    if lane is not Lane.LOCAL:
        assert here.provider.calls[0].model == {"fast": "small-1", "deep": "large-1"}[lane]


async def test_an_unknown_model_is_refused() -> None:
    here = world("ok")
    with pytest.raises(NotFound) as caught:
        await here.router.handle(chat(model="gpt-4o"))
    assert caught.value.code == "model_not_found"
    assert not here.provider.calls


async def test_what_must_stay_here_stays_even_when_a_lane_is_named() -> None:
    here = world("ok")
    text = f"Summarize this for {EMAIL}; do not send it to the cloud."
    for model in ("lancelot", "lancelot-deep"):
        answered = await here.router.handle(chat(text, model=model))
        assert answered.lane is Lane.LOCAL
    assert not here.provider.calls
    assert "keep_local" in here.receipts.attempts[0].reasons[-1]


async def test_what_must_stay_here_is_refused_when_the_local_model_fails() -> None:
    here = world("ok", brain=FakeBrain(problem=LocalModelError()))
    with pytest.raises(LocalModelError):
        await here.router.handle(chat("Keep this private: what does our internal memo say?"))
    assert not here.provider.calls
    assert here.receipts.attempts[0].status == "error"


async def test_a_key_that_may_not_use_the_lane_is_refused_with_a_receipt() -> None:
    here = world("ok")
    context = RequestContext(key_id="k1", lanes=("local",))
    with pytest.raises(Forbidden):
        await here.router.handle(chat(model="lancelot-deep"), context=context)
    assert here.receipts.written[0].status == "blocked"
    assert here.receipts.written[0].key_id == "k1"


async def test_a_trusted_or_loopback_brain_sees_the_original_and_another_does_not() -> None:
    here = world("ok")
    await here.router.handle(chat(f"hello {EMAIL}", model="lancelot-local"))
    assert EMAIL in here.brain.chats[0].text()
    far = world("ok", brain=FakeBrain(reply="hi <EMAIL_1>", is_loopback=False))
    answered = await far.router.handle(chat(f"hello {EMAIL}", model="lancelot-local"))
    assert EMAIL not in far.brain.chats[0].text()
    await far.router.handle(chat(f"Describe how the tides moved {EMAIL} about."))
    assert far.brain.classified
    assert all(EMAIL not in text for text in far.brain.classified)
    assert answered.answer.message["content"] == f"hi {EMAIL}"


async def test_an_error_on_fast_escalates_and_each_attempt_is_a_receipt() -> None:
    here = world(ProviderOverloaded(), "better")
    answered = await here.router.handle(chat())
    assert answered.lane is Lane.DEEP
    first, second = here.receipts.attempts
    assert (first.status, first.error_code, first.lane) == ("error", "provider_overloaded", "fast")
    assert second.parent_id == first.id
    assert second.request_id == first.request_id
    assert (second.attempt, second.lane) == (2, "deep")
    assert any("escalated" in reason for reason in second.reasons)


@pytest.mark.parametrize(
    "weak",
    [
        text_answer(""),
        text_answer("I'm sorry, but I can't help with that."),
        text_answer("Once upon a", finish_reason="length"),
    ],
)
async def test_an_answer_that_will_not_do_escalates(weak: object) -> None:
    here = world(weak, "a good answer")
    answered = await here.router.handle(chat())
    assert answered.answer.message["content"] == "a good answer"
    assert here.receipts.attempts[0].data["sufficed"] is False
    assert answered.attempts == 2


async def test_an_answer_that_does_not_fit_the_schema_escalates() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    here = world('{"n": "three"}', '{"n": 3}')
    answered = await here.router.handle(chat(response_format=form))
    assert answered.lane is Lane.DEEP
    assert here.receipts.attempts[0].data["signal"] == "schema_invalid"


async def test_tool_calls_are_restored() -> None:
    here = world(tool_answer("send_mail", {"to": "<EMAIL_1>"}))
    tools = [{"type": "function", "function": {"name": "send_mail", "parameters": {"type": "object"}}}]
    answered = await here.router.handle(chat(f"Write to {EMAIL}", tools=tools))
    assert EMAIL in answered.answer.message["tool_calls"][0]["function"]["arguments"]
    assert EMAIL.encode() not in here.provider.calls[0].sent


async def test_no_more_than_the_allowed_attempts() -> None:
    here = world(ProviderOverloaded(), max_attempts=1)
    with pytest.raises(ProviderOverloaded) as caught:
        await here.router.handle(chat())
    assert len(here.receipts.attempts) == 1
    assert caught.value.extra["receipt_id"] == here.receipts.attempts[0].id


async def test_an_escalation_that_could_pass_the_cost_cap_is_not_made() -> None:
    here = world(text_answer(""), "better", max_cost_usd_per_request=Decimal("0.0001"))
    answered = await here.router.handle(chat(max_tokens=100))
    assert answered.attempts == 1
    assert here.receipts.attempts[0].data["stopped"] == "max_cost_usd_per_request"


async def test_a_refused_key_is_not_tried_on_the_other_lane() -> None:
    here = world(ProviderAuth())
    with pytest.raises(ProviderAuth):
        await here.router.handle(chat())
    assert len(here.provider.calls) == 1


async def test_deep_fails_over_to_fast_but_never_down_in_risk() -> None:
    here = world(
        ProviderOverloaded(), "fast does it", lane_rules=[{"name": "tides", "lane": "deep", "pattern": "tides"}]
    )
    answered = await here.router.handle(chat())
    assert answered.lane is Lane.FAST
    risky = world(ProviderOverloaded(), "no")
    with pytest.raises(ProviderOverloaded):
        await risky.router.handle(chat("Which dosage of insulin is safe for my patient?"))
    assert [call.model for call in risky.provider.calls] == ["large-1"]


async def test_a_failing_lane_is_left_alone_and_says_why() -> None:
    here = world(ProviderTimeout(), breaker={"failures": 2}, escalation={"on": []})
    for _ in range(2):
        with pytest.raises(ProviderTimeout):
            await here.router.handle(chat(model="lancelot-fast"))
    state = here.router.status()["lanes"]["fast"]
    assert state["breaker"]["state"] == "open"
    assert state["breaker"]["reason"] == "provider_timeout"
    assert state["breaker"]["ends_in_s"] > 0
    before = len(here.provider.calls)

    with pytest.raises(NotReady) as caught:
        await here.router.handle(chat(model="lancelot-fast"))
    assert caught.value.retry_after is not None
    assert len(here.provider.calls) == before


async def test_classification_within_its_budget_and_skipped_beyond_it() -> None:
    here = world("ok")
    await here.router.handle(chat())
    assert here.receipts.attempts[0].assessment["classification"]["label"] == "chat"
    slow = world("ok", brain=FakeBrain(delay_s=5), classify_budget_ms=20)
    await slow.router.handle(chat())
    receipt = slow.receipts.attempts[0]
    assert "20 ms" in receipt.assessment["classification"]["skipped"]
    assert any("classification skipped" in reason for reason in receipt.reasons)
    off = world("ok", classify=False)
    await off.router.handle(chat())
    assert off.brain.classified == []


async def test_a_caller_that_goes_away_leaves_a_receipt() -> None:
    gate = asyncio.Event()
    here = world(provider=FakeProvider("never", gate=gate))
    task = asyncio.create_task(here.router.handle(chat()))
    while not here.provider.calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [receipt.status for receipt in here.receipts.attempts] == ["cancelled"]


async def test_nothing_is_paid_for_while_receipts_cannot_be_written() -> None:
    here = world("paid for", "next")
    here.receipts.broken = True
    answered = await here.router.handle(chat())
    assert answered.answer.message["content"] == "paid for"
    assert answered.warning is not None
    with pytest.raises(DiskFull):
        await here.router.handle(chat())
    assert len(here.provider.calls) == 1
    here.receipts.broken = False
    again = await here.router.handle(chat())
    assert again.warning is None
    kinds = [receipt.kind for receipt in here.receipts.written]
    assert kinds == ["event", "attempt", "attempt"]
    assert here.receipts.written[1].id == answered.receipt_id
    assert here.receipts.written[1].data["late"] is True


async def test_a_preview_is_redacted_and_only_kept_when_asked_for() -> None:
    here = world("ok", previews=True)
    await here.router.handle(chat(f"Describe {EMAIL}"))
    assert here.receipts.attempts[0].preview == "Describe <EMAIL_1>"


async def test_explain_calls_and_writes_nothing() -> None:
    here = world("ok")
    told = here.router.explain(chat("Which dosage of insulin is safe?"))
    assert told.lane is Lane.DEEP
    assert told.risk == "high"
    assert not here.provider.calls
    assert not here.receipts.written
    assert not here.brain.classified


async def test_a_utility_task_stays_local_and_has_a_receipt() -> None:
    here = world("ok")
    told = await here.router.utility("summarize", {"text": "a long long text"})
    assert told["summary"] == "a long lon"
    receipt = here.receipts.written[0]
    assert (receipt.kind, receipt.lane, receipt.task) == ("utility", "local", "summarize")
    assert receipt.id == told["receipt_id"]
    with pytest.raises(NotFound):
        await here.router.utility("sing", {"text": "x"})


async def test_a_hung_local_model_ends_a_utility_task_in_time() -> None:
    here = world("ok", utility_deadline_s=0.05)
    here.brain.delay_s = 60
    with pytest.raises(LocalModelError) as caught:
        await here.router.utility("summarize", {"text": "a long long text"})
    assert (caught.value.code, caught.value.status) == ("local_model_timeout", 503)
    assert "utility_deadline_s" in str(caught.value.hint)
    [receipt] = here.receipts.written
    assert (receipt.status, receipt.error_code) == ("error", "local_model_timeout")
    assert RouterConfig().utility_deadline_s <= 30


async def test_no_caller_keeps_the_local_model_longer_than_any_request_may_take() -> None:
    here = world("ok", deadline_s=0.05)
    here.brain.delay_s = 60
    with pytest.raises(LocalModelError):
        await here.router.utility("summarize", {"text": "x"}, RequestContext(deadline_s=3000))


async def test_a_rate_limit_says_when_to_come_back() -> None:
    here = world(ProviderRateLimited(retry_after=7), escalation={"on": []})
    with pytest.raises(ProviderRateLimited) as caught:
        await here.router.handle(chat())
    assert caught.value.retry_after == 7


async def test_no_flagship_falls_back_to_the_local_lane_and_says_so() -> None:
    here = world("ok")
    here.router.set_brains(brain=here.brain, provider=None, profile=None)
    answered = await here.router.handle(chat())
    assert answered.lane is Lane.LOCAL
    assert any("no provider is set up" in reason for reason in answered.reasons)


async def test_the_local_model_is_only_asked_where_its_word_could_matter() -> None:
    here = world("ok")
    for text in ("hi", "Is insulin safe?", "Keep this private: a memo.", "Prove it again, that is still wrong."):
        await here.router.handle(chat(text))
    assert here.brain.classified == []
    assert any("certain without it" in reason for reason in here.receipts.attempts[0].reasons)


async def test_a_complaint_is_held_against_the_answer_before() -> None:
    ledger = MemoryOutcomes()
    here = world("72", ledger=ledger)
    question = {
        "role": "user",
        "content": "Natalia sold 48 clips in April and half as many in May. How many altogether?",
    }
    context = RequestContext(conversation="c-1")
    await here.router.handle({"messages": [question]}, context=context)
    ((task, lane), counts), *_ = ledger.counts().items()
    assert counts == (1, 1)
    complaint = {"role": "user", "content": "That is still wrong."}
    turns = [question, {"role": "assistant", "content": "71"}, complaint]
    answered = await here.router.handle({"messages": turns}, context=RequestContext(conversation="c-1"))
    assert answered.lane is Lane.DEEP
    assert ledger.counts()[task, lane] == (1, 2)
