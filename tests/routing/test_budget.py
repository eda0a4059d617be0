"""Budgets hold: in money and tokens, in total, by lane and key, also for fifty callers at the edge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from lancelot.chat import Chunk, Usage
from lancelot.config import Budget, BudgetsConfig
from lancelot.errors import BudgetSpent, ProviderOverloaded
from lancelot.routing.budget import BudgetKeeper
from lancelot.routing.context import RequestContext
from lancelot.routing.decision import Level
from lancelot.routing.features import Features
from lancelot.routing.lanes import Lane
from lancelot.routing.limits import Need
from tests.fakes import FakeCall, FakeProvider, text_answer
from tests.routing.fakes import FakeConfig, World, chat, make_config, world

NOON = datetime(2026, 5, 15, 12, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Past:
    """Spending before this process began."""

    usd: Decimal = Decimal(0)
    tokens: int = 0
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def spent(self, since: datetime, key: str | None = None, lane: str | None = None) -> Any:
        self.asked.append((since, key, lane))
        return SimpleNamespace(usd=self.usd, tokens=self.tokens if lane == "fast" else 0)


def keeper(*, past: Past | None = None, clock: Clock | None = None, **budgets: Any) -> BudgetKeeper:
    config = FakeConfig(make_config(budgets=BudgetsConfig(**budgets)))
    return BudgetKeeper(config, past, clock=clock or Clock())


def test_without_limits_nothing_is_held_back() -> None:
    found = keeper()
    assert found.view("k").level is Level.NORMAL
    found.reserve(Lane.DEEP, "k", Need(Decimal(10**6), 10**9))
    assert found.banner() is None


def test_a_reservation_counts_until_it_is_settled() -> None:
    found = keeper(total=Budget(daily_tokens=100))
    first = found.reserve(Lane.FAST, None, Need(None, 60))
    with pytest.raises(BudgetSpent) as caught:
        found.reserve(Lane.FAST, None, Need(None, 60))
    assert caught.value.retry_after == 12 * 3600
    first.settle(None, 10)
    first.settle(None, 10)
    second = found.reserve(Lane.FAST, None, Need(None, 60))
    second.release()
    assert found.status()[0]["tokens"] == 10


def test_unpriced_traffic_counts_against_tokens() -> None:
    found = keeper(total=Budget(daily_usd=Decimal(1), daily_tokens=100))
    found.reserve(Lane.FAST, None, Need(None, 80)).settle(None, 80)
    assert found.view(None).level is Level.NARROW_DEEP
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, Need(None, 30))


def test_the_local_lane_is_never_blocked() -> None:
    found = keeper(total=Budget(daily_usd=Decimal(0), daily_tokens=0))
    found.reserve(Lane.LOCAL, None, Need(Decimal(1), 10**6)).settle(None, 10**6)
    assert found.view(None).level is Level.SPENT
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, Need(Decimal(1), 1))


def test_the_dial_turns_and_each_turn_is_told_once() -> None:
    clock = Clock(NOON.replace(hour=23))
    found = keeper(total=Budget(daily_usd=Decimal(100)), clock=clock)
    levels = []
    for _ in range(20):
        levels.append(found.view(None).level)
        found.reserve(Lane.DEEP, None, Need(Decimal(5), 1)).settle(Decimal(5), 1)
    levels.append(found.view(None).level)
    assert sorted(set(levels)) == [Level.NORMAL, Level.NARROW_DEEP, Level.NO_DEEP, Level.NARROW_FAST, Level.SPENT]
    assert levels == sorted(levels)
    steps = found.take_steps()
    assert [step.after for step in steps] == [Level.NARROW_DEEP, Level.NO_DEEP, Level.NARROW_FAST, Level.SPENT]
    assert "total daily money" in steps[0].reason
    assert found.take_steps() == []
    assert found.banner() is not None


def test_a_budget_spent_much_faster_than_the_clock_turns_the_dial_early() -> None:
    clock = Clock(NOON.replace(hour=3))
    found = keeper(total=Budget(daily_usd=Decimal(10)), clock=clock)
    found.reserve(Lane.DEEP, None, Need(Decimal(4), 1)).settle(Decimal(4), 1)
    view = found.view(None)
    assert view.level is Level.NARROW_DEEP
    assert "pace" in view.reason
    clock.now = NOON.replace(hour=20)
    assert found.view(None).level is Level.NORMAL


def test_a_lane_and_a_key_have_purses_of_their_own() -> None:
    found = keeper(
        lanes={"deep": Budget(daily_usd=Decimal(1))}, keys={"k1": Budget(monthly_tokens=10)}, default_key=Budget()
    )
    found.reserve(Lane.DEEP, "k2", Need(Decimal(1), 5)).settle(Decimal(1), 5)
    assert Lane.DEEP in found.view("k2").blocked
    found.reserve(Lane.FAST, "k2", Need(Decimal(1), 5))
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, "k1", Need(None, 11))


def test_a_new_day_renews_and_the_past_is_remembered() -> None:
    clock, past = Clock(), Past(tokens=90)
    found = keeper(total=Budget(daily_tokens=100), clock=clock, past=past)
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, Need(None, 20))
    assert past.asked[0] == (NOON.replace(hour=0), None, "fast")
    past.tokens = 0
    clock.now = NOON.replace(day=16)
    found.reserve(Lane.FAST, None, Need(None, 20))


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_fifty_parallel_callers_at_the_edge_cannot_pass_it(streamed: bool) -> None:
    gate = asyncio.Event()
    answer = text_answer("ok", usage=Usage(input=50, output=50))
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_tokens=10_000))))
    budgets = BudgetKeeper(config)
    here = world(provider=FakeProvider(answer, gate=gate), budgets=budgets, classify=False)

    async def one() -> str:
        body = chat("Describe the tides of the sea.", model="lancelot-fast", max_tokens=900)
        try:
            if streamed:
                async for _chunk in here.router.stream(body):
                    pass
            else:
                await here.router.handle(body)
        except BudgetSpent:
            return "refused"
        return "answered"

    tasks = [asyncio.create_task(one()) for _ in range(50)]
    while len(here.provider.calls) + sum(task.done() for task in tasks) < 50:
        await asyncio.sleep(0)
    sent = len(here.provider.calls)
    assert 0 < sent <= 11
    gate.set()
    told = await asyncio.gather(*tasks)
    assert told.count("answered") == sent
    assert sum((receipt.tokens_in or 0) + (receipt.tokens_out or 0) for receipt in here.receipts.attempts) <= 10_000


def talkative(most: int = 30_000, gate: asyncio.Event | None = None) -> FakeProvider:
    """Answers at such a length that only the request's own limit ends it, and keeps that limit."""

    def answered(call: FakeCall) -> Any:
        limit = call.chat.output_limit
        usage = Usage(10, most if limit is None else min(most, limit))
        reason = "length" if limit is not None and limit < most else "stop"
        if call.streamed:
            return [
                Chunk(delta={"content": "so much"}, model=call.model),
                Chunk(finish_reason=reason, usage=usage, model=call.model),
            ]
        return text_answer("so much to tell", model=call.model, usage=usage, finish_reason=reason)

    return FakeProvider(answered, gate=gate)


