"""Savings against a baseline: worked by hand, net of failures, honest about what is unknown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lancelot.errors import BadInput
from lancelot.store.savings import LaneUse, savings
from lancelot.store.usage import UsageQueries


def use(task: str, lane: str, requests: int, calls: int, tokens: int, cost: str, unpriced: int = 0) -> LaneUse:
    return LaneUse(task, lane, requests, calls, tokens, Decimal(cost), calls - unpriced, unpriced, 0)


def test_worked_by_hand() -> None:
    found = savings(
        [
            use("question", "local", 10, 10, 1000, "0.001"),
            use("question", "deep", 2, 4, 400, "0.4"),  # two of them second attempts after the local lane
            use("code", "deep", 1, 1, 600, "0.3"),
        ],
        "deep",
    )
    assert found["paid_usd"] == "0.701"
    # by task: 12 questions at 0.1, one piece of code at 0.3; by token: (12 * 100 + 600) * 0.7/1000
    assert found["would_cost_usd"] == ["1.26", "1.5"]
    assert found["saved_usd"] == ["0.559", "0.799"]


def test_a_saving_can_be_negative() -> None:
    found = savings([use("q", "deep", 1, 1, 100, "1"), use("q", "fast", 1, 1, 100, "0.01")], "fast")
    assert Decimal(found["saved_usd"][0]) < 0


def test_a_lane_that_never_answered_gives_no_number() -> None:
    found = savings([use("q", "local", 1, 1, 100, "0.001")], "deep")
    assert found["saved_usd"] is None
    assert "nothing to compare" in found["assumptions"][-1]
    assert savings([], "deep")["paid_usd"] == "0"


def test_unknown_costs_are_said() -> None:
    found = savings([use("q", "deep", 2, 2, 100, "1", unpriced=1), use("q", "local", 1, 1, 9, "0", unpriced=1)], "deep")
    assert "1 flagship calls have no known price" in " ".join(found["assumptions"])
    assert "1 local calls have no price" in " ".join(found["assumptions"])


def test_unknown_flagship_costs_widen_the_range_downwards() -> None:
    known = LaneUse("q", "deep", 2, 2, 100, Decimal(1), 1, 1, 40)  # 60 tokens cost a dollar, 40 cost nobody knows what
    found = savings([known], "deep")
    assert found["would_cost_usd"] == ["1.666667", "2"]
    assert found["saved_usd"] == ["0", "1"]  # 40 tokens at 1/60 each are taken off the low end


def test_what_had_to_be_tried_again_is_told_and_is_in_what_was_paid() -> None:
    local = LaneUse("q", "local", 4, 4, 400, Decimal("0.04"), 4, 0, 0, 1, Decimal("0.01"))
    deep = LaneUse("q", "deep", 0, 1, 100, Decimal("0.5"), 1, 0, 0, 0, Decimal(0))
    found = savings([local, deep], "deep")
    assert found["retries"] == {"calls": 1, "usd": "0.01", "local_calls": 1, "local_usd": "0.01"}
    assert found["paid_usd"] == "0.54"
    assert found["would_cost_usd"] == ["2", "2"]  # four requests at half a dollar; 500 tokens in 5 calls, 4 requests
    assert found["saved_usd"] == ["1.46", "1.46"]


def test_from_receipts(store, make_receipt) -> None:
    for _ in range(3):
        store.write(make_receipt(lane="local", cost_usd=Decimal("0.0001")))
    store.write(make_receipt(lane="deep", cost_usd=Decimal("0.01")))
    usage = UsageQueries(store)
    found = usage.savings(baseline="deep")
    assert found["paid_usd"] == "0.0103"
    assert found["would_cost_usd"] == ["0.04", "0.04"]
    assert found["saved_usd"] == ["0.0297", "0.0297"]
    with pytest.raises(BadInput):
        usage.savings(baseline="local")
