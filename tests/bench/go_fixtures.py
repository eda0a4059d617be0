"""Reads the texts that stand beside gitleaks' rules in Go, and its patterns; see `secret_samples.py`.

The rules' functions are short and alike: lists of strings, joined strings, keys made from a pattern, templates. Only
that much of Go is understood; what is more is left out.
"""

from __future__ import annotations

import json
import math
import random
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from re import _constants, _parser  # type: ignore[attr-defined]  # the reader of patterns that Python ships
from typing import Any

__all__ = ["Pattern", "fixtures", "made_from", "patterns"]

_FUNCTION = re.compile(r"^func (\w+)\(\) \*config\.Rule \{\n(.*?)^\}", re.M | re.S)
_RULE = re.compile(r"RuleID:\s*\"([^\"]+)\"")
_ASSIGNED = re.compile(r"^\s*(?:var\s+)?(\w+)\s*:?=\s*", re.M)
_TOKEN = re.compile(r"\s*(?://[^\n]*\s*)*(`[^`]*`|\"(?:[^\"\\\n]|\\.)*\"|\.\.\.|[\w.]+|[^\s])")
_SHAPES = {
    "Numeric": "[0-9]{%s}",
    "Hex": "[a-f0-9]{%s}",
    "AlphaNumeric": "[a-z0-9]{%s}",
    "AlphaNumericExtendedShort": "[a-z0-9_-]{%s}",
    "AlphaNumericExtended": r"[a-z0-9=_\-]{%s}",
    "AlphaNumericExtendedLong": r"[a-z0-9\/=_\+\-]{%s}",
    "Hex8_4_4_4_12": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}%.0s",
}
# The ways a token is written down that GenerateSampleSecrets goes through; {i} is whose it is, {s} the key.
_TEMPLATES = (
    '{i}Token="{s}"',
    "{i}Token={s}",
    '{{\n    "{i}_token": "{s}"\n}}',
    '{{"config.ini": "{u}_TOKEN={s}\\nBACKUP_ENABLED=true"}}',
    "<{i}Token>\n    {s}\n</{i}Token>",
    "{i}_token: {s}",
    "{i}_token: '{s}'",
    'string {i}Token = "{s}";',
    "{i}Token := `{s}`",
    '${i}Token .= "{s}"',
    'System.setProperty("{u}_TOKEN", "{s}")',
    '  "{i}Token" => "{s}"',
    '{i}_TOKEN ?= "{s}"',
)


def _entropy(text: str) -> float:
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values()) if text else 0.0


@dataclass
class Pattern:
    """One rule: what it marks, how random that must be, what it lets through."""

    regex: re.Pattern[str]
    entropy: float = 0.0
    group: int = 0
    keywords: list[str] = field(default_factory=list)
    allowed: list[tuple[str, list[re.Pattern[str]], list[str]]] = field(default_factory=list)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the secrets of this rule begin and end."""
        if self.keywords and not any(word in text.lower() for word in self.keywords):
            return
        for match in self.regex.finditer(text):
            first = next((i for i in range(1, (match.lastindex or 0) + 1) if match.group(i)), 0)
            start, end = match.span(self.group or first)
            if _entropy(text[start:end]) > self.entropy and not self._lets_through(text, match, start, end):
                yield start, end

    def _lets_through(self, text: str, match: re.Match[str], start: int, end: int) -> bool:
        line = text[text.rfind("\n", 0, match.start()) + 1 : (text.find("\n", match.end()) + 1 or len(text) + 1) - 1]
        looked_at = {"secret": text[start:end], "match": match.group(), "line": line}
        for target, regexes, words in self.allowed:
            if any(regex.search(looked_at[target]) for regex in regexes):
                return True
            if any(word in looked_at["secret"].lower() for word in words):
                return True
        return False


def _regex(written: str) -> re.Pattern[str]:
    """Go's syntax in Python's: flags in the middle become a group of their own, named classes are spelled out."""
    written = written.replace("[[:alnum:]]", "[A-Za-z0-9]").replace(r"\z", r"\Z")
    flag = re.compile(r"(?<!\\)\(\?([is]+)\)")
    while flags := flag.search(written):
        depth, at = 0, flags.end()
        while at < len(written) and not (written[at] == ")" and depth == 0):
            at += 2 if written[at] == "\\" else 1
            if at < len(written) and written[at - 1] != "\\":
                depth += (written[at] == "(") - (written[at] == ")" and depth > 0)
        written = f"{written[: flags.start()]}(?{flags.group(1)}:{written[flags.end() : at]}){written[at:]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(written)


def patterns(config: str) -> dict[str, Pattern]:
    """The rules of gitleaks.toml by name, without those that only Go's syntax allows."""
    whole = tomllib.loads(config)
    shared = whole.get("allowlist", {})
    everywhere = ("secret", [_regex(r) for r in shared.get("regexes", ())], shared.get("stopwords", []))
    found = {}
    for rule in whole["rules"]:
        if "regex" not in rule:
            continue
        try:
            pattern = Pattern(_regex(rule["regex"]), rule.get("entropy", 0.0), rule.get("secretGroup", 0))
            pattern.keywords = [word.lower() for word in rule.get("keywords", ())]
            pattern.allowed = [everywhere]
            for allowed in rule.get("allowlists", ()):
                if not allowed.get("paths") or allowed.get("condition") != "AND":
                    regexes = [_regex(r) for r in allowed.get("regexes", ())]
                    pattern.allowed.append(
                        (allowed.get("regexTarget", "secret"), regexes, allowed.get("stopwords", []))
                    )
        except re.error:
            continue
        found[rule["id"]] = pattern
    return found


