"""Hard rules over words: what is risky, and what must not leave this machine.

The words are in `data/rules.toml`, those of other languages than English in `data/rules_elsewhere.toml`.

Receipts carry a rule's name and reason, never what matched. Risk is not learnt: outcome data knows nothing of
consequences. `tests/routing/test_risk_conformance.py` pins each rule.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from lancelot.routing.features import Features

__all__ = ["RuleBook", "WordRule", "fired", "forms", "rule_book"]

STEM: Final = 6  # letters
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class Looked(NamedTuple):
    """A request as the rules see it: its text and words, their beginnings, and whether it may not be English."""

    lowered: str
    vocabulary: frozenset[str]
    beginnings: set[str]
    foreign: bool


@dataclass(frozen=True, slots=True)
class WordRule:
    """One rule; it fires when any group, stem or phrase does.

    Attributes:
        name: stable snake_case name.
        reason: what a receipt says.
        level: "high" or "medium".
        groups: each a tuple of word sets; a group holds when every set has a word in the text.
        stems: beginnings of words, six letters each.
        triggers: phrases are tried only when one of these words occurs (None: always).
        phrases: patterns over the lower-cased text.
        elsewhere: the same in other languages, tried on texts that do not look English.
    """

    name: str
    reason: str
    level: str = "high"
    groups: tuple[tuple[frozenset[str], ...], ...] = ()
    stems: frozenset[str] = frozenset()
    triggers: frozenset[str] | None = None
    phrases: tuple[re.Pattern[str], ...] = ()
    elsewhere: re.Pattern[str] | None = None

    def fires(self, looked: Looked) -> bool:
        """True when the rule holds for the request."""
        vocabulary, lowered = looked.vocabulary, looked.lowered
        if any(all(not vocabulary.isdisjoint(words) for words in group) for group in self.groups):
            return True
        if not self.stems.isdisjoint(looked.beginnings):
            return True
        if (
            self.phrases
            and (self.triggers is None or not vocabulary.isdisjoint(self.triggers))
            and any(phrase.search(lowered) for phrase in self.phrases)
        ):
            return True
        return self.elsewhere is not None and looked.foreign and self.elsewhere.search(lowered) is not None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All built-in rules."""

    keep_local: tuple[WordRule, ...]
    risk: tuple[WordRule, ...]
    tools_high: frozenset[str]
    tools_medium: frozenset[str]

    def tool_risk(self, names: tuple[str, ...]) -> str | None:
        """The risk of tools a model may call: high (destroys, pays, speaks outward), medium (writes), None (reads)."""
        worst = None
        for name in names:
            pieces = {piece.lower() for piece in _PIECES.findall(name)}
            if pieces & self.tools_high:
                return "high"
            if pieces & self.tools_medium:
                worst = "medium"
        return worst


@cache
def rule_book() -> RuleBook:
    """The shipped rules, read once."""
    data, elsewhere = _table("rules.toml"), _table("rules_elsewhere.toml")
    return RuleBook(
        keep_local=tuple(_rule(one, elsewhere["keep_local"]) for one in data["keep_local"]),
        risk=tuple(_rule(one, elsewhere["risk"]) for one in data["risk"]),
        tools_high=forms(data["tools"]["high"]),
        tools_medium=forms(data["tools"]["medium"]),
    )


def fired(rules: tuple[WordRule, ...], features: Features) -> list[WordRule]:
    """The rules that hold, in the table's order."""
    words = features.vocabulary
    looked = Looked(features.full.lower(), words, {word[:STEM] for word in words}, features.foreign)
    return [rule for rule in rules if rule.fires(looked)]


def forms(words: str) -> frozenset[str]:
    """The words of a blank-separated list; `word~` also in its usual English endings."""
    found: set[str] = set()
    for word in words.split():
        if not word.endswith("~"):
            found.add(word)
            continue
        word = word[:-1]
        stem = word[:-1] if word.endswith("e") else word
        if word.endswith("y") and word[-2] not in "aeiou":
            found |= {word, f"{word[:-1]}ies", f"{word[:-1]}ied", f"{word}ing"}
        else:
            found |= {word, f"{word}s", f"{word}es", f"{stem}ed", f"{stem}ing", f"{stem}ion", f"{stem}ions"}
    return frozenset(found)


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "data" / name).read_text("utf-8"))


def _rule(data: dict[str, Any], elsewhere: dict[str, list[str]]) -> WordRule:
    others = elsewhere.get(data["name"])
    return WordRule(
        name=data["name"],
        reason=data["reason"],
        level=data.get("level", "high"),
        groups=tuple(tuple(forms(words) for words in group) for group in data.get("groups", ())),
        stems=frozenset(data.get("stems", "").split()),
        triggers=forms(data["triggers"]) if "triggers" in data else None,
        phrases=tuple(re.compile(pattern) for pattern in data.get("phrases", ())),
        elsewhere=re.compile("|".join(others)) if others else None,
    )
