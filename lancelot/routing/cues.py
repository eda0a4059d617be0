"""Cues of work: words that ask for planning, proof, design or judgement, and words that ask for little.

They judge what the learned scorer has never seen. Each cue is worth so many steps on the logit of the score.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lancelot.routing.features import Features
from lancelot.routing.phrases import Phrase

__all__ = ["Cue", "cues", "read_cues"]


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue: fires on a word of `words`, a phrase of `pattern`, or a substring of a text that is not in English.

    `triggers`: the pattern is tried only when one of these words occurs. `most`: words of a text up to which it holds.
    """

    name: str
    says: str
    weight: float
    words: frozenset[str]
    triggers: frozenset[str]
    pattern: Phrase | None
    substrings: tuple[str, ...]
    most: int | None = None

    def fires(self, words: frozenset[str], lowered: str, *, foreign: bool) -> bool:
        """True when it is in the newest user message."""
        if not self.words.isdisjoint(words):
            return True
        if self.pattern is not None and not self.triggers.isdisjoint(words) and self.pattern.search(lowered):
            return True
        return foreign and any(one in lowered for one in self.substrings)


@cache
def read_cues() -> tuple[Cue, ...]:
    """The shipped cues, read once."""
    data = tomllib.loads((Path(__file__).parent / "data" / "cues.toml").read_text("utf-8"))
    return tuple(
        Cue(
            one["name"],
            one["says"],
            float(one["weight"]),
            frozenset(one.get("words", "").split()),
            frozenset(one.get("triggers", "").split()),
            Phrase(one["pattern"]) if "pattern" in one else None,
            tuple(one.get("substrings", ())),
            one.get("most_words"),
        )
        for one in data["cue"]
    )


def cues(features: Features) -> list[Cue]:
    """The cues in the newest user message; a long text is looked at by its beginning and end."""
    text = features.text
    if len(text) > 3000:
        text = text[:2000] + "\n" + text[-1000:]
    lowered = text.lower()
    words, foreign, count = frozenset(features.words), features.foreign, len(features.words)
    return [
        cue
        for cue in read_cues()
        if (cue.most is None or count <= cue.most) and cue.fires(words, lowered, foreign=foreign)
    ]
