"""The routing policy as the deciding code reads it: `router.yaml` turned into plain, frozen, compiled values.

One place knows the configuration's shape, so `assess` and `decide` stay pure and need no files in tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from lancelot.config import RouterConfig
from lancelot.routing.lanes import Lane

__all__ = ["BreakerLimits", "LaneChoice", "NamedPattern", "Park", "Pressure", "RoutingPolicy", "Thresholds"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where scores and confidences (0..1) turn into lanes.

    Attributes:
        local: below it the local model may answer a task the policy leaves to it.
        deep: the deep lane from this score on, before any call.
        cascade: the deep lane from this score on, once failure signals of a first answer are known.
        local_confidence: the least confidence in the task type at which the local model may answer.
        classify_confidence: below it the local classification counts as unknown.
        prior_min_history, prior_weight: when and how much a task type's own outcomes count.
    """

    local: float = 0.12
    deep: float = 0.5
    cascade: float = 0.5
    local_confidence: float = 0.8
    classify_confidence: float = 0.5
    prior_min_history: int = 20
    prior_weight: float = 0.5


@dataclass(frozen=True, slots=True)
class NamedPattern:
    """An operator's own pattern; receipts carry its name and reason, never what it matched."""

    name: str
    pattern: re.Pattern[str]
    reason: str
    level: str = "high"


@dataclass(frozen=True, slots=True)
class Park:
    """When a request waits for a person; every stated condition must hold."""

    name: str
    reason: str
    pattern: re.Pattern[str] | None = None
    risk: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()
    lanes: frozenset[str] = frozenset()

    def matches(self, *, text: str, risk: str, task: str, tools: tuple[str, ...], lane: str) -> bool:
        """True when the rule holds; `text` is the redacted request."""
        return (
            (not self.risk or risk in self.risk)
            and (not self.tasks or task in self.tasks or task.split(".")[0] in self.tasks)
            and (not self.lanes or lane in self.lanes)
            and (not self.tools or any(fnmatchcase(name, wanted) for name in tools for wanted in self.tools))
            and (self.pattern is None or self.pattern.search(text) is not None)
        )


@dataclass(frozen=True, slots=True)
class LaneChoice:
    """The operator's own lane for some requests; every stated condition must hold."""

    name: str
    lane: Lane
    pattern: re.Pattern[str] | None = None
    tasks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pressure:
    """Shares of a budget (0..1) at which the dial turns."""

    narrow_deep: float = 0.7
    no_deep: float = 0.85
    narrow_fast: float = 0.95


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """A lane rests after `failures` failures in `window_s` s, for `cooldown_s` s, doubling up to `max_cooldown_s`."""

    failures: int = 5
    window_s: float = 60.0
    cooldown_s: float = 15.0
    max_cooldown_s: float = 300.0


ESCALATE_ON = frozenset({"error", "refusal", "empty", "truncated", "schema_invalid", "disagreement", "follow_up"})


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """Everything the operator may tell the router; the defaults are the shipped `router.yaml`."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    unknown_lane: Lane = Lane.FAST
    keep_local: tuple[NamedPattern, ...] = ()
    blocked_labels: frozenset[str] = frozenset()
    risk_rules: tuple[NamedPattern, ...] = ()
    lane_choices: tuple[LaneChoice, ...] = ()
    compare_local: bool = False
    park: tuple[Park, ...] = ()
    local_answers: frozenset[str] = frozenset({"classify", "extract", "summarize", "redact", "rewrite", "greeting"})
    escalate_on: frozenset[str] = ESCALATE_ON
    classify_budget_ms: float = 60.0  # 0 is off
    max_attempts: int = 3
    max_cost_usd: Decimal | None = Decimal("1.00")
    deadline_s: float = 120.0
    utility_deadline_s: float = 30.0
    previews: bool = False
    redaction_mode: str = "fast"
    redaction_policy: str = "default"
    pressure: Pressure = field(default_factory=Pressure)
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    power_usd_per_hour: Decimal | None = None

    @classmethod
    def from_config(cls, router: RouterConfig) -> RoutingPolicy:
        """From a checked `RouterConfig` (its patterns are known to compile)."""
        limits, breaker, pressure, power = router.thresholds, router.breaker, router.budgets.pressure, router.power
        priced = power.usd_per_kwh is not None and power.watts is not None
        return cls(
            thresholds=Thresholds(
                local=limits.local,
                deep=limits.deep_score,
                cascade=limits.cascade,
                local_confidence=limits.local_confidence,
                classify_confidence=limits.classify_confidence,
                prior_min_history=limits.prior_min_history,
                prior_weight=limits.prior_weight,
            ),
            unknown_lane=Lane(limits.unknown_lane),
            keep_local=tuple(
                NamedPattern(rule.name or f"operator {index}", _compiled(rule.pattern), rule.reason)
                for index, rule in enumerate(router.keep_local, 1)
            ),
            blocked_labels=frozenset(router.blocked_labels),
            risk_rules=tuple(
                NamedPattern(rule.name, _compiled(rule.pattern), rule.reason or rule.name, rule.risk)
                for rule in router.risk_rules
            ),
            lane_choices=tuple(
                LaneChoice(
                    rule.name,
                    Lane(rule.lane),
                    None if rule.pattern is None else _compiled(rule.pattern),
                    frozenset(rule.tasks),
                )
                for rule in router.lane_rules
            ),
            compare_local=router.compare_local,
            park=tuple(
                Park(
                    rule.name,
                    rule.reason,
                    None if rule.pattern is None else _compiled(rule.pattern),
                    frozenset(rule.risk),
                    frozenset(rule.tasks),
                    tuple(rule.tools),
                    frozenset(rule.lanes),
                )
                for rule in router.park
            ),
            local_answers=frozenset(router.local_answers),
            escalate_on=frozenset(router.escalation.on),
            classify_budget_ms=float(router.classify_budget_ms) if router.classify else 0.0,
            max_attempts=router.max_attempts,
            max_cost_usd=router.max_cost_usd_per_request,
            deadline_s=router.deadline_s,
            utility_deadline_s=router.utility_deadline_s,
            previews=router.previews,
            redaction_mode=router.redaction_mode,
            redaction_policy=router.redaction_policy,
            pressure=Pressure(pressure.narrow_deep, pressure.no_deep, pressure.narrow_fast),
            breaker=BreakerLimits(breaker.failures, breaker.window_s, breaker.cooldown_s, breaker.max_cooldown_s),
            power_usd_per_hour=_hourly(power.usd_per_kwh, power.watts) if priced else None,
        )


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _hourly(usd_per_kwh: Any, watts: Any) -> Decimal:
    return Decimal(usd_per_kwh) * Decimal(watts) / Decimal(1000)
