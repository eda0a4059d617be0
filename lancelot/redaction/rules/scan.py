"""A text read once: its words with their places, so that costly patterns run only around words that call for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import accumulate

__all__ = ["LONG", "Scan"]

LONG = 14

# CamelCase falls apart (accountNumber: account, number), so do snake_case and words next to digits.
_WORD = re.compile(r"([A-Z]{2,}+(?![^\W\d_A-Z])|[A-Z]?[a-z]++(?![^\W\d_a-zA-Z])|[^\W\d_]+)")
_NUMBER = re.compile(r"\d+")


class Scan:
    """A text and what the rules ask about it; each answer is worked out at most once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def has_digit(self) -> bool:
        """Whether any decimal digit occurs."""
        return bool(self.numbers)

    @cached_property
    def numbers(self) -> list[tuple[int, int]]:
        """Where runs of decimal digits begin and end, in order."""
        return [match.span() for match in _NUMBER.finditer(self.text)]

    @cached_property
    def pieces(self) -> list[tuple[int, int]]:
        """Where pieces of at least LONG characters without white space begin and end, in order."""
        found: list[tuple[int, int]] = []
        at = 0
        for piece in self.text.split():
            if len(piece) >= LONG:
                at = self.text.find(piece, at)
                found.append((at, at + len(piece)))
                at += len(piece)
        return found

    def in_pieces(self, pattern: re.Pattern[str], least: int) -> Iterator[re.Match[str]]:
        """Matches of a pattern without white space that takes `least` (LONG or more) characters."""
        for start, end in self.pieces:
            if end - start >= least:
                yield from pattern.finditer(self.text, start, end)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Lower-case word -> where it begins, in order."""
        parts = _WORD.split(self.text)  # what stands between two words, and a word, in turns
        found: dict[str, list[int]] = {}
        for word, at in zip(map(str.lower, parts[1::2]), list(accumulate(map(len, parts)))[::2], strict=False):
            if word in found:
                found[word].append(at)
            else:
                found[word] = [at]
        return found

    def has(self, words: Collection[str]) -> bool:
        """Whether any of these lower-case words occurs. Give a frozenset."""
        return not self.places.keys().isdisjoint(words)

    def starts(self, words: frozenset[str]) -> list[int]:
        """Where these words begin, in order."""
        places = self.places
        if places.keys().isdisjoint(words):
            return []
        hits = places.keys() & words
        if len(hits) == 1:
            return places[next(iter(hits))]
        return sorted(start for word in hits for start in places[word])

    def windows(self, starts: list[int], before: int, after: int) -> Iterator[tuple[int, int]]:
        """Stretches from `before` characters in front of each start to `after` behind it, joined where they meet."""
        end = len(self.text)
        left = right = -1
        for start in starts:
            low, high = max(0, start - before), min(end, start + after)
            if low > right:
                if right >= 0:
                    yield left, right
                left = low
            right = high
        if right >= 0:
            yield left, right

    def around_numbers(self, before: int, after: int) -> Iterator[tuple[int, int]]:
        """Stretches from `before` characters in front of each number to `after` behind it, joined where they meet."""
        end = len(self.text)
        left = right = -1
        for start, stop in self.numbers:
            if start - before > right:
                if right >= 0:
                    yield left, right
                left = max(0, start - before)
            right = min(end, stop + after)
        if right >= 0:
            yield left, right

    def near_numbers(self, pattern: re.Pattern[str], before: int, after: int) -> Iterator[re.Match[str]]:
        """Matches of a pattern whose every match lies within such a stretch, its look-arounds too."""
        for left, right in self.around_numbers(before, after):
            yield from pattern.finditer(self.text, left, right)

    def at_numbers(self, pattern: re.Pattern[str], signs: str = "") -> Iterator[re.Match[str]]:
        """Matches of a pattern that can begin only where a number does, or with one of the signs right before it."""
        text, seen = self.text, 0
        for start, _ in self.numbers:
            signed = start > seen and text[start - 1] in signs
            match = pattern.match(text, start - 1) if signed else None
            if match is None and start >= seen:
                match = pattern.match(text, start)
            if match is not None:
                seen = match.end()
                yield match

    def at_sign(self, pattern: re.Pattern[str], sign: str) -> Iterator[re.Match[str]]:
        """Matches of a pattern that can begin only with this sign."""
        text, seen = self.text, 0
        at = text.find(sign)
        while at >= 0:
            match = pattern.match(text, at) if at >= seen else None
            if match is not None:
                seen = match.end()
                yield match
            at = text.find(sign, max(seen, at + 1))

    def matches(
        self, pattern: re.Pattern[str], words: frozenset[str], before: int, after: int
    ) -> Iterator[re.Match[str]]:
        """Matches of a pattern in the windows around these words."""
        starts = self.starts(words)
        if starts:
            for left, right in self.windows(starts, before, after):
                yield from pattern.finditer(self.text, left, right)
