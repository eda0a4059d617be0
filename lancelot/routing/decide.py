"""Which lane, and why. Pure: the same assessment, policy, budget and lane health always give the same decision.

The decision is a table of rules in four groups, and every rule that fires is a reason:

    HOLD    what must not leave; outranks everything
    WANT    the first that fires names the lane
    FLOOR   raises it; hard floors (risk, capabilities) are never given up
    LIMIT   what budget, key and lane health still allow
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from lancelot.routing.assessment import Assessment, Capabilities
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import Park, RoutingPolicy

__all__ = [
    "FLOOR_RULES",
    "HOLD_RULES",
    "WANT_RULES",
    "BudgetView",
    "Decision",
    "Facts",
    "LaneState",
    "Level",
    "Refusal",
    "Rule",
    "decide",
]


class Level(IntEnum):
    """How far the spend dial is turned."""

    NORMAL = 0
    NARROW_DEEP = 1
    NO_DEEP = 2
    NARROW_FAST = 3
    SPENT = 4


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The budgets as one decision sees them.

    Attributes:
        level: the dial; SPENT leaves the local lane only.
        reason: which budget, in words; "" at NORMAL.
        blocked: lanes whose own budget is spent, with the reason.
        retry_after: seconds until the tightest spent budget renews.
    """

    level: Level = Level.NORMAL
    reason: str = ""
    blocked: Mapping[Lane, str] = field(default_factory=dict)
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class LaneState:
    """One lane's health and abilities.

    Attributes:
        available: False while it is not configured or its breaker is open.
        why: the reason when it is not available.
        retry_after: seconds until it may be tried again; None is unknown.
        model: the model it would call.
        max_input_tokens: None is unknown.
    """

    available: bool = True
    why: str = ""
    retry_after: float | None = None
    model: str | None = None
    tools: bool = True
    vision: bool = True
    structured: bool = True
    max_input_tokens: int | None = None

    def lacks(self, needs: Capabilities) -> str | None:
        """What the lane cannot do of what is needed, in words."""
        if needs.tools and not self.tools:
            return "it takes no tools"
        if needs.vision and not self.vision:
            return "it takes no pictures"
        if needs.structured and not self.structured:
            return "it takes no answer schema"
        if self.max_input_tokens is not None and needs.context_tokens > self.max_input_tokens:
            return f"about {needs.context_tokens} tokens do not fit into {self.max_input_tokens}"
        return None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a rule may look at."""

    assessment: Assessment
    policy: RoutingPolicy
    budget: BudgetView
    lanes: Mapping[Lane, LaneState]
    forced: Lane | None = None
    allowed: frozenset[Lane] | None = None
    at_least: Lane | None = None  # escalation: the lane the attempt before asks for


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no lane may answer; the router turns it into the error of that code."""

    code: str
    title: str
    hint: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A lane with its reasons, or a refusal, or a park.

    Attributes:
        hard: True when a rule forbids every cheaper lane (risk, capabilities).
        held: True when nothing may leave this machine.
    """

    lane: Lane | None
    model: str | None
    reasons: tuple[str, ...]
    refusal: Refusal | None = None
    parked: Park | None = None
    hard: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: fires when `when` gives a reason."""

    name: str
    lane: Lane | None
    when: Callable[[Facts], str | None]
    hard: bool = False


def _threshold(facts: Facts) -> float:
    limits = facts.policy.thresholds
    threshold = limits.cascade if facts.assessment.signals else limits.deep
    if facts.budget.level is Level.NARROW_DEEP:
        return threshold + (1 - threshold) / 2
    return threshold


def _keep_local(facts: Facts) -> str | None:
    return "; ".join(facts.assessment.keep_local) or None


def _forced(lane: Lane) -> Callable[[Facts], str | None]:
    return lambda facts: f"the caller asked for the {lane} lane" if facts.forced is lane else None


def _operator(lane: Lane) -> Callable[[Facts], str | None]:
    def rule(facts: Facts) -> str | None:
        chosen = facts.assessment.operator_lane
        return f"the operator's rule {chosen[0]}" if chosen is not None and chosen[1] == lane.value else None

    return rule


