"""A text read once: its words with their places, so that costly patterns run only around words that call for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cached_property

__all__ = ["Scan"]

# CamelCase falls apart (accountNumber: account, number), so do snake_case and words next to digits.
_WORD = re.compile(r"[A-Z]{2,}+(?![^\W\d_A-Z])|[A-Z]?[a-z]++(?![^\W\d_a-zA-Z])|[^\W\d_]+")
_DIGIT = re.compile(r"\d")


class Scan:
    """A text and what the rules ask about it; each answer is worked out at most once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def has_digit(self) -> bool:
        """Whether any decimal digit occurs."""
        return _DIGIT.search(self.text) is not None

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Lower-case word -> where it begins, in order."""
        found: dict[str, list[int]] = {}
        for match in _WORD.finditer(self.text):
            word = match.group().lower()
            if word in found:
                found[word].append(match.start())
            else:
                found[word] = [match.start()]
        return found

    def has(self, words: Collection[str]) -> bool:
        """Whether any of these lower-case words occurs. Give a frozenset."""
        return not self.places.keys().isdisjoint(words)

    def starts(self, words: frozenset[str]) -> list[int]:
        """Where these words begin, in order."""
        places = self.places
        hits = places.keys() & words
        if not hits:
            return []
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

    def matches(
        self, pattern: re.Pattern[str], words: frozenset[str], before: int, after: int
    ) -> Iterator[re.Match[str]]:
        """Matches of a pattern in the windows around these words."""
        starts = self.starts(words)
        if starts:
            for left, right in self.windows(starts, before, after):
                yield from pattern.finditer(self.text, left, right)
