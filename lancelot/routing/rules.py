"""Hard rules over words: what is risky, and what must not leave this machine.

The words are in `data/rules.toml`, those of other languages than English in `data/rules_elsewhere.toml`.

Receipts carry a rule's name and reason, never what matched. Risk is not learnt: outcome data knows nothing of
consequences. `tests/routing/test_risk_conformance.py` pins each rule.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from lancelot.routing.features import Features, words_of
from lancelot.routing.phrases import Phrase

__all__ = ["Looked", "RuleBook", "WordRule", "fired", "forms", "rule_book"]

STEM: Final = 6  # letters
SHORT: Final = 400  # characters up to which a text is not taken apart
_SENTENCE = re.compile(r"[.!?]\s|\n")
_SCRIPT = re.compile("[\u0370-\u1fff\u2e80-\uffff]")
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class Looked:
    """A request as the rules see it, taken apart once for all of them and no further than they ask.

    Attributes:
        lowered, vocabulary: its text and its words.
        foreign: it may not be English. scripts: it holds other letters than Latin ones.
    """

    def __init__(self, features: Features) -> None:
        self.lowered, self.vocabulary, self.foreign = features.full.lower(), features.vocabulary, features.foreign
        self.scripts = self.foreign and not self.lowered.isascii() and _SCRIPT.search(self.lowered) is not None
        self._words: dict[str, frozenset[str]] = {}

    @cached_property
    def beginnings(self) -> set[str]:
        """The first letters of its words."""
        return {word[:STEM] for word in self.vocabulary}

    @cached_property
    def sentences(self) -> list[str]:
        """Each different sentence; a short text is one."""
        return [self.lowered] if len(self.lowered) <= SHORT else list(dict.fromkeys(_SENTENCE.split(self.lowered)))

    def near(self, triggers: frozenset[str] | None) -> str:
        """The sentences with one of the triggers, a line each; what no phrase can match is left out."""
        if triggers is None:
            return self.lowered
        if self.vocabulary.isdisjoint(triggers):
            return ""
        if len(self.sentences) == 1:
            return self.lowered
        there = self.vocabulary & triggers
        return "\n".join(one for one in self.sentences if not there.isdisjoint(self._words_of(one)))

    def _words_of(self, sentence: str) -> frozenset[str]:
        words = self._words.get(sentence)
        if words is None:
            words = self._words[sentence] = frozenset(words_of(sentence))
        return words


@dataclass(frozen=True, slots=True)
class WordRule:
    """One rule; it fires when any group, stem or phrase does.

    Attributes:
        name: stable snake_case name.
        reason: what a receipt says.
        level: "high" or "medium".
        groups: each a tuple of word sets; a group holds when every set has a word in the text.
        stems: beginnings of words, six letters each.
        triggers: phrases are tried only on sentences with one of these words (None: always).
        phrases: patterns over the lower-cased text.
        unless: a question about the rule's own words, which is none of its cases.
        elsewhere, scripts: the same in other languages, with Latin and with other letters; tried unless it is English.
    """

    name: str
    reason: str
    level: str = "high"
    groups: tuple[tuple[frozenset[str], ...], ...] = ()
    stems: frozenset[str] = frozenset()
    triggers: frozenset[str] | None = None
    phrases: tuple[Phrase, ...] = ()
    elsewhere: tuple[Phrase, ...] = ()
    scripts: tuple[Phrase, ...] = ()
    unless: tuple[Phrase, ...] = ()

    def fires(self, looked: Looked) -> bool:
        """True when the rule holds for the request."""
        return self._holds(looked) and not any(phrase.search(looked.lowered) for phrase in self.unless)

    def _holds(self, looked: Looked) -> bool:
        vocabulary = looked.vocabulary
        if any(all(not vocabulary.isdisjoint(words) for words in group) for group in self.groups):
            return True
        if self.stems and not self.stems.isdisjoint(looked.beginnings):
            return True
        text = looked.near(self.triggers) if self.phrases else ""
        if text and any(phrase.search(text) for phrase in self.phrases):
            return True
        if looked.foreign and any(phrase.search(looked.lowered) for phrase in self.elsewhere):
            return True
        return looked.scripts and any(phrase.search(looked.lowered) for phrase in self.scripts)


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


def fired(rules: tuple[WordRule, ...], looked: Looked) -> list[WordRule]:
    """The rules that hold, in the table's order."""
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
    others = elsewhere.get(data["name"], [])
    latin = [one for one in others if not _SCRIPT.search(one)]
    scripts = [one for one in others if _SCRIPT.search(one)]
    return WordRule(
        name=data["name"],
        reason=data["reason"],
        level=data.get("level", "high"),
        groups=tuple(tuple(forms(words) for words in group) for group in data.get("groups", ())),
        stems=frozenset(data.get("stems", "").split()),
        triggers=forms(data["triggers"]) if "triggers" in data else None,
        phrases=tuple(map(Phrase, data.get("phrases", ()))),
        elsewhere=tuple(map(Phrase, latin)),
        scripts=tuple(map(Phrase, scripts)),
        unless=tuple(map(Phrase, data.get("unless", ()))),
    )
