"""The learned part of the score: which kind of task a prompt is, and how much more a deep model gets right on it.

Weights come from `recipe.py`: class centroids of hashed words give the task type, a ridge over type, words and
measurements the expected gain, a second small one over failure signals how likely the fast answer is wrong.
A prompt unlike anything learnt from has no score: `Learned.known` is False.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lancelot.routing.vectors import SLOPED, dense_row, hashed, tokens, word_bits

__all__ = ["SIGNALS", "Learned", "Scorer", "scorer", "signal_row"]

SIGNALS = ("sig_agree_local", "sig_weak_parsed", "sig_local_parsed", "sig_weak_outlen", "sig_local_outlen")
TEMPERATURE = 0.02  # of the softmax over centroid similarities; chosen by cross-validation in the recipe
PRIOR_POWER = 0.5
FAMILIAR = 0.6  # share of a prompt's words that must have been seen


@dataclass(frozen=True, slots=True)
class Learned:
    """What the learned part says.

    Attributes:
        need: 0..1; 0.5 is where a third of what it learnt from would go deep. 0.5 as well when not known.
        known: False when the prompt is unlike everything learnt from.
        task, confidence: the likeliest task type and its probability.
        likeness: similarity (cosine) to the nearest task type.
        trust: 0..1, how much of what was learnt applies to a prompt of this likeness; 0 when not known.
        wrong: chance (0..1) that the fast answer is wrong given its failure signals; None without signals.
        escalate: 0..1, the same around the chance at which escalating pays (0.5 there); None without signals.
    """

    need: float
    known: bool
    task: str
    confidence: float
    likeness: float
    trust: float = 0.0
    wrong: float | None = None
    escalate: float | None = None


class Scorer:
    """Weights in memory (about 2 MB); thread-safe, `score` takes about 0.2 ms a kilobyte."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._types = [str(name) for name in weights["types"]]
        self._log_prior = PRIOR_POWER * np.log(weights["type_counts"].astype(np.float64) + 1)
        self._idf = weights["idf"].astype(np.float32)
        self._centroids = weights["centroids"]  # int8, place x type
        self._scale = weights["centroid_scale"].astype(np.float32)
        self._words = weights["words"].astype(np.float32)
        self._mean = weights["dense_mean"].astype(np.float64)
        self._std = weights["dense_std"].astype(np.float64)
        self._dense = weights["dense"].astype(np.float64)
        self._by_type = weights["by_type"].astype(np.float64)
        self._slopes = weights["slopes"].astype(np.float64)  # type x measurement of SLOPED
        self._bias = float(weights["bias"])
        self._knots = weights["knots"].astype(np.float64)  # gain at need 0, 1/20, …, 1
        self._needs = np.linspace(0, 1, len(self._knots))
        self._seen = np.unpackbits(weights["vocabulary"])
        self._signals = weights["signals"].astype(np.float64)
        self._half = float(weights["signal_half"])
        self._signal_facts = weights["signal_facts"].astype(np.float64)
        self._least, self._usual = (float(one) for one in weights["likeness"])

    def score(self, text: str, signals: Mapping[str, Any] | None = None) -> Learned:
        """The learned score of one prompt."""
        words = tokens(text)
        if not words:
            return Learned(0.5, False, "unknown", 0.0, 0.0)
        gain, need, best, confidence, likeness = self._judge(text, words)
        wrong = escalate = None
        if signals:
            row = signal_row(signals, (gain - self._signal_facts[0]) / self._signal_facts[1], len(text))
            wrong = min(1.0, max(0.0, float(np.dot(row, self._signals))))
            escalate = _around(wrong, self._half)
        known = likeness >= self._least and self._familiar(words)
        trust = min(1.0, max(0.0, (likeness - self._least) / (self._usual - self._least)))
        return Learned(
            need if known else 0.5, known, self._types[best], confidence, likeness, trust * known, wrong, escalate
        )

    def _familiar(self, words: list[str]) -> bool:
        """Whether at least half of the words were ever seen."""
        places = word_bits(words)
        return len(places) > 0 and float(self._seen[places].mean()) >= FAMILIAR

    def gain(self, text: str) -> float:
        """The raw expected gain; for the recipe's own checks."""
        return self._judge(text, tokens(text))[0]

    def _judge(self, text: str, words: list[str]) -> tuple[float, float, int, float, float]:
        places = hashed(words)
        values = self._idf[places]
        values = values / max(math.sqrt(np.dot(values, values)), 1e-9)
        likeness = (values @ self._centroids[places].astype(np.float32)) * self._scale
        logits = likeness.astype(np.float64) / TEMPERATURE + self._log_prior
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        best = int(chances.argmax())
        row = (dense_row(text, words) - self._mean) / self._std
        gain = float(values @ self._words[places]) + float(row @ self._dense) + float(chances @ self._by_type)
        gain += float(chances @ self._slopes @ row[SLOPED]) + self._bias
        need = float(np.interp(gain, self._knots, self._needs))
        return gain, need, best, float(chances[best]), float(likeness.max())


def _around(chance: float, half: float) -> float:
    """The chance moved on the logit so that `half` becomes 0.5; keeps the order."""
    chance, half = min(max(chance, 1e-6), 1 - 1e-6), min(max(half, 1e-6), 1 - 1e-6)
    odds = chance / (1 - chance) * (1 - half) / half
    return odds / (1 + odds)


def signal_row(signals: Mapping[str, Any], gain: float, length: int) -> NDArray[np.float64]:
    """Failure signals as numbers; a signal that is missing stands at what is usual. `gain` is standardised."""

    def value(name: str, usual: float) -> float:
        given = signals.get(name)
        if isinstance(given, bool):
            return float(given)
        return float(given) if isinstance(given, int | float) and math.isfinite(given) else usual

    differ = 1 - value("sig_agree_local", 0.66)
    unread = 1 - value("sig_weak_parsed", 1.0)
    local_unread = 1 - value("sig_local_parsed", 1.0)
    said = math.log1p(max(0.0, value("sig_weak_outlen", 900.0))) - 6.8
    local_said = math.log1p(max(0.0, value("sig_local_outlen", 900.0))) - 6.8
    surplus = said - (math.log1p(length) - 5.5)
    return np.array(
        (
            *(differ, unread, local_unread, gain, differ * gain, said, local_said, differ * said, differ * local_said),
            *(surplus, differ * surplus, (1 - differ) * gain * said, 1.0),
        )
    )


@cache
def scorer() -> Scorer:
    """The shipped weights, read once."""
    with np.load(Path(__file__).parent / "data" / "scorer.npz", allow_pickle=False) as weights:
        return Scorer({name: weights[name] for name in weights.files})