def limits(here: World) -> list[int | None]:
    """The limits the provider was sent."""
    return [call.chat.output_limit for call in here.provider.calls]


def spent(here: World) -> tuple[int, Decimal]:
    """Tokens and dollars of all attempts."""
    tokens = sum((one.tokens_in or 0) + (one.tokens_out or 0) for one in here.receipts.attempts)
    return tokens, sum((one.cost_usd or Decimal(0) for one in here.receipts.attempts), Decimal(0))


LIMITS = [Budget(daily_tokens=60_000), Budget(daily_usd=Decimal("0.12")), Budget(monthly_tokens=9_000)]


@pytest.mark.anyio
@pytest.mark.parametrize("limit", LIMITS, ids=["tokens", "money", "little"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_fifty_parallel_answers_without_a_limit_cannot_pass_a_budget(limit: Budget, streamed: bool) -> None:
    gate = asyncio.Event()
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=limit)))
    here = world(provider=talkative(gate=gate), budgets=BudgetKeeper(config), classify=False)

    async def one() -> str:
        body = chat("Describe the tides of the sea.", model="lancelot-fast")
        try:
            if streamed:
                async for _chunk in here.router.stream(body):
                    pass
            else:
                await here.router.handle(body)
        except BudgetSpent:
            return "refused"
        return "answered"

    tasks = [asyncio.create_task(one()) for _ in range(50)]
    while len(here.provider.calls) + sum(task.done() for task in tasks) < 50:
        await asyncio.sleep(0)
    assert len(here.provider.calls) >= 2, "one answer must not keep all others waiting"
    gate.set()
    await asyncio.gather(*tasks)
    for _ in range(30):
        await one()
    tokens, dollars = spent(here)
    assert tokens <= (limit.daily_tokens or limit.monthly_tokens or tokens)
    assert dollars <= (limit.daily_usd or dollars)
    assert tokens >= 0.5 * (limit.daily_tokens or limit.monthly_tokens or 0)


