"""How much a request needs the deep lane: a score with its reasons, and whether anything is known at all."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lancelot.routing.features import Features
from lancelot.routing.policy import RoutingPolicy

__all__ = ["Score", "complexity", "score"]


@dataclass(frozen=True, slots=True)
class Score:
    """A score (0..1) and what it stands on."""

    deep: float
    known: bool
    task: str
    task_confidence: float
    complexity: float | None
    signals: bool
    reasons: tuple[str, ...]


_HELLO = r"hi|hello|hey|good (?:morning|evening|afternoon)|thanks?(?: you)?|bye|goodbye|ok(?:ay)?"
_HELLO_ELSEWHERE = r"你好|谢谢|hallo|danke|bonjour|merci|hola|gracias"
_GREETING = re.compile(rf"^\W*(?:{_HELLO}|{_HELLO_ELSEWHERE})\b[\w ,']{{0,20}}\W*$", re.I)


def complexity(features: Features) -> float:
    """0..1 from length, structure, maths, code, constraints."""
    value = -1.6 + 0.35 * math.log1p(features.chars / 200)
    value += 0.2 * min(4, features.maths) + 0.3 * min(3, features.code) + 0.15 * min(6, features.items)
    value += (
        0.1 * min(6, features.numbers)
        + 0.25 * min(4, features.constraints)
        + 0.2 * min(3, max(0, features.questions - 1))
    )
    return 1 / (1 + math.exp(-value))


def score(
    features: Features,
    *,
    signals: Mapping[str, Any] | None = None,
    classification: Mapping[str, Any] | None = None,
    priors: Mapping[str, float] | None = None,
    follow_up: str | None = None,
    config: RoutingPolicy | None = None,
) -> Score:
    """The score of a request."""
    hard = complexity(features)
    if _GREETING.match(features.text):
        return Score(0.02, True, "greeting", 1.0, hard, False, ("task greeting",))
    return Score(hard, False, "unknown", 0.0, round(hard, 3), False, (f"complexity {hard:.2f}",))