def made_from(pattern: str, chance: random.Random) -> str:
    """A string that a pattern of classes, counts, groups and alternatives matches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _made(_parser.parse(pattern), chance)


def _made(parts: Any, chance: random.Random) -> str:
    made = []
    for kind, what in parts:
        if kind is _constants.LITERAL:
            made.append(chr(what))
        elif kind is _constants.IN:
            made.append(chance.choice(_members(what)))
        elif kind is _constants.ANY:
            made.append(chance.choice("abcdefghij0123456789"))
        elif kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            least, most, inner = what
            most = least + 10 if most is _constants.MAXREPEAT else most
            made.extend(_made(inner, chance) for _ in range(chance.randint(least, most)))
        elif kind is _constants.SUBPATTERN:
            made.append(_made(what[3], chance))
        elif kind is _constants.BRANCH:
            made.append(_made(chance.choice(what[1]), chance))
    return "".join(made)


def _members(listed: Any) -> str:
    letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
    members = ""
    for kind, what in listed:
        if kind is _constants.LITERAL:
            members += chr(what)
        elif kind is _constants.RANGE:
            members += "".join(map(chr, range(what[0], what[1] + 1)))
        elif kind is _constants.CATEGORY:
            members += digits if what is _constants.CATEGORY_DIGIT else f"{letters}{letters.upper()}{digits}_"
    return members


class _Unread(Exception):
    """More of Go than is understood here."""


Text = tuple[str, bool]  # and whether it was made from a template or a pattern


class _Expression:
    """Works out one Go expression: texts and lists of texts."""

    def __init__(self, source: str, at: int, known: dict[str, list[Text]], chance: random.Random) -> None:
        self.source, self.at, self.known, self.chance = source, at, known, chance

    def peek(self) -> str:
        match = _TOKEN.match(self.source, self.at)
        return match.group(1) if match else ""

    def take(self, wanted: str = "") -> str:
        match = _TOKEN.match(self.source, self.at)
        if match is None or (wanted and match.group(1) != wanted):
            raise _Unread(wanted)
        self.at = match.end()
        return match.group(1)

    def value(self) -> list[Text]:
        found = self.term()
        while self.peek() == "+":
            self.take()
            right = self.term()
            found = [(a + b, x or y) for a, x in found for b, y in right]
        if self.peek() == "...":
            self.take()
        return found

    def term(self) -> list[Text]:
        token = self.take()
        if token[0] == "`":
            return [(token[1:-1], False)]
        if token[0] == '"':
            return [(json.loads(re.sub(r"\\x(..)", r"\\u00\1", token).replace("\\'", "'")), False)]
        if token == "[":
            self.take("]")
            self.take("string")
            return self.items("{", "}")
        if self.peek() == "(":
            return self.call(token)
        if token in self.known:
            return self.known[token]
        raise _Unread(token)

    def items(self, first: str, last: str) -> list[Text]:
        return [text for item in self.listed(first, last) for text in item]

    def listed(self, first: str, last: str) -> list[list[Text]]:
        self.take(first)
        found = []
        while self.peek() != last:
            found.append(self.value())
            if self.peek() == ",":
                self.take()
        self.take(last)
        return found

    def call(self, name: str) -> list[Text]:
        given = self.listed("(", ")")
        short = name.rpartition(".")[2]
        if short in _SHAPES:
            return [(_SHAPES[short] % (given[0][0][0] if given else ""), False)]
        if short == "NewSecret":
            return [(made_from(given[0][0][0], self.chance), True)]
        if short == "append":
            return [text for item in given for text in item]
        if short == "Sprintf":
            return [(given[0][0][0].replace("%s", given[1][0][0], 1), True)]
        if short == "GenerateSampleSecret":
            return [(f'{given[0][0][0]}_api_token = "{given[1][0][0]}"', True)]
        if short == "GenerateSampleSecrets":
            whose, key = given[0][0][0], given[1][0][0]
            return [(template.format(i=whose, u=whose.upper(), s=key), True) for template in _TEMPLATES]
        raise _Unread(name)


def fixtures(source: str, seed: int = 7) -> Iterator[tuple[str, str, bool, bool]]:
    """(rule, text, whether the rule must find something, whether the text was made up here) in a Go file."""
    chance = random.Random(seed)
    shared = _assigned(source, {}, chance)
    for function in _FUNCTION.finditer(source):
        body = function.group(2)
        rule = _RULE.search(body)
        if rule is None:
            continue
        known = _assigned(body, shared, chance)
        for name, wanted in (("tps", True), ("fps", False)):
            for text, made in known.get(name, ()):
                yield rule.group(1), text, wanted, made


def _assigned(source: str, before: dict[str, list[Text]], chance: random.Random) -> dict[str, list[Text]]:
    """The variables of a body, after its last assignment."""
    known, at = dict(before), 0
    while match := _ASSIGNED.search(source, at):
        at = match.end()
        expression = _Expression(source, at, known, chance)
        try:
            known[match.group(1)] = expression.value()
            at = expression.at
        except (_Unread, ValueError, IndexError):
            continue
    return known
