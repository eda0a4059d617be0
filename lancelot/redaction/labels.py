"""The noun of redaction: a labelled stretch of text, and the rule by which overlapping ones are settled.

Offsets are code points, the end is exclusive. `Span.rule` says what found it ("email", "url.private", "tagger", …);
the part before the first dot is the family.

How overlaps are resolved, stated once:

1. Evidence decides. A span checked by its own form (e-mail, card, IBAN, address of a machine, a known key, a private
   URL) beats one found by a pattern or a cue word, which beats a public URL, which beats a guess of the tagger or of
   the local model.
2. At equal evidence the longer span wins, then the label that stands earlier in `LABELS`, then the earlier span.
3. The loser keeps what the winner does not cover, as long as a letter or a digit is left in it, so nothing that any
   rule found is ever uncovered.
4. Overlapping spans of one label and one family of evidence become a single span.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["LABELS", "Span", "resolve"]

LABELS: tuple[str, ...] = (
    "SECRET",
    "EMAIL",
    "CARD",
    "IBAN",
    "ID",
    "PHONE",
    "IP",
    "DATE_OF_BIRTH",
    "ADDRESS",
    "USERNAME",
    "URL",
    "DATE",
    "PERSON",
    "LOCATION",
    "ORG",
)

_ORDER = {label: place for place, label in enumerate(LABELS)}
_VERIFIED = frozenset({"EMAIL", "CARD", "IBAN", "IP"})
_VERIFIED_RULES = frozenset({"url.private", "secret.pem", "secret.jwt", "secret.prefix", "secret.connection"})
_GUESSES = ("tagger", "model")
_GUESS = 3


class Span(NamedTuple):
    """A stretch of text that may have to leave as a placeholder.

    start, end: code points, end exclusive. label: one of `LABELS`. rule: the name of what found it.
    """

    start: int
    end: int
    label: str
    rule: str


def _evidence(span: Span) -> int:
    """0 proven by its own form, 1 pattern or cue, 2 public URL, 3 a model's guess."""
    if span.rule.partition(".")[0] in _GUESSES:
        return _GUESS
    if span.label in _VERIFIED or span.rule in _VERIFIED_RULES:
        return 0
    return 2 if span.rule == "url.public" else 1


def _says_something(piece: str, guess: bool) -> bool:
    """A letter or a digit is in it, and it is more than the `https://` of a link whose host is covered.

    The rest of a guess must have a capital, a digit or four letters: little words are not worth a placeholder.
    """
    if guess and not any(c.isupper() or c.isdigit() for c in piece):
        return sum(c.isalpha() for c in piece) > 3
    return any(c.isalnum() for c in piece) and not piece.endswith("://")


def _merged(spans: Iterable[Span], length: int) -> list[tuple[int, Span]]:
    """(evidence, span), clipped to the text, same-label overlaps of one strength joined."""
    grouped: dict[tuple[int, str], list[Span]] = {}
    for span in spans:
        start, end = max(0, span.start), min(length, span.end)
        if start < end:
            clipped = span if (start, end) == (span.start, span.end) else span._replace(start=start, end=end)
            grouped.setdefault((_evidence(span), span.label), []).append(clipped)
    joined: list[tuple[int, Span]] = []
    for (strength, _), members in grouped.items():
        members.sort()
        current = members[0]
        for span in members[1:]:
            if span.start < current.end:
                longer = span if span.end - span.start > current.end - current.start else current
                current = Span(current.start, max(current.end, span.end), current.label, longer.rule)
            else:
                joined.append((strength, current))
                current = span
        joined.append((strength, current))
    return joined


def resolve(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans in order of place, none overlapping another, by the rule in the head of this module."""
    ranked = _merged(spans, len(text))
    if len(ranked) == 1:
        return [ranked[0][1]]
    ranked.sort(key=lambda item: (item[0], item[1].start - item[1].end, _ORDER.get(item[1].label, 99), item[1].start))
    taken = bytearray(len(text))
    kept: list[Span] = []
    for strength, span in ranked:
        if not any(taken[span.start : span.end]):
            kept.append(span)
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            continue
        cursor = span.start
        while cursor < span.end:
            free = taken.find(0, cursor, span.end)
            if free < 0:
                break
            stop = taken.find(1, free, span.end)
            stop = span.end if stop < 0 else stop
            if _says_something(text[free:stop], strength == _GUESS):
                kept.append(span._replace(start=free, end=stop))
                taken[free:stop] = b"\1" * (stop - free)
            cursor = stop
    kept.sort()
    return kept
