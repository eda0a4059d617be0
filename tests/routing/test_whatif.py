"""What-if takes past decisions again, calls nothing, and says what it cannot try."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lancelot.routing.lanes import Lane
from lancelot.routing.policy import NamedPattern, RoutingPolicy, Thresholds
from lancelot.routing.whatif import what_if
from lancelot.store.receipts import Receipt
from tests.routing.fakes import chat, make_config, world

MODELS = {Lane.FAST: "small-1", Lane.DEEP: "large-1"}
PRICES = make_config().prices


def past(score: float, **more: Any) -> Receipt:
    kept = {"task": "x", "risk": "low", "deep_score": score, "known": True}
    return Receipt(request_id="r", lane="fast", assessment=kept, tokens_in=1000, tokens_out=1000, **more)


def test_a_lower_threshold_moves_requests_and_costs_more() -> None:
    now = RoutingPolicy()
    then = replace(now, thresholds=Thresholds(deep=0.3))
    told = what_if([past(0.2), past(0.4), past(0.45), past(0.9)], now, then, PRICES, models=MODELS)
    assert told.looked_at == 4
    assert told.moved == {("fast", "deep"): 2}
    assert told.cost_change == Decimal("0.054")
    assert told.to_dict()["moved"] == [{"from": "fast", "to": "deep", "requests": 2}]


def test_attempts_after_the_first_and_named_lanes_are_left_out() -> None:
    forced = past(0.4, reasons=["forced_fast: the caller asked for the fast lane"])
    told = what_if([past(0.4, parent_id="p"), forced], RoutingPolicy(), RoutingPolicy(), PRICES)
    assert told.looked_at == 0


def test_what_cannot_be_tried_is_named() -> None:
    now = RoutingPolicy()
    pattern = NamedPattern("n", re.compile("x"), "r")
    assert what_if([], now, replace(now, keep_local=(pattern,)), PRICES).untried == ["keep_local patterns"]


def test_a_moved_request_without_a_price_is_counted_as_such() -> None:
    now = RoutingPolicy()
    told = what_if([past(0.4)], now, replace(now, thresholds=Thresholds(deep=0.1)), PRICES)
    assert told.unpriced == 1
    assert told.cost_change == 0


@pytest.mark.anyio
async def test_the_same_policy_moves_nothing_on_real_receipts() -> None:
    here = world("ok")
    for text in ("hi", "Describe the tides.", "Prove that the square root of two is irrational.", "Is insulin safe?"):
        await here.router.handle(chat(text))
    told = what_if(here.receipts.written, RoutingPolicy(), RoutingPolicy(), PRICES, models=MODELS)
    assert told.looked_at == 4
    assert not told.moved


def test_a_lane_without_a_price_costs_what_its_tokens_have_cost() -> None:
    now = RoutingPolicy()
    cheap = past(0.4, cost_usd=Decimal("0.002"))
    dear = past(0.9, cost_usd=Decimal("0.02")).model_copy(update={"lane": "deep"})
    told = what_if([cheap, dear], now, replace(now, thresholds=Thresholds(deep=0.3)), PRICES)
    assert (told.estimated, told.unpriced) == (1, 0)
    assert told.cost_change == Decimal("0.018")  # deep has cost 0.02 for as many tokens, fast 0.002 by its receipt


def test_thresholds_that_need_the_text_are_named() -> None:
    now = RoutingPolicy()
    then = replace(now, thresholds=replace(now.thresholds, local_confidence=0.1, prior_weight=0.9))
    assert len(what_if([], now, then, PRICES).untried) == 2
