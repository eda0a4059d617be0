"""A constraint for rewriting: only words the speakers used, their near forms, and words that carry no facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from local_models.guards import FREE_WORDS, WORD

__all__ = ["KnownWords"]

APOSTROPHE = ord("'")


class KnownWords:
    """One line whose every word occurs in the sources (or is one of FREE_WORDS), as it is, in small letters
    or capitalised.

    Words are runs of letters, digits, apostrophes and bytes beyond ASCII. A word's plural, singular and genitive
    count as the word.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        words = {form.encode() for word in FREE_WORDS for form in (word, word.capitalize())}
        for source in sources:
            words |= set(_near(WORD.findall(source)))
            words |= {part.encode() for word in WORD.findall(source) for part in word.replace("'", "_").split("_")}
        self._words = words
        self._prefixes = {word[:length] for word in words for length in range(1, len(word) + 1)}
        self._word = b""
        self._any = False

    def allows(self, piece: bytes) -> bool:
        return self._walk(piece) is not None

    def accept(self, piece: bytes) -> None:
        word = self._walk(piece)
        assert word is not None
        self._word = word
        self._any = self._any or bool(piece.strip())

    def may_end(self) -> bool:
        return self._any and (not self._word or self._word in self._words)

    def finished(self) -> bool:
        return False

    def forced(self) -> bytes:
        return b""

    def _walk(self, piece: bytes) -> bytes | None:
        word = self._word
        for byte in piece:
            if byte == ord("\n"):
                return None
            letter = bytes([byte])
            if letter.isalnum() or byte >= 0x80 or (byte == APOSTROPHE and word):
                word += letter
                if word not in self._prefixes:
                    return None
            else:
                if word and word not in self._words:
                    return None
                word = b""
        return word


def _near(words: Iterable[str]) -> Iterator[bytes]:
    for word in words:
        forms = {word, word.lower(), word.capitalize()}
        if word.isalpha():
            bare = {form.removesuffix("s") for form in forms}
            forms |= bare | {form + ending for form in forms for ending in ("s", "'s")}
        for form in forms:
            yield form.encode()
