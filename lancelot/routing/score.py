"""How much a request needs the deep lane: 0..1 with its reasons, and whether anything is known at all.

What was learnt from outcomes speaks where the prompt is like what it was learnt from; cues of work, the state of the
conversation and the task type's own history move it. With failure signals of an earlier answer the score is the chance
that this answer is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lancelot.routing.cues import cues
from lancelot.routing.features import Features
from lancelot.routing.outcomes import Prior
from lancelot.routing.policy import RoutingPolicy
from lancelot.routing.scorer import Learned, Scorer, scorer

__all__ = ["Score", "complexity", "score"]

FOLLOW_UP = 2.2  # steps on the logit
HIGH_RISK = 1.8
EXAM_CHOICES = 3  # so many lettered choices make a text an exam question, whose subject is not advice
TASK_CONFIDENCE = 0.35  # below it a task type has no name
# What asks for a program says so. The questions learnt from ask for one whenever they begin with "Write a", so without
# one of these words it is other writing.
_PROGRAMS = """
algorithm api bash c code coding cpp css function functions golang html java javascript json kotlin perl php program
programs python regex regexp ruby rust script scripts shell snippet sql swift typescript yaml
"""
PROGRAMMING = frozenset(_PROGRAMS.split())


@dataclass(frozen=True, slots=True)
class Score:
    """A score (0..1) and what it stands on; `deep` is 0.5 and `known` False when it stands on nothing."""

    deep: float
    known: bool
    task: str
    task_confidence: float
    complexity: float
    signals: bool
    reasons: tuple[str, ...]


_HELLO = r"hi|hello|hey|good (?:morning|evening|afternoon)|thanks?(?: you)?|bye|goodbye|ok(?:ay)?"
_HELLO_ELSEWHERE = r"你好|谢谢|hallo|danke|bonjour|merci|hola|gracias"
_GREETING = re.compile(rf"^\W*(?:{_HELLO}|{_HELLO_ELSEWHERE})\b[\w ,']{{0,20}}\W*$", re.I)


def complexity(features: Features) -> float:
    """0..1 from length, structure, maths, code, constraints."""
    value = -1.6 + 0.35 * math.log1p(features.chars / 200)
    value += 0.2 * min(4, features.maths) + 0.3 * min(3, features.code) + 0.15 * min(6, features.items)
    value += 0.1 * min(6, features.numbers) + 0.25 * min(4, features.constraints)
    value += 0.2 * min(3, max(0, features.questions - 1))
    return _squash(value)


def score(
    features: Features,
    *,
    signals: Mapping[str, Any] | None = None,
    classification: Mapping[str, Any] | None = None,
    priors: Mapping[str, Prior] | None = None,
    follow_up: str | None = None,
    risk: str = "low",
    config: RoutingPolicy | None = None,
    learned: Scorer | None = None,
) -> Score:
    """The score of a request.

    Args:
        signals: failure signals of an earlier answer.
        classification: the local model's label, when it came in time.
        priors: the history of task types.
        follow_up: the state of the conversation, when an earlier answer did not do.
        risk: as assessed; a high one moves the score too.
        learned: other weights than the shipped ones.
    """
    policy = config or RoutingPolicy()
    hard = complexity(features)
    if _GREETING.match(features.text) and follow_up is None:
        return Score(0.02, True, "greeting", 1.0, round(hard, 3), False, ("kind of task: greeting",))
    found = (learned or scorer()).score(features.text, signals)
    task, confidence = _task(found, features, classification, policy)
    if signals and found.wrong is not None and found.escalate is not None:
        reasons = [
            f"kind of task: {task}",
            f"failure signals: the answer is wrong in about {found.wrong:.0%} of such cases",
        ]
        return Score(
            _history(found.escalate, task, priors, policy, reasons), True, task, confidence, hard, True, tuple(reasons)
        )
    reasons = [f"kind of task: {task} ({confidence:.0%} sure)" if task != "unknown" else "kind of task: unknown"]
    steps = found.trust * _logit(found.need)
    if found.known:
        reasons.append(_learnt_words(found))
    moved = 0.0
    for cue in cues(features):
        moved += cue.weight
        reasons.append(f"{cue.says}: {'more' if cue.weight > 0 else 'less'} need for the deep lane")
    if follow_up is not None:
        moved += FOLLOW_UP
        reasons.append(f"an earlier answer did not do ({follow_up}): more need for the deep lane")
    if risk == "high" and features.choices < EXAM_CHOICES:
        moved += HIGH_RISK * (
            1 - found.trust
        )  # where outcomes speak they have the word; the lane itself is a hard rule
        reasons.append("a high risk: more need for the deep lane")
    known = found.known or moved != 0.0 or bool(priors and task in priors)
    deep = _history(_squash(steps + moved), task, priors, policy, reasons) if known else 0.5
    return Score(deep, known, task, confidence, round(hard, 3), False, tuple(reasons))


def _learnt_words(found: Learned) -> str:
    """What outcomes of similar questions say, and how similar they are."""
    said = (
        ("the fast lane usually does", 0.25),
        ("the fast lane often does", 0.5),
        ("the deep lane often does better", 0.75),
        ("the deep lane usually does better", math.inf),
    )
    words = next(words for words, below in said if found.need < below)
    evidence = "little" if found.trust < 0.35 else "some" if found.trust < 0.8 else "good"
    return f"on similar questions {words} ({evidence} evidence)"


def _task(
    found: Learned, features: Features, classification: Mapping[str, Any] | None, policy: RoutingPolicy
) -> tuple[str, float]:
    """The task type: as learnt, else the local model's label under its own name, else unknown."""
    if found.known and found.confidence >= TASK_CONFIDENCE:
        programs = features.code or not PROGRAMMING.isdisjoint(features.words)
        return "writing.free" if found.task == "code.write" and not programs else found.task, found.confidence
    told = classification or {}
    confidence = float(told.get("confidence") or 0.0)
    if "label" in told and not told.get("below_bar") and confidence >= policy.thresholds.classify_confidence:
        return str(told["label"]), confidence
    return "unknown", 0.0


def _history(
    value: float, task: str, priors: Mapping[str, Prior] | None, policy: RoutingPolicy, reasons: list[str]
) -> float:
    """The score drawn towards how often fast did not suffice on this task type before."""
    prior = (priors or {}).get(task)
    if prior is None:
        return value
    share, outcomes = prior
    weight = policy.thresholds.prior_weight * outcomes / (outcomes + policy.thresholds.prior_min_history)
    reasons.append(f"history of {task}: fast did not do in {share:.0%} of {outcomes}")
    return (1 - weight) * value + weight * share


def _squash(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def _logit(share: float) -> float:
    share = min(max(share, 0.005), 0.995)
    return math.log(share / (1 - share))