def _local_task(facts: Facts) -> str | None:
    assessed = facts.assessment
    limit = facts.policy.thresholds.local
    if assessed.local_can and assessed.risk == "low" and assessed.follow_up is None and assessed.deep_score < limit:
        return f"task {assessed.task}: the policy lets the local model answer it"
    return None


def _deep_score(facts: Facts) -> str | None:
    assessed = facts.assessment
    if not assessed.known:
        return None
    threshold = _threshold(facts)
    if assessed.deep_score >= threshold:
        return f"deep score {assessed.deep_score:.2f} reaches {threshold:.2f}"
    return None


def _fast_score(facts: Facts) -> str | None:
    if not facts.assessment.known:
        return None
    return f"deep score {facts.assessment.deep_score:.2f} is below {_threshold(facts):.2f}"


def _unknown(lane: Lane) -> Callable[[Facts], str | None]:
    def rule(facts: Facts) -> str | None:
        if facts.policy.unknown_lane is lane:
            return "nothing is known of this kind of request: unknown, not simple"
        return None

    return rule


def _risk(level: str) -> Callable[[Facts], str | None]:
    def rule(facts: Facts) -> str | None:
        if facts.forced is not None or facts.assessment.risk != level:
            return None
        return f"risk {level}: " + ("; ".join(facts.assessment.risk_reasons) or "no rule could vouch for it")

    return rule


def _incapable(lane: Lane) -> Callable[[Facts], str | None]:
    """Fires on the lane above when the lane itself is not able."""

    def rule(facts: Facts) -> str | None:
        below = facts.lanes.get(lane)
        lacking = below.lacks(facts.assessment.capabilities) if below is not None else None
        if lacking is None or facts.forced is lane:
            return None
        return f"the {lane} lane cannot: {lacking}"

    return rule


def _follow_up(facts: Facts) -> str | None:
    state = facts.assessment.follow_up
    if state is None or facts.forced is not None or "follow_up" not in facts.policy.escalate_on:
        return None
    return f"follow-up ({state}): an earlier answer did not do"


def _escalated(lane: Lane) -> Callable[[Facts], str | None]:
    return lambda facts: "escalated after the attempt before" if facts.at_least is lane else None


HOLD_RULES: tuple[Rule, ...] = (Rule("keep_local", Lane.LOCAL, _keep_local, hard=True),)

WANT_RULES: tuple[Rule, ...] = (
    Rule("forced_local", Lane.LOCAL, _forced(Lane.LOCAL)),
    Rule("forced_fast", Lane.FAST, _forced(Lane.FAST)),
    Rule("forced_deep", Lane.DEEP, _forced(Lane.DEEP)),
    Rule("operator_local", Lane.LOCAL, _operator(Lane.LOCAL)),
    Rule("operator_fast", Lane.FAST, _operator(Lane.FAST)),
    Rule("operator_deep", Lane.DEEP, _operator(Lane.DEEP)),
    Rule("local_task", Lane.LOCAL, _local_task),
    Rule("deep_score", Lane.DEEP, _deep_score),
    Rule("fast_score", Lane.FAST, _fast_score),
    Rule("unknown_local", Lane.LOCAL, _unknown(Lane.LOCAL)),
    Rule("unknown_fast", Lane.FAST, _unknown(Lane.FAST)),
    Rule("unknown_deep", Lane.DEEP, _unknown(Lane.DEEP)),
)

FLOOR_RULES: tuple[Rule, ...] = (
    Rule("risk_high", Lane.DEEP, _risk("high"), hard=True),
    Rule("risk_medium", Lane.FAST, _risk("medium"), hard=True),
    Rule("risk_unknown", Lane.FAST, _risk("unknown")),
    Rule("local_incapable", Lane.FAST, _incapable(Lane.LOCAL), hard=True),
    Rule("fast_incapable", Lane.DEEP, _incapable(Lane.FAST), hard=True),
    Rule("follow_up", Lane.DEEP, _follow_up),
    Rule("escalated_fast", Lane.FAST, _escalated(Lane.FAST)),
    Rule("escalated_deep", Lane.DEEP, _escalated(Lane.DEEP)),
)


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
