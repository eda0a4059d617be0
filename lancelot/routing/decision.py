"""What a decision is made of and looks like: lane health, budgets as one decision sees them, the decision itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from lancelot.routing.assessment import Assessment, Capabilities
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import Park, RoutingPolicy

__all__ = ["BudgetView", "Decision", "Facts", "LaneState", "Level", "Refusal", "Rule"]


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
