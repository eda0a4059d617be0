"""Classification: the label whose tokens the model finds most likely, found without writing any text.

A label's score is the sum of log p over its tokens and the end-of-answer token, as in training. After the one pass
over the text, the first token's log p bounds each label from above; only labels whose bound still beats the best
complete score are evaluated further, all of them in one shared pass. The winner is exact; the losers' scores may
stay upper bounds, so the confidence can only be too low, never too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from local_models.llama import Logits
from local_models.work import Branch, Pass, Plan, Room

__all__ = ["BAR", "Candidate", "Scored", "log_probabilities", "score_labels", "softmax"]

BAR = 0.55  # a confidence under it says so
NEAR = 3.0  # nats below the leader within which labels are evaluated together
MOST_AT_ONCE = 12


@dataclass(slots=True)
class Candidate:
    """A label's tokens (end token included) and the log-probability found so far for the first `known` of them."""

    tokens: list[int]
    bound: float = 0.0
    known: int = 0

    @property
    def complete(self) -> bool:
        return self.known == len(self.tokens)


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-probabilities in the order of the labels (upper bounds where a label was out of the race early)."""

    scores: list[float] = field(default_factory=list)


def log_probabilities(row: Logits, tokens: Sequence[int]) -> list[float]:
    """Natural log of the softmax at the given tokens."""
    top = float(row.max())
    total = float(np.log(np.exp(row - top).sum(dtype=np.float64)))
    return [float(row[token]) - top - total for token in tokens]


def softmax(scores: Sequence[float]) -> list[float]:
    """Shares that sum to one."""
    values = np.asarray(scores, dtype=np.float64)
    shares = np.exp(values - values.max())
    return [float(share) for share in shares / shares.sum()]


def score_labels(room: Room, at: Branch, row: Logits, labels: Sequence[Sequence[int]]) -> Plan[Scored]:
    """Score token lists as the answer that follows branch `at`, whose last logits are row."""
    firsts = log_probabilities(row, [tokens[0] for tokens in labels])
    race = [Candidate(list(tokens), first, 1) for tokens, first in zip(labels, firsts, strict=True)]
    while True:
        leader = max(race, key=lambda candidate: candidate.bound)
        if leader.complete:
            return Scored([candidate.bound for candidate in race])
        near = [c for c in race if not c.complete and c.bound > leader.bound - NEAR]
        near = sorted(near, key=lambda candidate: -candidate.bound)[:MOST_AT_ONCE]
        extra = room.branches(at, len(near) - 1)
        places = [at, *extra]
        near = near[: len(places)]
        rows = yield [
            Pass(place.sequence, place.length, c.tokens[:-1], every=True, prompt=False)
            for place, c in zip(places, near, strict=True)
        ]
        start = 0
        for candidate in near:
            for index in range(1, len(candidate.tokens)):
                candidate.bound += log_probabilities(rows[start + index - 1], [candidate.tokens[index]])[0]
            candidate.known = len(candidate.tokens)
            start += len(candidate.tokens) - 1
        room.rewind(at)
        for branch in extra:
            room.release(branch)
