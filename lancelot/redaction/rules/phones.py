"""Telephone numbers: by their grouping, by a cue word, or by the numbering plans of the world (phonenumbers)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers

from lancelot.redaction.labels import Span

__all__ = ["phones"]

_EXTENSION = r"(?:[ ,;]*(?:x|ext\.?|extension|#)[ :.]*\d{1,6})?"
_INTERNATIONAL = re.compile(
    rf"(?<![\w.+-])(?:\+|00)[1-9]\d{{0,2}}(?:[ .()/-]{{0,3}}\d){{6,13}}{_EXTENSION}(?![\w-])", re.I
)
_GROUPED = re.compile(
    r"(?<![\w.+/-])(?:1[ .-]?)?(?:\(\d{3}\)[ .-]{0,2}|\d{3}([ .-]))\d{3}[ .-]\d{4}" + _EXTENSION + r"(?![\w-])|"
    r"(?<![\w.+/-])\(0?\d{2,5}\)[ .-]?\d{2,4}(?:[ .-]?\d{2,4}){1,3}" + _EXTENSION + r"(?![\w-])|"
    r"(?<![\w.+/,-])0\d{1,4}[ /-]\d{2,8}(?:[ -]\d{2,5}){0,4}(?![\w-]|[.,]\d)",
    re.IGNORECASE,
)
_CUED = re.compile(
    r"\b(?:(?:tele)?phone|tel|mobile|cell(?:ular)?|fax|handy|whatsapp|call(?:ing|ed)?|text(?:ed)?|dial|ring|sms|"
    r"contact|reach|hotline|pager)\b[^\d\n+(]{0,24}([+(]?\d[\d ().x/-]{5,20}\d)(?![\w-])",
    re.IGNORECASE,
)


def _digits(found: str) -> int:
    return sum(c.isdigit() for c in found)


def _valid(found: str) -> bool:
    """Whether the number, written with its country code, exists in that country's plan."""
    try:
        number = phonenumbers.parse("+" + found[2:] if found.startswith("00") else found, None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_possible_number(number))


def phones(text: str) -> Iterator[Span]:
    """International numbers of a possible length, national ones by grouping, any after a cue word."""
    if "+" in text or "00" in text:
        for match in _INTERNATIONAL.finditer(text):
            if match.group().startswith("+") or _valid(match.group()):
                yield Span(match.start(), match.end(), "PHONE", "phone.international")
    for match in _GROUPED.finditer(text):
        if 8 <= _digits(match.group()) <= 17:
            yield Span(match.start(), match.end(), "PHONE", "phone.grouped")
    for match in _CUED.finditer(text):
        if 7 <= _digits(match.group(1)) <= 16:
            yield Span(match.start(1), match.end(1), "PHONE", "phone.cue")
