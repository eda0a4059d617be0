"""A prompt as numbers for the scorer: hashed words and word pairs, and a short row of plain measurements.

Used alike by the recipe that learns (`recipe.py`) and by the scorer that runs; a change here asks for new weights.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DENSE", "DIMENSIONS", "SLOPED", "VOCABULARY", "dense_row", "hashed", "tokens", "word_bits"]

DIMENSIONS = 1 << 14
VOCABULARY = 1 << 20
READ = 6000  # characters of a prompt the scorer looks at

_TOKEN = re.compile(r"[a-z]+|\d+|[^\sa-z0-9]")
_CHOICE = re.compile(r"^\s*\(?[A-J][.):]\s", re.M)
_DECIMAL = re.compile(r"\d[.,]\d")
_FRACTION = re.compile(r"\d/\d")
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_QUANTITY = frozenset(
    (
        *("twice", "half", "third", "quarter", "double", "triple", "percent", "times", "each", "every", "per"),
        *("remaining", "left", "total", "average", "ratio", "fraction"),
    )
)
DENSE = (
    *("length", "numbers", "sentences", "choices", "code", "notation", "quantities", "percent", "fraction", "largest"),
    *("word_length", "questions", "lines", "ends_question", "ends_answer", "variety", "capital", "decimal", "ifs"),
    "comparisons",
)
# measurements whose meaning differs from kind to kind of task: each family has slopes of its own for them
SLOPED = [DENSE.index(name) for name in ("length", "sentences", "numbers", "notation", "quantities")]


def tokens(text: str) -> list[str]:
    """Lower-cased words, numbers and signs of the beginning of a prompt."""
    return _TOKEN.findall(text[:READ].lower())


class _Code(NamedTuple):
    """A word as bytes, its CRC-32, and the CRC-32 of the word and a joint, from which a pair's is worked out."""

    encoded: bytes
    crc: int
    joined: int


@lru_cache(maxsize=16_384)
def _code(word: str) -> _Code:
    encoded = word.encode("utf-8", "surrogatepass")
    return _Code(encoded, zlib.crc32(encoded), zlib.crc32(encoded + b"_"))


def hashed(words: Sequence[str]) -> NDArray[np.int64]:
    """Sorted distinct places (0..DIMENSIONS-1) of words, word pairs, the first two and the last two words."""
    crc = zlib.crc32
    encoded, own, joined = zip(*map(_code, words), strict=True) if words else ((), (), ())
    found = set(own)
    found.update(map(crc, encoded[1:], joined))
    found.update(crc(end) for end in (b"^" + b" ".join(encoded[:1]), b"^" + b" ".join(encoded[:2])))
    found.add(crc(b"$" + b" ".join(encoded[-2:])))
    places = np.sort(np.fromiter(found, np.int64, len(found)) % DIMENSIONS)
    return places[np.concatenate(([True], places[1:] != places[:-1]))]


def word_bits(words: Iterable[str]) -> NDArray[np.int64]:
    """Places (0..VOCABULARY-1) of the distinct words of letters, for the map of words that were ever seen."""
    return np.array([_code(one).crc % VOCABULARY for one in set(words) if one.isalpha()], dtype=np.int64)


def dense_row(text: str, words: Sequence[str]) -> NDArray[np.float64]:
    """The measurements named in DENSE, not yet standardised."""
    text = text[:READ]
    letters = list(filter(str.isalpha, words))
    numbers = list(filter(str.isdecimal, words))
    known = set(words)
    log = math.log1p
    stripped = text.rstrip()
    code = text.count("def ") + text.count("return ") + text.count("==") + text.count("[")
    comparisons = 0
    if "than" in known:
        pairs = pairwise(words)
        comparisons = len([word for word, after in pairs if after == "than" and word in ("more", "less", "fewer")])
    quantities = len([word for word in letters if word in _QUANTITY]) if not _QUANTITY.isdisjoint(known) else 0
    largest = max(map(float, numbers)) if numbers else 0.0
    several = "\n" in text
    choices = len(_CHOICE.findall(text)) if several else 0
    return np.array(
        (
            log(len(text)),
            log(len(numbers)),
            log(len(_SENTENCE.findall(text))),
            float(choices >= 3),
            log(code),
            log(text.count("$") + text.count("\\")),
            log(quantities),
            float("%" in known or "percent" in known),
            float("/" in known and _FRACTION.search(text) is not None),
            min(log(largest), 20.0),
            len("".join(letters)) / len(letters) if letters else 0.0,
            float(text.count("?")),
            float(several),
            float(stripped.endswith("?")),
            float(stripped.endswith("Answer:")),
            len(known) / max(1, len(words)),
            float(text[:1].isupper()),
            float(_DECIMAL.search(text) is not None),
            log(words.count("if")),
            log(comparisons),
        ),
        dtype=np.float64,
    )
