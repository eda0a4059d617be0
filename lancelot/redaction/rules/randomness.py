"""Tells a random string from a word, a name in code, a number, a fingerprint or an example."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

__all__ = ["counts_up", "entropy", "is_digest", "is_even", "is_example", "is_random", "is_random_case", "is_uuid"]

_UUID = re.compile(r"\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_DIGEST_SIZES = frozenset({32, 40, 56, 64, 96, 128})
_EXAMPLE = re.compile(
    r"example|sample|dummy|changeme|change[_-]me|replace|insert|place_?holder|redacted|your[_-]|my[_-]?(?:secret|token|"
    r"pass|key)|fake|mock|todo|fixme|foo_?bar|lorem|x{4,}|\*{3,}|\.{3}|…|_{8,}|-{6,}|#{4,}|"
    r"not[_-]?a[_-]|test[_-]?(?:key|token|pass|secret)|<[^>]*>|\$\{|\{\{|\{\d{0,2}\}|^%\w|%s|^\$\(?[A-Za-z_]\w*\)?$|"
    r"^@\w+@$|^none$|^null$",
    re.IGNORECASE,
)
_SEQUENCE = re.compile(
    r"0123456789|1234567890?|abcdefghij|qwertyuiop|deadbeef(?:deadbeef|cafe)|0123456789abcdef",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"(.)\1{5,}")


# Six in a row up or down: in a real key once in a hundred million.
_RUNS = re.compile(
    "|".join(
        row[at : at + 6]
        for whole in ("01234567890", "abcdefghijklmnopqrstuvwxyz")
        for row in (whole, whole[::-1])
        for at in range(len(row) - 5)
    )
    + r"|([0-9A-Za-z])\1{5}",
    re.IGNORECASE,
)


def entropy(text: str) -> float:
    """Shannon's, in bits a character; 0 for nothing."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) if size else 0.0


def is_uuid(text: str) -> bool:
    """8-4-4-4-12 hexadecimal digits."""
    return _UUID.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Hexadecimal of a length that a common fingerprint (MD5 to SHA-512) has."""
    return len(text) in _DIGEST_SIZES and _HEX.fullmatch(text) is not None


def is_example(text: str) -> bool:
    """A stand-in: says so itself, refers to a variable, is masked already, or counts through the alphabet."""
    if _EXAMPLE.search(text) or _SEQUENCE.search(text):
        return True
    repeated = _REPEATED.search(text)
    return repeated is not None and (repeated.end() - repeated.start()) * 2 > len(text)


def counts_up(key: str) -> bool:
    """Whether six characters in a row count up or down, or are the same: a key made up for show."""
    return _RUNS.search(key) is not None


def _classes(c: str) -> int:
    return 0 if c.islower() else 1 if c.isupper() else 2 if c.isdigit() else 3


def is_random(text: str, bits: float = 3.0) -> bool:
    """Letters and digits thoroughly mixed, at least `bits` of entropy a character.

    Words joined in code change class seldom and where a word begins; a key changes it everywhere.
    """
    letters = sum(c.isalpha() for c in text)
    digits = sum(c.isdigit() for c in text)
    if not letters or not digits or entropy(text) < bits:
        return False
    kinds = [_classes(c) for c in text if c.isalnum()]
    changes = sum(a != b for a, b in pairwise(kinds))
    return changes >= max(3, len(kinds) * 0.18)


def is_even(text: str) -> bool:
    """Capitals, small letters and digits all in the shares that chance gives them, or nearly.

    Names joined in code hold hardly a digit, product numbers hardly a small letter.
    """
    size = sum(c.isalnum() for c in text)
    upper, lower = sum(c.isupper() for c in text), sum(c.islower() for c in text)
    return min(upper, lower) * 8 >= size and (size - upper - lower) * 24 >= size


def is_random_case(value: str) -> bool:
    """Letters alone, upper and lower mixed without being words in camel case."""
    if len(value) < 10 or not value.isalpha() or value.islower() or value.isupper():
        return False
    changes = sum(a.isupper() != b.isupper() for a, b in pairwise(value))
    return changes > len(value) * 0.4
