"""Classification: the label whose tokens the model finds most likely, found without writing any text.

A label's score is the sum of log p over its tokens and the end-of-answer token, as in training. After the one pass
over the text, the first token's log p bounds each label from above; only labels whose bound still beats the best
complete score are evaluated further, all of them in one shared pass. So the winner is the exhaustive search's, and the
losers' scores may stay upper bounds. Where all labels begin with different tokens and one is ahead by SURE already, its
remaining tokens only spell it out, and that pass is saved (no label of our golden set changes by it).

Label sets the model was not trained on get a prior: what a label scores for a text that says nothing is subtracted in
part, because long or odd names are unlikely whatever the text is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from local_models.llama import Logits
from local_models.work import Branch, Pass, Plan, Room

__all__ = ["BAR", "PRIOR_WEIGHT", "SURE", "Candidate", "Scored", "log_probabilities", "score_labels", "softmax"]

BAR = 0.55  # a confidence under it says so
NEAR = 3.0  # nats below the leader within which labels are evaluated together
MOST_AT_ONCE = 12
SURE = 3.0  # nats ahead after the first token
PRIOR_WEIGHT = 0.35  # between public intent sets (best without) and business lists kept out of training (best with)


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
    """Log-probabilities but for one constant, in the order of the labels; upper bounds where a label was out of the
    race early."""

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


def score_labels(
    room: Room,
    at: Branch,
    row: Logits,
    labels: Sequence[Sequence[int]],
    *,
    priors: Sequence[float] | None = None,
    sure: float = SURE,
    every: bool = False,
) -> Plan[Scored]:
    """Score token lists as the answer that follows branch `at`, whose last logits are row.

    Args:
        priors: the labels' scores for an empty text; PRIOR_WEIGHT of them is subtracted.
        sure: nats ahead that save the second pass; infinite: never.
        every: complete scores for all labels, not only the best.
    """
    handicaps = [PRIOR_WEIGHT * prior for prior in priors or [0.0] * len(labels)]
    # all labels share the first token's normaliser, so it changes neither their order nor their shares
    firsts = [float(row[tokens[0]]) for tokens in labels]
    race = [
        Candidate(list(tokens), first - handicap, 1)
        for tokens, first, handicap in zip(labels, firsts, handicaps, strict=True)
    ]
    if not every and len({tokens[0] for tokens in labels}) == len(labels):
        ahead = sorted((candidate.bound for candidate in race), reverse=True)
        if ahead[0] - ahead[1] >= sure:
            return Scored([candidate.bound for candidate in race])
    while True:
        leader = max(race, key=lambda candidate: candidate.bound)
        open_ones = [candidate for candidate in race if not candidate.complete]
        if not open_ones or (leader.complete and not every):
            return Scored([candidate.bound for candidate in race])
        near = open_ones if every else [c for c in open_ones if c.bound > leader.bound - NEAR]
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
