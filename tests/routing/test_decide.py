"""The decision is pure, and its table does what it says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from lancelot.routing.assessment import Assessment, Capabilities
from lancelot.routing.decide import decide
from lancelot.routing.decision import BudgetView, LaneState, Level
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import Park, RoutingPolicy

WELL = {lane: LaneState(model=f"m-{lane}", tools=lane is not Lane.LOCAL) for lane in Lane}
PLAIN = Assessment(task="facts", risk="low", deep_score=0.3, known=True)
POLICY = RoutingPolicy()


def lane_of(
    assessment: Assessment = PLAIN, policy: RoutingPolicy = POLICY, budget: BudgetView | None = None, **more: object
) -> Lane | None:
    lanes = more.pop("lanes", WELL)
    return decide(assessment, policy, budget or BudgetView(), lanes, **more).lane  # type: ignore[arg-type]


def test_score_decides_between_fast_and_deep() -> None:
    assert lane_of() is Lane.FAST
    assert lane_of(replace(PLAIN, deep_score=0.5)) is Lane.DEEP


def test_unknown_is_not_simple() -> None:
    unknown = replace(PLAIN, known=False, deep_score=0.5)
    assert lane_of(unknown) is Lane.FAST
    assert lane_of(unknown, replace(POLICY, unknown_lane=Lane.DEEP)) is Lane.DEEP
    told = decide(unknown, POLICY, BudgetView(), WELL)
    assert any("unknown, not simple" in reason for reason in told.reasons)


def test_local_answers_only_what_the_policy_leaves_to_it() -> None:
    greeting = replace(PLAIN, task="greeting", deep_score=0.02, local_can=True)
    assert lane_of(greeting) is Lane.LOCAL
    assert lane_of(replace(greeting, risk="medium")) is Lane.FAST
    assert lane_of(replace(greeting, deep_score=0.3)) is Lane.FAST
    assert lane_of(replace(greeting, follow_up="angry")) is Lane.DEEP


def test_keep_local_outranks_everything() -> None:
    held = replace(PLAIN, risk="high", keep_local=("secret",), deep_score=1.0, operator_lane=("x", "deep"))
    for forced in (None, *Lane):
        for level in Level:
            assert lane_of(held, budget=BudgetView(level, "x"), forced=forced) is Lane.LOCAL
    down = WELL | {Lane.LOCAL: LaneState(available=False, why="restarting")}
    told = decide(held, POLICY, BudgetView(), down)
    assert told.lane is None
    assert told.refusal is not None
    assert told.refusal.code == "local_model_unavailable"


@pytest.mark.parametrize("level", list(Level))
def test_high_risk_is_never_answered_by_a_cheaper_lane(level: Level) -> None:
    told = decide(replace(PLAIN, risk="high"), POLICY, BudgetView(level, "spent"), WELL)
    assert told.lane in (Lane.DEEP, None)
    assert (told.lane is None) == (level is Level.SPENT)


def test_never_down_in_risk_when_deep_is_out() -> None:
    out = WELL | {Lane.DEEP: LaneState(available=False, why="resting", retry_after=9)}
    told = decide(replace(PLAIN, risk="high"), POLICY, BudgetView(), out)
    assert told.lane is None
    assert told.refusal is not None
    assert told.refusal.retry_after == 9
    assert lane_of(replace(PLAIN, deep_score=0.9), lanes=out) is Lane.FAST


def test_the_dial_narrows_deep_then_fast_then_leaves_local() -> None:
    hard, easy = replace(PLAIN, deep_score=0.6), replace(PLAIN, deep_score=0.3)
    greeting = replace(PLAIN, task="summarize", deep_score=0.3, local_can=True)
    expected = {
        Level.NORMAL: (Lane.DEEP, Lane.FAST, Lane.FAST),
        Level.NARROW_DEEP: (Lane.FAST, Lane.FAST, Lane.FAST),
        Level.NO_DEEP: (Lane.FAST, Lane.FAST, Lane.FAST),
        Level.NARROW_FAST: (Lane.FAST, Lane.FAST, Lane.LOCAL),
        Level.SPENT: (Lane.LOCAL, Lane.LOCAL, Lane.LOCAL),
    }
    for level, lanes in expected.items():
        view = BudgetView(level, "total daily money")
        assert tuple(lane_of(one, budget=view) for one in (hard, easy, greeting)) == lanes, level


def test_what_a_model_cannot_do_raises_the_lane() -> None:
    tools = replace(PLAIN, capabilities=Capabilities(tools=True), local_can=True, deep_score=0.0)
    assert lane_of(tools) is Lane.FAST
    blind = WELL | {Lane.FAST: LaneState(vision=False), Lane.LOCAL: LaneState(vision=False)}
    assert lane_of(replace(PLAIN, capabilities=Capabilities(vision=True)), lanes=blind) is Lane.DEEP
    short = {lane: LaneState(max_input_tokens=10) for lane in Lane}
    told = decide(replace(PLAIN, capabilities=Capabilities(context_tokens=99)), POLICY, BudgetView(), short)
    assert told.refusal is not None
    assert told.refusal.code == "lane_incapable"


def test_keys_and_lanes() -> None:
    assert lane_of(allowed=frozenset({Lane.LOCAL})) is Lane.LOCAL
    told = decide(PLAIN, POLICY, BudgetView(), WELL, forced=Lane.DEEP, allowed=frozenset({Lane.LOCAL}))
    assert told.refusal is not None
    assert told.refusal.code == "forbidden"


def test_the_operators_lane_yields_to_risk() -> None:
    chosen = replace(PLAIN, operator_lane=("mine", "fast"), deep_score=0.9)
    assert lane_of(chosen) is Lane.FAST
    assert lane_of(replace(chosen, risk="high")) is Lane.DEEP


def test_a_park_rule_parks() -> None:
    policy = replace(POLICY, park=(Park("wires", "moves money", tools=("transfer_*",)),))
    told = decide(replace(PLAIN, tools=("transfer_funds",)), policy, BudgetView(), WELL)
    assert told.parked is not None
    assert told.parked.name == "wires"
    assert decide(PLAIN, policy, BudgetView(), WELL).parked is None


def test_pure_and_total() -> None:
    """Every combination gives a lane or a refusal, twice the same, with reasons."""
    risks, scores, states = ("low", "medium", "high", "unknown"), (0.0, 0.5, 1.0), (True, False)
    for risk, deep, known, level, up in itertools.product(risks, scores, (True, False), Level, states):
        assessment = replace(PLAIN, risk=risk, deep_score=deep, known=known)  # type: ignore[arg-type]
        lanes = {lane: LaneState(available=up, why="" if up else "out") for lane in Lane}
        first = decide(assessment, POLICY, BudgetView(level, "b"), lanes)
        assert first == decide(assessment, POLICY, BudgetView(level, "b"), lanes)
        assert (first.lane is None) != (first.refusal is None)
        assert first.reasons


def test_an_assessment_survives_its_receipt() -> None:
    whole = replace(PLAIN, risk="high", risk_reasons=("money: x",), operator_lane=("a", "fast"), follow_up="wrong")
    again = Assessment.from_dict(whole.to_dict())
    assert decide(again, POLICY, BudgetView(), WELL) == decide(whole, POLICY, BudgetView(), WELL)
