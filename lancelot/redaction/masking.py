"""The two passes over the strings of one request: look at all of them first, then fill in placeholders.

Only when every string has been looked at is it known what must not leave anywhere, and which placeholder numbers the
texts themselves already use.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lancelot.redaction.fields import Kind
from lancelot.redaction.finding import Finder
from lancelot.redaction.labels import Span
from lancelot.redaction.placeholders import hashed, mentions_one, written_like_one
from lancelot.redaction.policy import Rulings
from lancelot.redaction.repeats import Repeats
from lancelot.redaction.vault import Vault

__all__ = ["Masking", "Slot"]

LITERAL: Final = "literal"
"""The rule of a span that only escapes a text which looks like a placeholder given to something else."""

_STRUCTURAL: Final = frozenset({"key", "name", "id"})
_WHOLE: Final = _STRUCTURAL | {"number"}
_SHORT: Final = 400
_BATCH: Final = 8000
_ACCOUNT_LABELS: Final = frozenset({"ID", "USERNAME", "PHONE", "SECRET"})
_GUESSES: Final = frozenset({"tagger", "model"})
_ID_LABELS: Final = frozenset({"EMAIL", "CARD", "IBAN"})
# What no rule can find anything in: words alone.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z]{1,24}(?:[_ -][A-Za-z]{1,24}){0,7}")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]+")


@dataclass(slots=True, repr=False)
class Slot:
    """One string of a request, what must be hidden in it in order of place, and whether it speaks of placeholders."""

    kind: Kind
    text: str
    spans: list[Span] = field(default_factory=list)
    mentions: bool = False


class Masking:
    """One request's redaction. Used by one thread, then thrown away.

    Attributes:
        vault: placeholders and originals.
        found: whether anything has to be hidden (known after `settle`).
        counts: {label: different originals hidden} so far.
        total: places hidden so far.
    """

    def __init__(self, finder: Finder, rulings: Rulings, mode: str, vault: Vault, hash_key: bytes) -> None:
        self.vault = vault
        self.found = False
        self.counts: dict[str, int] = {}
        self.total = 0
        self._finder, self._rulings, self._mode, self._hash_key = finder, rulings, mode, hash_key
        self._slots: list[Slot] = []
        self._short: list[tuple[str, Slot]] = []
        self._counted: set[tuple[str, str]] = set()

    def look(self, kind: Kind, text: str, context: str) -> Slot:
        """Search one string. Call for every string, then `settle`."""
        slot = Slot(kind, text)
        self._slots.append(slot)
        if not text:
            return slot
        words = _words(context)
        if kind == "text" and words and len(text) <= _SHORT:
            self._short.append((f"{words}: ", slot))
            return slot
        if kind in _STRUCTURAL:
            found = self._in_name(text)
        else:
            found = self._find(text, words, self._mode if kind in ("text", "account") else "rules")
        if kind == "id":
            found = [span for span in found if span.label in _ID_LABELS]
        elif kind == "account":
            found = [span for span in found if span.label not in _ACCOUNT_LABELS or span.rule not in _GUESSES]
        self._keep(slot, found)
        return slot

    def _keep(self, slot: Slot, found: list[Span]) -> None:
        """Note what must be hidden in a string, and what only looks as if it had been."""
        text = slot.text
        spans = self._rulings.masked(text, found)
        slot.mentions = mentions_one(text)
        literals = self._literals(text) if slot.mentions else []
        slot.spans = _joined(spans, literals) if literals else spans

    def _look_at_short_ones(self) -> None:
        """Search the values of JSON documents as lines of one text: quicker, and with neighbours for context."""
        waiting, self._short = deque(self._short), []
        while waiting:
            lines: list[str] = []
            places: list[tuple[int, Slot]] = []
            length = 0
            while waiting and length < _BATCH:
                before, slot = waiting.popleft()
                places.append((length + len(before), slot))
                lines.append(f"{before}{slot.text}\n")
                length += len(lines[-1])
            spans = self._finder.find("".join(lines), self._mode)
            for start, slot in places:
                self._keep(slot, _within(spans, start, start + len(slot.text)))

    def settle(self) -> None:
        """Find again, in every string, what was found in any of them or earlier in the conversation."""
        self._look_at_short_ones()
        repeats = Repeats(slot.text for slot in self._slots)
        for entry in self.vault:
            if self._rulings.action(entry.label) in ("mask", "hash"):
                repeats.add(entry.original, entry.label)
        for slot in self._slots:
            for span in slot.spans:
                if span.rule != LITERAL:
                    repeats.add(slot.text[span.start : span.end], span.label)
        for slot in self._slots if repeats else ():
            again = repeats.find(_what_is_left(slot), structural=slot.kind in _STRUCTURAL)
            if fresh := [span for span in again if not self._rulings.allowed(slot.text[span.start : span.end])]:
                slot.spans = sorted([*slot.spans, *fresh])
        for slot in self._slots:
            if slot.spans:
                self.found = True
                self._escape_what_masking_bares(slot)

    def _escape_what_masking_bares(self, slot: Slot) -> None:
        """A masked neighbour ends a word: in xPERSON_1 nothing looks like a placeholder, beside <EMAIL_1> it does."""
        while slot.mentions and slot.kind not in _WHOLE:
            bared = self._literals(_what_is_left(slot))
            if not bared:
                return
            slot.spans = sorted([*slot.spans, *bared])

    def _literals(self, text: str) -> list[Span]:
        """What looks like a placeholder given to something else; the numbers of others are kept free from now on."""
        return [
            Span(start, end, label, LITERAL)
            for start, end, label, number in written_like_one(text)
            if not self.vault.reserve(label, number)
        ]

    def fill(self, slot: Slot) -> str:
        """The string with placeholders."""
        if not slot.spans:
            return slot.text
        if slot.kind in _WHOLE:
            self.total += slot.spans[0].rule != LITERAL
            return self._stand_in(slot.text, slot.spans[0], slot.kind)
        pieces: list[str] = []
        position = 0
        for span in slot.spans:
            pieces += (
                slot.text[position : span.start],
                self._stand_in(slot.text[span.start : span.end], span, slot.kind),
            )
            position = span.end
            self.total += span.rule != LITERAL
        pieces.append(slot.text[position:])
        return "".join(pieces)

    @staticmethod
    def shown_spans(slot: Slot) -> list[Span]:
        """What was hidden in a string, without what was only escaped."""
        return [span for span in slot.spans if span.rule != LITERAL]

    def _in_name(self, text: str) -> list[Span]:
        """Spans in a key or a name: mail_alice, pay_4111111111111111."""
        if _PLAIN_NAME.fullmatch(text):
            return []
        found = self._finder.find(text, "rules")
        if not found and "_" in text:
            # An underscore joins words in a name; detectors take it for a part of a word.
            found = self._finder.find(text.replace("_", " "), "rules")
        return list(found)

    def _find(self, text: str, context: str, mode: str) -> list[Span]:
        """Spans in the text; the context stands before it for detectors that go by a cue word."""
        if not context:
            return list(self._finder.find(text, mode))
        shift = len(context) + 2
        return _within(self._finder.find(f"{context}: {text}", mode), shift, shift + len(text))

    def _stand_in(self, original: str, span: Span, kind: Kind) -> str:
        if span.rule != LITERAL and (span.label, original) not in self._counted:
            self._counted.add((span.label, original))
            self.counts[span.label] = self.counts.get(span.label, 0) + 1
        as_name = kind in _STRUCTURAL
        if span.rule != LITERAL and self._rulings.action(span.label, span.rule) == "hash":
            self.vault.remember(original, span.label)
            data = f"{span.label}\0{original}".encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(data, key=self._hash_key, digest_size=6).hexdigest()
            return hashed(span.label, digest, name=as_name)
        entry = self.vault.add(original, span.label, numeric=kind == "number")
        return entry.name if as_name else entry.text


def _words(context: str) -> str:
    """A key as words: dateOfBirth and date_of_birth become "date Of Birth" and "date of birth"."""
    return _CAMEL.sub(" ", context).strip() if context else ""


def _within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """The spans' parts between start and end, counted from start; the spans are in order and do not overlap."""
    first = bisect_right(spans, start, key=lambda span: span.end)
    last = bisect_left(spans, end, first, key=lambda span: span.start)
    return [
        span._replace(start=max(span.start, start) - start, end=min(span.end, end) - start)
        for span in spans[first:last]
    ]


def _what_is_left(slot: Slot) -> str:
    """The text with blanks of equal length for what is hidden already: what a span cut off counts as a token too."""
    if not slot.spans:
        return slot.text
    left = list(slot.text)
    for span in slot.spans:
        left[span.start : span.end] = "\0" * (span.end - span.start)
    return "".join(left)


def _joined(spans: list[Span], literals: list[Span]) -> list[Span]:
    """Spans and literals in order. A literal swallows what lies inside it, and joins what overlaps its edge."""
    joined: list[Span] = []
    for span in sorted([*spans, *literals], key=lambda span: (span.start, -span.end, span.rule != LITERAL)):
        last = joined[-1] if joined else None
        if last is None or span.start >= last.end:
            joined.append(span)
        elif span.end > last.end or last.rule != LITERAL:
            kept = span if last.rule == LITERAL else last
            joined[-1] = kept._replace(start=last.start, end=max(last.end, span.end))
    return joined
