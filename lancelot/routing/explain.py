"""The dry run: which lane and why, no call made. Works without any service, thousands of prompts a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lancelot.errors import BadInput
from lancelot.routing.assess import assess_features
from lancelot.routing.assessment import Assessment
from lancelot.routing.decide import decide
from lancelot.routing.decision import BudgetView, Decision, LaneState
from lancelot.routing.features import Features
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import RoutingPolicy

__all__ = ["Explanation", "explain_prompt", "explanation"]

_ALL_WELL = {lane: LaneState(tools=lane is not Lane.LOCAL, vision=lane is not Lane.LOCAL) for lane in Lane}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision that was not carried out. `lane` is None when the request would be refused."""

    lane: Lane | None
    deep_score: float
    known: bool
    reasons: list[str]
    risk: str
    task: str
    keep_local: list[str]
    complexity: float | None
    parked: str | None = None
    refusal: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """{"lane", "deep_score" 0..1, "known", "reasons", "risk", "task", …} as the command line and route give it."""
        return {
            "lane": None if self.lane is None else self.lane.value,
            "deep_score": round(self.deep_score, 6),
            "known": self.known,
            "reasons": self.reasons,
            "risk": self.risk,
            "task": self.task,
            "keep_local": self.keep_local,
            "complexity": self.complexity,
            "parked": self.parked,
            "refusal": self.refusal,
        }


def explanation(looked: tuple[Assessment, Decision]) -> Explanation:
    """What an assessment and its decision say."""
    assessment, decision = looked
    return Explanation(
        lane=decision.lane,
        deep_score=assessment.deep_score,
        known=assessment.known,
        reasons=list(decision.reasons),
        risk=assessment.risk,
        task=assessment.task,
        keep_local=list(assessment.keep_local),
        complexity=assessment.complexity,
        parked=None if decision.parked is None else decision.parked.name,
        refusal=None if decision.refusal is None else decision.refusal.title,
    )


def explain_prompt(
    prompt: str, signals: Mapping[str, Any] | None = None, config: RoutingPolicy | None = None
) -> dict[str, Any]:
    """The explanation of one bare prompt, all lanes taken to be well and no budget spent.

    Args:
        signals: failure signals of an earlier answer ("sig_weak_parsed", "sig_agree_local", …).
        config: the policy; the shipped one when None.

    Raises:
        BadInput: the prompt is not text.
    """
    if not isinstance(prompt, str):
        raise BadInput("`prompt` must be text.", param="prompt")
    if signals is not None and not isinstance(signals, Mapping):
        raise BadInput("`signals` must be an object.", param="signals")
    policy = config or RoutingPolicy()
    assessment = assess_features(
        Features.of_text(prompt), signals=signals, classification={"skipped": "dry run"}, config=policy
    )
    return explanation((assessment, decide(assessment, policy, BudgetView(), _ALL_WELL, text=prompt))).to_dict()