@pytest.mark.anyio
async def test_far_from_the_edge_no_limit_is_sent() -> None:
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_usd=Decimal(10)))))
    here = world(provider=talkative(7_000), budgets=BudgetKeeper(config), classify=False)
    for _ in range(3):
        await here.router.handle(chat(model="lancelot-fast"))
    assert limits(here) == [None, None, None]
    assert not any("limited to" in reason for one in here.receipts.attempts for reason in one.reasons)


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_its_budget_cuts_off_says_so_and_goes_to_no_dearer_brain(streamed: bool) -> None:
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_tokens=9_000))))
    here = world(provider=talkative(), budgets=BudgetKeeper(config), classify=False)
    body = chat("Write a short poem about the sea.", model="lancelot")
    told = here.router.explain(body)
    assert told.lane is Lane.FAST
    assert any("limited to" in reason and "budget" in reason for reason in told.reasons)
    if streamed:
        assert [chunk async for chunk in here.router.stream(body)][-1].finish_reason == "length"
    else:
        answered = await here.router.handle(body)
        assert answered.answer.finish_reason == "length"
        assert answered.attempts == 1
    (receipt,) = here.receipts.attempts
    assert receipt.data["output_limit"] == receipt.tokens_out
    assert receipt.data["cut_by_budget"] is True
    assert any("limited to" in reason for reason in receipt.reasons)
    assert "signal" not in receipt.data


@pytest.mark.anyio
async def test_a_callers_own_limit_is_left_as_it_is() -> None:
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_tokens=9_000))))
    here = world(provider=talkative(), budgets=BudgetKeeper(config), classify=False)
    await here.router.handle(chat(model="lancelot-fast", max_tokens=200))
    assert limits(here) == [200]


def test_what_answers_may_come_to_leaves_room_for_others() -> None:
    found = keeper(total=Budget(daily_tokens=10_000))
    shares = [found.reserve(Lane.FAST, None, Need(None, 100, None, 4_000)).share for _ in range(20)]
    assert shares == sorted(shares, reverse=True)
    assert 0.5 < shares[0] < 1
    assert found.status()[0]["share"] == 0.2, "the dial sees what is set aside, not what may come"
    found.reserve(Lane.FAST, None, Need(None, 2_000))
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, Need(None, 6_000))


def test_texts_in_other_scripts_are_not_reckoned_too_small() -> None:
    assert Features.of_text("你好世界" * 100).context_tokens >= 350
    assert Features.of_text("word " * 100).context_tokens < 200


@pytest.mark.anyio
async def test_retries_and_escalations_pay_too() -> None:
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_tokens=1500))))
    here = world(ProviderOverloaded(), "better", budgets=BudgetKeeper(config))
    answered = await here.router.handle(chat(max_tokens=1000))
    assert answered.attempts == 2
    weak = world(text_answer("", usage=Usage(600, 0)), "better", budgets=BudgetKeeper(config))
    with pytest.raises(BudgetSpent):
        await weak.router.handle(chat("y" * 3000, model="lancelot-fast", max_tokens=1400))
    assert weak.receipts.written[-1].status == "blocked"
    local = await weak.router.handle(chat("y" * 3000, max_tokens=1400))
    assert local.lane is Lane.LOCAL
    assert any("budget" in reason for reason in local.reasons)


@pytest.mark.anyio
async def test_a_spent_budget_leaves_the_local_lane_but_not_for_high_risk() -> None:
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_tokens=0))))
    here = world("ok", budgets=BudgetKeeper(config))
    answered = await here.router.handle(chat())
    assert answered.lane is Lane.LOCAL
    assert any("budget" in reason for reason in answered.reasons)
    with pytest.raises(BudgetSpent) as caught:
        await here.router.handle(chat("Which dosage of insulin is safe for my patient?"))
    assert caught.value.retry_after is not None
    kinds = {receipt.kind for receipt in here.receipts.written}
    assert kinds == {"attempt", "budget", "request"}
    step = next(receipt for receipt in here.receipts.written if receipt.kind == "budget")
    assert step.data["after"] == "spent"
    assert here.router.status()["banner"]


@pytest.mark.anyio
async def test_a_key_out_of_budget_does_not_stop_others() -> None:
    config = make_config(budgets=BudgetsConfig(keys={"poor": Budget(daily_tokens=0)}))
    here = world("ok", budgets=BudgetKeeper(FakeConfig(config)))
    with pytest.raises(BudgetSpent):
        await here.router.handle(chat(model="lancelot-fast"), context=RequestContext(key_id="poor"))
    assert (
        await here.router.handle(chat(model="lancelot-fast"), context=RequestContext(key_id="rich"))
    ).lane is Lane.FAST
