"""What stands in for an original: how placeholders are written, recognised, and told from what only begins like one.

Two renderings of one entry, both restored:

- `<EMAIL_1>` in text;
- `redacted_EMAIL_1` where an alphabet is restricted (tool names, JSON and metadata keys, ids).

Models change what they repeat. So restoring also takes other case, blanks inside the brackets, a hyphen, a blank or
nothing for the underscore, an escaped underscore (Markdown), brackets written as HTML, JSON or URL escapes (the
original is then escaped in the same way) and, in capitals only, the bare `EMAIL_1`. Every form is bounded in length, so
a stream never holds back more than `LONGEST` characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

from lancelot.redaction.labels import LABELS

__all__ = [
    "LONGEST",
    "Grammar",
    "grammar",
    "hashed",
    "mentions_one",
    "name_form",
    "read",
    "text_form",
    "written_like_one",
]

LONGEST: Final = 40
"""No form of a placeholder has more characters, the quotes around it in JSON included."""

_OPEN, _CLOSE = ("<", "&lt;", "\\u003c", "%3c"), (">", "&gt;", "\\u003e", "%3e")
_JOIN = ("\\_", "_", "-", " ", "")
_BLANK = ("  ", " ", "\n", "")
_NUMBER = r"[1-9]\d{0,4}"
_AFTER_TEXT, _AFTER_NAME = r"(?![A-Za-z0-9_])", r"(?![A-Za-z0-9])"
_BEFORE_TEXT, _BEFORE_NAME = r"(?<![A-Za-z0-9_])", r"(?<![A-Za-z0-9])"
_BEHIND = 15  # the rest of the number, a blank, the bracket, and what must not follow
_DIGITS = re.compile(r"\d+")


_LAST_LETTERS = tuple({label.rpartition("_")[2][-6:] for label in LABELS})


class Grammar(NamedTuple):
    """The patterns for one set of labels.

    whole: every tolerated form; `read` gives label and number. beginning: matches, up to the end of a text, what may
    still become such a form. start: where one of them can begin at all (a quick look before the exact one).
    """

    whole: re.Pattern[str]
    beginning: re.Pattern[str]
    start: re.Pattern[str]


def text_form(label: str, number: int) -> str:
    """`<EMAIL_1>`."""
    return f"<{label}_{number}>"


def name_form(label: str, number: int) -> str:
    """`redacted_EMAIL_1`, legal wherever ^[a-zA-Z0-9_-]{1,64}$ is asked for."""
    return f"redacted_{label}_{number}"


def hashed(label: str, digest: str, *, name: bool = False) -> str:
    """What the action `hash` leaves: one-way, so never restored, and unlike any placeholder."""
    return f"hashed_{label}_x{digest}" if name else f"<{label}:x{digest}>"


def read(match: re.Match[str]) -> tuple[str, int]:
    """(label, number) of a match of `Grammar.whole`."""
    label, number = (group for group in match.groups() if group is not None)
    return re.sub(r"[\\ -]+_?", "_", label.upper()), int(number)


def mentions_one(text: str) -> bool:
    """Whether a number follows the name of a label anywhere: a quick look that nearly every text fails."""
    return any(True for _ in _named_numbers(text))


def _named_numbers(text: str) -> Iterator[re.Match[str]]:
    """Where numbers begin that follow the name of a label."""
    for match in _DIGITS.finditer(text):
        start = match.start()
        if text[start] in "123456789" and text[max(0, start - 8) : start].rstrip("\\_- ").upper().endswith(
            _LAST_LETTERS
        ):
            yield match


def written_like_one(text: str) -> list[tuple[int, int, str, int]]:
    """(start, end, label, number) of everything in a text that restoring could take for a placeholder."""
    whole, found, seen = _of_all_labels().whole, [], 0
    for number in _named_numbers(text):  # each has one, and not much before and behind it
        for match in whole.finditer(text, max(seen, number.start() - LONGEST), number.start() + _BEHIND):
            if match.start() > number.start():
                break  # it has a number of its own, and may be cut off here
            found.append((match.start(), match.end(), *read(match)))
            seen = match.end()
    return found


def grammar(labels: Iterable[str], *, in_json: bool = False) -> Grammar:
    """The patterns for these labels; in_json also takes the quotes of a string that is nothing but a placeholder.

    Compiled once for each set of labels; nothing of an original is in them.
    """
    return _grammar(tuple(sorted(set(labels), key=lambda label: (-len(label), label))), in_json)


@cache
def _of_all_labels() -> Grammar:
    return grammar(LABELS)


@lru_cache(maxsize=256)
def _grammar(labels: tuple[str, ...], in_json: bool) -> Grammar:
    spellings = [
        label.replace("_", join) for label in labels for join in (("_", "-", " ", "\\_") if "_" in label else "_")
    ]
    tail: list[_Part | str] = [_Part(_JOIN), _NUMBER]
    bracketed: list[_Part | str] = [
        _Part(_OPEN),
        _Part(_BLANK),
        _Part(spellings, True),
        *tail,
        _Part(_BLANK),
        _Part(_CLOSE),
    ]
    quote = _Part(('"',))
    name: list[_Part | str] = [_Part(("redacted_",)), _Part(labels, True), _Part(("_",)), _NUMBER]
    bare: list[_Part | str] = [_Part(labels, True), _Part(("_",)), _NUMBER]
    any_case = [[quote, *bracketed, quote]] * in_json + [bracketed]
    whole = [f"(?i:{_whole(parts)})" for parts in any_case]
    whole += [f"(?i:{_BEFORE_NAME}{_whole(name)}{_AFTER_NAME})", f"{_BEFORE_TEXT}{_whole(bare)}{_AFTER_TEXT}"]
    begun = [f"(?i:{_begun(parts, closed=True)})" for parts in any_case]
    begun += [f"(?i:{_BEFORE_NAME}{_begun(name, closed=False)})", f"{_BEFORE_TEXT}{_begun(bare, closed=False)}"]
    initials = "".join(sorted({label[0] for label in labels}))
    start = rf"[<&%\\{chr(34) if in_json else ''}]|{_BEFORE_NAME}[rR{initials}]"
    return Grammar(re.compile("|".join(whole)), re.compile("|".join(begun)), re.compile(start))


class _Part(NamedTuple):
    """One of several words; an empty word makes the part optional. read: whether it is captured."""

    words: Sequence[str]
    captured: bool = False


def _whole(parts: Sequence[_Part | str]) -> str:
    """The pattern of a sequence of parts; a part that is a string is the number's pattern."""
    found = ""
    for part in parts:
        if isinstance(part, str):
            found += f"({part})"
        else:
            either = "|".join(map(re.escape, part.words))
            found += f"({either})" if part.captured else f"(?:{either})"
    return found


def _begun(parts: Sequence[_Part | str], *, closed: bool) -> str:
    """The pattern of every beginning of a sequence. closed: the complete sequence does not begin anything longer."""
    found = "(?!)" if closed else ""
    for part in reversed(parts):
        if isinstance(part, str):
            found = f"(?:(?:{part}){found}|)" if closed else f"(?:{part})?"
            continue
        partial = {word[:length] for word in part.words for length in range(len(word))}
        either = "|".join(map(re.escape, part.words))
        begun = "|".join(map(re.escape, sorted(partial, key=len, reverse=True)))
        found = f"(?:(?:{either}){found}|(?:{begun}))"
    return found
