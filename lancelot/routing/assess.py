"""Assess one request: task, risk, what must stay here, how much the deep lane is needed; each with its reason.

Deterministic features first; the local model's classification, when it came in time, is one more input. Works on the
raw request, in memory, on this machine; what leaves this module are numbers, names and reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lancelot.chat import ChatRequest
from lancelot.routing.assessment import Assessment, Capabilities, Risk
from lancelot.routing.conversation import follow_up
from lancelot.routing.features import Features
from lancelot.routing.outcomes import Prior
from lancelot.routing.policy import RoutingPolicy
from lancelot.routing.rules import Looked, fired, rule_book
from lancelot.routing.score import Score, score

__all__ = ["assess", "assess_features", "first_look", "with_score"]

UNREADABLE = 0.5  # below this share of Latin letters the English risk rules cannot vouch for a text


def assess(
    chat: ChatRequest,
    *,
    signals: Mapping[str, Any] | None = None,
    classification: Mapping[str, Any] | None = None,
    redactions: Mapping[str, int] | None = None,
    priors: Mapping[str, Prior] | None = None,
    keep_local: bool = False,
    flagged: frozenset[str] = frozenset(),
    config: RoutingPolicy | None = None,
) -> Assessment:
    """The assessment of a request.

    Args:
        signals: failure signals of an earlier answer ("sig_…"), when there are any.
        classification: {"label", "confidence"} of the local model, or {"skipped": why}.
        redactions: personal data found, {label: count}; blocked labels keep the request here.
        priors: the history of task types.
        keep_local: the caller's own wish.
        flagged: utility tasks on which the local model is under its exam bar.
    """
    return assess_features(
        Features.of(chat),
        signals=signals,
        classification=classification,
        redactions=redactions,
        priors=priors,
        keep_local=keep_local,
        flagged=flagged,
        config=config,
    )


def assess_features(
    features: Features,
    *,
    signals: Mapping[str, Any] | None = None,
    classification: Mapping[str, Any] | None = None,
    redactions: Mapping[str, int] | None = None,
    priors: Mapping[str, Prior] | None = None,
    keep_local: bool = False,
    flagged: frozenset[str] = frozenset(),
    config: RoutingPolicy | None = None,
) -> Assessment:
    """The same, of features counted already."""
    first = first_look(features, redactions=redactions, keep_local=keep_local, config=config)
    return with_score(
        first,
        features,
        signals=signals,
        classification=classification,
        priors=priors,
        flagged=flagged,
        config=config,
    )


def first_look(
    features: Features,
    *,
    redactions: Mapping[str, int] | None = None,
    keep_local: bool = False,
    config: RoutingPolicy | None = None,
) -> Assessment:
    """What must stay here, the risk and the abilities asked for: all that matters where the caller names the lane."""
    policy = config or RoutingPolicy()
    looked = Looked(features)
    risk, risk_reasons = _risk(features, looked, policy)
    return Assessment(
        risk=risk,
        risk_reasons=tuple(risk_reasons),
        keep_local=tuple(_keep_local(features, looked, redactions or {}, keep_local, policy)),
        follow_up=follow_up(features),
        tools=features.tools,
        capabilities=Capabilities(
            tools=bool(features.tools),
            vision=features.images > 0,
            structured=features.structured,
            context_tokens=features.context_tokens,
        ),
        features=features.to_dict(),
    )


def with_score(
    first: Assessment,
    features: Features,
    *,
    signals: Mapping[str, Any] | None = None,
    classification: Mapping[str, Any] | None = None,
    priors: Mapping[str, Prior] | None = None,
    flagged: frozenset[str] = frozenset(),
    config: RoutingPolicy | None = None,
) -> Assessment:
    """A first look completed: the kind of task, and how much the deep lane is needed."""
    policy = config or RoutingPolicy()
    judged = score(
        features,
        signals=signals,
        classification=classification,
        priors=priors,
        follow_up=first.follow_up,
        risk=first.risk,
        config=policy,
    )
    reasons = [*judged.reasons]
    under_bar = {judged.task, judged.task.split(".")[0]} & flagged
    if under_bar:
        reasons.append(f"the local model is under its exam bar for {', '.join(sorted(under_bar))}")
    if classification and "skipped" in classification:
        reasons.append(f"local classification skipped: {classification['skipped']}")
    return replace(
        first,
        task=judged.task,
        task_confidence=judged.task_confidence,
        complexity=judged.complexity,
        deep_score=judged.deep,
        known=judged.known,
        signals=judged.signals,
        operator_lane=_operator_lane(judged.task, features, policy),
        local_can=not under_bar and _local_can(judged, features, policy),
        classification=dict(classification or {}),
        reasons=tuple(reasons),
    )


def _keep_local(
    features: Features, looked: Looked, redactions: Mapping[str, int], asked: bool, policy: RoutingPolicy
) -> list[str]:
    staying = ["the caller asks that this is not sent out"] if asked else []
    staying += [f"{rule.name}: {rule.reason}" for rule in fired(rule_book().keep_local, looked)]
    staying += [f"{rule.name}: {rule.reason}" for rule in policy.keep_local if rule.pattern.search(features.full)]
    blocked = sorted(label for label in redactions if label in policy.blocked_labels and redactions[label])
    if blocked:
        staying.append(f"blocked data types: {', '.join(blocked)}")
    return staying


def _risk(features: Features, looked: Looked, policy: RoutingPolicy) -> tuple[Risk, list[str]]:
    found = [(rule.level, f"{rule.name}: {rule.reason}") for rule in fired(rule_book().risk, looked)]
    found += [
        (rule.level, f"{rule.name}: {rule.reason}") for rule in policy.risk_rules if rule.pattern.search(features.full)
    ]
    level = rule_book().tool_risk(features.tools)
    if level is not None:
        found.append((level, "tools: a tool it may call writes or acts"))
    reasons = [f"{reason} ({level} risk)" for level, reason in found]
    levels = {level for level, _ in found}
    for worst in ("high", "medium"):
        if worst in levels:
            return worst, reasons
    if features.images or (not features.words and features.latin < UNREADABLE) or features.latin < UNREADABLE:
        return "unknown", ["the risk rules cannot read this text or picture (risk unknown)"]
    return "low", reasons


def _operator_lane(task: str, features: Features, policy: RoutingPolicy) -> tuple[str, str] | None:
    for rule in policy.lane_choices:
        named = not rule.tasks or task in rule.tasks or task.split(".")[0] in rule.tasks
        if named and (rule.pattern is None or rule.pattern.search(features.full)):
            return rule.name, rule.lane.value
    return None


def _local_can(judged: Score, features: Features, policy: RoutingPolicy) -> bool:
    named = {judged.task, judged.task.split(".")[0]} & policy.local_answers
    return bool(named) and judged.task_confidence >= policy.thresholds.local_confidence and not features.tools
