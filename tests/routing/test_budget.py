"""Budgets hold: in money and tokens, in total, by lane and key, also for fifty callers at the edge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from lancelot.chat import Usage
from lancelot.config import Budget, BudgetsConfig
from lancelot.errors import BudgetSpent, ProviderOverloaded
from lancelot.routing.budget import BudgetKeeper
from lancelot.routing.context import RequestContext
from lancelot.routing.decision import Level
from lancelot.routing.lanes import Lane
from tests.fakes import FakeProvider, text_answer
from tests.routing.fakes import FakeConfig, chat, make_config, world

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
    found.reserve(Lane.DEEP, "k", Decimal(10**6), 10**9)
    assert found.banner() is None


def test_a_reservation_counts_until_it_is_settled() -> None:
    found = keeper(total=Budget(daily_tokens=100))
    first = found.reserve(Lane.FAST, None, None, 60)
    with pytest.raises(BudgetSpent) as caught:
        found.reserve(Lane.FAST, None, None, 60)
    assert caught.value.retry_after == 12 * 3600
    first.settle(None, 10)
    first.settle(None, 10)
    second = found.reserve(Lane.FAST, None, None, 60)
    second.release()
    assert found.status()[0]["tokens"] == 10


def test_unpriced_traffic_counts_against_tokens() -> None:
    found = keeper(total=Budget(daily_usd=Decimal(1), daily_tokens=100))
    found.reserve(Lane.FAST, None, None, 80).settle(None, 80)
    assert found.view(None).level is Level.NARROW_DEEP
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, None, 30)


def test_the_local_lane_is_never_blocked() -> None:
    found = keeper(total=Budget(daily_usd=Decimal(0), daily_tokens=0))
    found.reserve(Lane.LOCAL, None, Decimal(1), 10**6).settle(None, 10**6)
    assert found.view(None).level is Level.SPENT
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, Decimal(1), 1)


def test_the_dial_turns_and_each_turn_is_told_once() -> None:
    clock = Clock(NOON.replace(hour=23))
    found = keeper(total=Budget(daily_usd=Decimal(100)), clock=clock)
    levels = []
    for _ in range(20):
        levels.append(found.view(None).level)
        found.reserve(Lane.DEEP, None, Decimal(5), 1).settle(Decimal(5), 1)
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
    found.reserve(Lane.DEEP, None, Decimal(4), 1).settle(Decimal(4), 1)
    view = found.view(None)
    assert view.level is Level.NARROW_DEEP
    assert "pace" in view.reason
    clock.now = NOON.replace(hour=20)
    assert found.view(None).level is Level.NORMAL


def test_a_lane_and_a_key_have_purses_of_their_own() -> None:
    found = keeper(
        lanes={"deep": Budget(daily_usd=Decimal(1))}, keys={"k1": Budget(monthly_tokens=10)}, default_key=Budget()
    )
    found.reserve(Lane.DEEP, "k2", Decimal(1), 5).settle(Decimal(1), 5)
    assert Lane.DEEP in found.view("k2").blocked
    found.reserve(Lane.FAST, "k2", Decimal(1), 5)
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, "k1", None, 11)


def test_a_new_day_renews_and_the_past_is_remembered() -> None:
    clock, past = Clock(), Past(tokens=90)
    found = keeper(total=Budget(daily_tokens=100), clock=clock, past=past)
    with pytest.raises(BudgetSpent):
        found.reserve(Lane.FAST, None, None, 20)
    assert past.asked[0] == (NOON.replace(hour=0), None, "fast")
    past.tokens = 0
    clock.now = NOON.replace(day=16)
    found.reserve(Lane.FAST, None, None, 20)


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_fifty_parallel_callers_at_the_edge_cannot_pass_it(streamed: bool) -> None:
    gate = asyncio.Event()
    answer = text_answer("ok", usage=Usage(input=50, output=50))
    limits = BudgetsConfig(total=Budget(daily_tokens=10_000))
    config = FakeConfig(make_config(budgets=limits))
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


@pytest.mark.anyio
async def test_long_answers_without_a_limit_are_reckoned_with() -> None:
    config = FakeConfig(make_config(budgets=BudgetsConfig(total=Budget(daily_tokens=20_000))))
    long = text_answer("a long answer", usage=Usage(input=10, output=7_000))
    here = world(provider=FakeProvider(long), budgets=BudgetKeeper(config), classify=False)
    for _ in range(2):
        await here.router.handle(chat(model="lancelot-fast"))
    with pytest.raises(BudgetSpent):
        await here.router.handle(chat(model="lancelot-fast"))
    assert sum((receipt.tokens_in or 0) + (receipt.tokens_out or 0) for receipt in here.receipts.attempts) <= 20_000
    await here.router.handle(chat(model="lancelot-fast", max_tokens=1_000))


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
    limits = BudgetsConfig(keys={"poor": Budget(daily_tokens=0)})
    here = world("ok", budgets=BudgetKeeper(FakeConfig(make_config(budgets=limits))))
    with pytest.raises(BudgetSpent):
        await here.router.handle(chat(model="lancelot-fast"), context=RequestContext(key_id="poor"))
    assert (
        await here.router.handle(chat(model="lancelot-fast"), context=RequestContext(key_id="rich"))
    ).lane is Lane.FAST
