"""A phrase is looked for only where it can be, and finds what its pattern finds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.routing.cues import read_cues
from lancelot.routing.phrases import Phrase, alternatives, literals
from lancelot.routing.rules import rule_book

RULES = (*rule_book().keep_local, *rule_book().risk)
PHRASES = [phrase for rule in RULES for phrase in (*rule.phrases, *rule.elsewhere, *rule.scripts)]
PHRASES += [cue.pattern for cue in read_cues() if cue.pattern is not None]


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        (r"\bkeep (?:it|this) local\b", {"keep it local", "keep this local"}),
        (r"no \w+ cloud\b", {" cloud"}),  # cut in two by what may be any word: the longer half
        (r"\bsend(?:s|ing)?\b|\bshared?\b", {"send", "share"}),
        (r"don['’]?t\s+(?:\w+\s+){0,4}leave", {"leave"}),
        (r"(?:ab)+c|d{2,3}", {"ab", "c", "d"}),
        (r"(?<!never )stop(?= it)", {"stop"}),
        (r"[a-z]+\d", set()),
        (r"(?:a|b)?", set()),
        (r"(?i)secret", set()),
        (r"x(?i:secret)", {"x"}),
        (r"[^a]b?", set()),
    ],
)
def test_the_strings_no_match_can_do_without(pattern: str, needed: set[str]) -> None:
    found = set(literals(pattern))
    assert all(any(one in other for other in needed) for one in found)
    assert bool(found) is bool(needed)


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        (r"a|b", ["a", "b"]),
        (r"(?:a|b)c", ["(?:a|b)c"]),
        (r"\bx(?:a|b)[|)(]\||^y\)|[]|]z", [r"\bx(?:a|b)[|)(]\|", r"^y\)", "[]|]z"]),
        (r"(?i)a|b", ["(?i)a|b"]),
        (r"(a|b)\1|c", [r"(a|b)\1|c"]),
        (r"(?<!a|b)c|(?=d|e)f", ["(?<!a|b)c", "(?=d|e)f"]),
        ("", [""]),
    ],
)
def test_outermost_alternatives(pattern: str, parts: list[str]) -> None:
    assert alternatives(pattern) == parts


def test_an_alternative_tied_to_the_beginning_is_looked_for_there() -> None:
    phrase = Phrase(r"^\W*write to\b|\bhelp me\b")
    assert phrase.search("- write to them") is not None
    assert phrase.search("do write to them") is None
    assert phrase.search("do help me write to them") is not None


def test_most_rules_are_left_alone_by_a_look_at_a_few_strings() -> None:
    assert sum(bool(literals(phrase.pattern.pattern)) for phrase in PHRASES) > 0.9 * len(PHRASES)


# fragments of the patterns themselves, so that many texts come close to a match
WORDS = sorted({word for phrase in PHRASES for word in re.findall(r"[a-zà-ÿ'’-]{2,}", phrase.pattern.pattern)})


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from((" ", "  ", "-", "\n", ". ")))
def test_a_phrase_finds_what_its_pattern_finds(words: list[str], between: str) -> None:
    text = between.join(words)
    for phrase in PHRASES:
        assert (phrase.search(text) is None) == (phrase.pattern.search(text) is None)


def test_every_string_a_pattern_spells_out_is_found() -> None:
    for pattern in (r"\b(?:not|never) (?:send|share) (?:it|this)\b", r"a(?:b|c(?:d|e)?)f"):
        assert Phrase(pattern).search("acef never share this") is not None
