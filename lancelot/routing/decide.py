"""Which lane, and why. Pure: the same assessment, policy, budget and lane health always give the same decision.

The decision is a table of rules in four groups, and every rule that fires is a reason:

    HOLD    what must not leave; outranks everything
    WANT    the first that fires names the lane
    FLOOR   raises it; hard floors (risk, capabilities) are never given up
    LIMIT   what budget, key and lane health still allow
"""

from __future__ import annotations

from collections.abc import Mapping

from lancelot.routing.assessment import Assessment
from lancelot.routing.decision import BudgetView, Decision, Facts, LaneState, Level, Refusal
from lancelot.routing.decision_rules import FLOOR_RULES, HOLD_RULES, WANT_RULES
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import Park, RoutingPolicy

__all__ = ["decide"]


def decide(
    assessment: Assessment,
    rules: RoutingPolicy,
    budget: BudgetView,
    lanes: Mapping[Lane, LaneState],
    *,
    forced: Lane | None = None,
    allowed: frozenset[Lane] | None = None,
    at_least: Lane | None = None,
    text: str = "",
) -> Decision:
    """The decision for one request.

    Args:
        forced: the lane the caller named; subject to what must stay here and to the key's lanes.
        allowed: the key's lanes; None is all.
        at_least: on escalation, the lane the attempt before asks for.
        text: the redacted request, for the operator's park rules.
    """
    facts = Facts(assessment, rules, budget, lanes, forced, allowed, at_least)
    for rule in HOLD_RULES:
        reason = rule.when(facts)
        if reason is not None:
            return _held(facts, f"{rule.name}: {reason}")
    lane, reasons = _wanted(facts)
    floor, hard = Lane.LOCAL, Lane.LOCAL
    for rule in FLOOR_RULES:
        reason = rule.when(facts)
        if reason is None or rule.lane is None:
            continue
        reasons.append(f"{rule.name}: {reason}")
        floor = max(floor, rule.lane, key=lambda one: one.rank)
        if rule.hard:
            hard = max(hard, rule.lane, key=lambda one: one.rank)
    lane = max(lane, floor, key=lambda one: one.rank)
    return _limited(facts, lane, hard, reasons, text)


def _wanted(facts: Facts) -> tuple[Lane, list[str]]:
    for rule in WANT_RULES:
        reason = rule.when(facts)
        if reason is not None and rule.lane is not None:
            return rule.lane, [*facts.assessment.reasons, f"{rule.name}: {reason}"]
    return Lane.FAST, [*facts.assessment.reasons]


def _held(facts: Facts, reason: str) -> Decision:
    """Nothing may leave: the local lane, or nobody."""
    local = facts.lanes.get(Lane.LOCAL, LaneState(available=False, why="there is no local model"))
    reasons = (*facts.assessment.reasons, reason)
    refusal = None
    if facts.allowed is not None and Lane.LOCAL not in facts.allowed:
        refusal = Refusal(
            "forbidden",
            "This request must stay on this machine, but its key may not use the local lane.",
            "Allow the local lane for this key.",
        )
    elif not local.available:
        refusal = Refusal(
            "local_model_unavailable",
            "This request must stay on this machine, and the local model is not available.",
            f"Nothing has been sent out; {local.why or 'see Local model'}.",
            local.retry_after,
        )
    return Decision(None if refusal else Lane.LOCAL, local.model, reasons, refusal, hard=True, held=True)


def _limited(facts: Facts, lane: Lane, hard: Lane, reasons: list[str], text: str) -> Decision:
    """The wanted lane after budget, key and lane health; down only where no hard floor forbids it."""
    lane = _budgeted(facts, lane, hard, reasons)
    refusals: list[Refusal] = []
    for candidate in _candidates(lane, hard, facts.forced):
        refusal = _blocked(facts, candidate)
        if refusal is None:
            if candidate is not lane:
                reasons.append(f"moved to the {candidate} lane: {refusals[0].title}")
            parked = _parked(facts, candidate, text)
            if parked is not None:
                reasons.append(f"park {parked.name}: {parked.reason}")
            return Decision(
                candidate, facts.lanes[candidate].model, tuple(reasons), parked=parked, hard=hard is not Lane.LOCAL
            )
        refusals.append(refusal)
    reasons.append(f"refused: {refusals[0].title}")
    return Decision(None, None, tuple(reasons), refusals[0], hard=hard is not Lane.LOCAL)


def _candidates(lane: Lane, hard: Lane, forced: Lane | None) -> list[Lane]:
    """The lane, then the dearer ones, then the cheaper ones down to the hard floor; a forced lane alone."""
    if forced is not None:
        return [lane]
    below = [one for one in reversed(tuple(Lane)) if hard.rank <= one.rank < lane.rank]
    return [lane, *lane.above(), *below]


def _budgeted(facts: Facts, lane: Lane, hard: Lane, reasons: list[str]) -> Lane:
    level, why = facts.budget.level, facts.budget.reason
    if facts.forced is not None or level is Level.NORMAL:
        return lane
    if level in (Level.NO_DEEP, Level.NARROW_FAST) and lane is Lane.DEEP and hard is not Lane.DEEP:
        reasons.append(f"budget: {why}; fast answers in deep's place")
        lane = Lane.FAST
    if level is Level.NARROW_FAST and lane is Lane.FAST and hard is Lane.LOCAL and facts.assessment.local_can:
        reasons.append(f"budget: {why}; what local can answer stays local")
        lane = Lane.LOCAL
    if level is Level.NARROW_DEEP:
        reasons.append(f"budget: {why}; deep is only for what needs it")
    return lane


def _blocked(facts: Facts, lane: Lane) -> Refusal | None:
    """Why this lane may not answer."""
    state = facts.lanes.get(lane)
    if facts.allowed is not None and lane not in facts.allowed:
        return Refusal(
            "forbidden", f"This key may not use the {lane} lane.", "Ask the operator for a key that allows it."
        )
    if state is None or not state.available:
        why = state.why if state is not None else "it is not set up"
        code = "local_model_unavailable" if lane is Lane.LOCAL else "lane_unavailable"
        return Refusal(
            code,
            f"The {lane} lane is not available: {why}.",
            "See Router for its state and end.",
            state.retry_after if state else None,
        )
    if lane is not Lane.LOCAL:
        budget = facts.budget
        if budget.level is Level.SPENT or lane in budget.blocked:
            why = budget.blocked.get(lane) or budget.reason
            return Refusal(
                "budget_spent",
                f"The budget is spent: {why}.",
                "Raise the budget under Settings, or wait until it renews; the local lane stays open.",
                budget.retry_after,
            )
    lacking = state.lacks(facts.assessment.capabilities)
    if lacking is not None:
        return Refusal(
            "lane_incapable", f"The {lane} lane cannot answer this: {lacking}.", "Use another lane or model."
        )
    return None


def _parked(facts: Facts, lane: Lane, text: str) -> Park | None:
    assessed = facts.assessment
    for park in facts.policy.park:
        if park.matches(text=text, risk=assessed.risk, task=assessed.task, tools=assessed.tools, lane=lane.value):
            return park
    return None
