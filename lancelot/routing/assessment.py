"""The assessment: what is known of one request before a lane is chosen. Values only; `assess` makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Assessment", "Capabilities", "Risk"]

Risk = Literal["low", "medium", "high", "unknown"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model must be able to do. `context_tokens` is a cautious estimate of the whole input."""

    tools: bool = False
    vision: bool = False
    structured: bool = False
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one request looks like, with reasons in words.

    Attributes:
        task: task type ("maths", "code", "exam.law"); "unknown" when nothing recognises it.
        task_confidence: 0..1.
        risk: the worst rule that fired; "unknown" when the text is beyond what the rules can read.
        risk_reasons, keep_local: reasons in words; keep_local non-empty means nothing may leave.
        complexity: 0..1, None is unknown.
        deep_score: 0..1, how much the deep lane is needed; always a number, meaningful when `known`.
        known: False when the score has no signal behind it.
        follow_up: "repeated" or "angry" when an earlier answer did not do.
        signals: True when failure signals of an earlier answer are part of the score.
        operator_lane: (rule name, lane) of the operator's first own rule that matches.
        local_can: the local model may answer this kind of task.
        classification: {"label", "confidence"} of the local model, or why there is none.
        features: numbers and flags; never text.
    """

    task: str = "unknown"
    task_confidence: float = 0.0
    risk: Risk = "unknown"
    risk_reasons: tuple[str, ...] = ()
    keep_local: tuple[str, ...] = ()
    complexity: float | None = None
    deep_score: float = 0.5
    known: bool = False
    follow_up: str | None = None
    signals: bool = False
    local_can: bool = False
    operator_lane: tuple[str, str] | None = None
    tools: tuple[str, ...] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)
    classification: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe inputs of the decision, as receipts keep them and what-if reads them back."""
        return {
            "task": self.task,
            "task_confidence": round(self.task_confidence, 3),
            "risk": self.risk,
            "risk_reasons": list(self.risk_reasons),
            "keep_local": list(self.keep_local),
            "complexity": self.complexity,
            "deep_score": round(self.deep_score, 4),
            "known": self.known,
            "follow_up": self.follow_up,
            "signals": self.signals,
            "local_can": self.local_can,
            "operator_lane": None if self.operator_lane is None else list(self.operator_lane),
            "capabilities": {
                "tools": self.capabilities.tools,
                "vision": self.capabilities.vision,
                "structured": self.capabilities.structured,
                "context_tokens": self.capabilities.context_tokens,
            },
            "tool_names": list(self.tools),
            "classification": self.classification,
            "features": self.features,
        }

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Assessment:
        """The assessment of a stored receipt; its reasons are the receipt's own."""
        capabilities = kept.get("capabilities") or {}
        return cls(
            task=str(kept.get("task", "unknown")),
            task_confidence=float(kept.get("task_confidence") or 0.0),
            risk=kept.get("risk", "unknown"),
            risk_reasons=tuple(kept.get("risk_reasons") or ()),
            keep_local=tuple(kept.get("keep_local") or ()),
            complexity=kept.get("complexity"),
            deep_score=float(kept.get("deep_score", 0.5)),
            known=bool(kept.get("known")),
            follow_up=kept.get("follow_up"),
            signals=bool(kept.get("signals")),
            local_can=bool(kept.get("local_can")),
            operator_lane=tuple(kept["operator_lane"]) if kept.get("operator_lane") else None,
            tools=tuple(kept.get("tool_names") or ()),
            capabilities=Capabilities(
                tools=bool(capabilities.get("tools")),
                vision=bool(capabilities.get("vision")),
                structured=bool(capabilities.get("structured")),
                context_tokens=int(capabilities.get("context_tokens", 0)),
            ),
            classification=dict(kept.get("classification") or {}),
            features=dict(kept.get("features") or {}),
        )
