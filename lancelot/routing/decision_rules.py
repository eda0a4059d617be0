"""The table of rules behind `decide`: each row a name, a lane, and when it fires (a reason in words, or None)."""

from __future__ import annotations

from collections.abc import Callable

from lancelot.routing.decision import Facts, Level, Rule
from lancelot.routing.lanes import Lane

__all__ = ["FLOOR_RULES", "HOLD_RULES", "WANT_RULES"]


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
        return f"kind of task {assessed.task}: the policy lets the local model answer it"
    return None


def _deep_score(facts: Facts) -> str | None:
    assessed = facts.assessment
    if not assessed.known:
        return None
    threshold = _threshold(facts)
    if assessed.deep_score >= threshold:
        return f"need for the deep lane {assessed.deep_score:.2f}, at or above the threshold {threshold:.2f}"
    return None


def _fast_score(facts: Facts) -> str | None:
    if not facts.assessment.known:
        return None
    return f"need for the deep lane {facts.assessment.deep_score:.2f}, below the threshold {_threshold(facts):.2f}"


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
