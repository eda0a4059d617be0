"""Telephone numbers: by their grouping, by a cue word before or after, or by the numbering plans of the world."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["phones"]

_EXTENSION = r"(?:[ ,;]{0,2}(?:x|ext\.?|extension|#)[ :.]{0,2}\d{1,6})?"
_FRONT = r"(?<![\w.+/#-])(?<!\d,)(?<!\d:)"
_BACK = r"(?!\w|-\d|[.,:]\d)"
_INTERNATIONAL = re.compile(
    rf"{_FRONT}(?:\+|00)[1-9]\d{{0,2}}(?:[ .()/-]{{0,3}}\d){{6,13}}{_EXTENSION}{_BACK}", re.IGNORECASE
)
_GROUPED = re.compile(
    rf"{_FRONT}(?:"
    # North America, with and without brackets
    r"(?:1[ .-]?)?(?:\(\d{3}\)[ .-]{0,2}|\d{3}[ .-])\d{3}[ .-]\d{4}|"
    # an area code in brackets, a trunk 0 in front of groups
    r"\(0?\d{2,5}\)[ .-]?\d{2,4}(?:[ .-]?\d{2,4}){1,3}|"
    r"0\d{1,4}(?:[ -]| ?/ ?)\d{2,8}(?:[ -]\d{2,5}){0,4}|"
    # pairs: 60-56-85-91, 03.93.92.16.85, 06 12 34 56 78
    r"\d{2}(?:-\d{2}){3,4}|0\d(?:([ .])\d{2})(?:\1\d{2}){3}"
    rf"){_EXTENSION}{_BACK}",
    re.IGNORECASE,
)
_NUMBER = r"[+(]?\d[\d ().x/-]{4,20}\d"
_CUED = re.compile(
    r"\b(?:(?:tele)?(?:ph|f)one?(?:n)?|tel|ph|mobile|mob|cell(?:ular)?|fax|handy|whatsapp|signal|"
    r"call(?:ing|ed)?|text(?:ed)?|"
    rf"dial|ring|sms|contact|reach|hotline|pager|landline|movil|móvil|telefono?|"
    rf"téléphone)\b[^\d\n+(]{{0,24}}({_NUMBER})(?!\w|-\d)",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    rf"(?<![\w.+-])({_NUMBER})(?=\s?[-(]\s?(?:office|fax|mobile|cell|home|work|phone|tel|direct)\b)", re.IGNORECASE
)
_CUES = words(
    "phone phones telephone fon fone tel ph mobile mob cell cellular fax handy whatsapp signal call calling called",
    "text texted dial ring sms contact reach hotline pager landline movil móvil telefon telefono téléphone",
)
_LABELS = words(
    "office fax mobile cell home work phone tel direct",
)
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[-./ ](?:0?[1-9]|[12]\d|3[01])[-./ ](?:\d{4}|\d{2})|(?:19|"
    r"20)\d{2}[-./ ]\d{1,2}[-./ ]\d{1,2}.*"
)
_HINT = re.compile(r"\d{2}.{0,4}\d{2}")


def _digits(found: str) -> int:
    return sum(c.isdigit() for c in found)


def _possible(found: str) -> bool:
    """Whether a number with its country code has a length that exists in that country's plan."""
    try:
        number = phonenumbers.parse("+" + found[2:], None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_possible_number(number))


def phones(scan: Scan) -> Iterator[Span]:
    """International numbers, national ones by grouping, any after a cue word; rule phone.*"""
    text = scan.text
    if not _HINT.search(text):
        return
    if "+" in text or "00" in text:
        for match in scan.at_numbers(_INTERNATIONAL, "+"):
            if match.group().startswith("+") or _possible(match.group()):
                yield Span(match.start(), match.end(), "PHONE", "phone.international")
    for match in scan.at_numbers(_GROUPED, "("):
        if 8 <= _digits(match.group()) <= 17 and not _DATE.fullmatch(match.group()):
            yield Span(match.start(), match.end(), "PHONE", "phone.grouped")
    cued = [*scan.matches(_CUED, _CUES, 0, 64)]
    if scan.has(_LABELS):
        cued += scan.at_numbers(_LABELLED, "+(")
    for match in cued:
        found = match.group(1)
        if 6 <= _digits(found) <= 16 and not _DATE.fullmatch(found):
            yield Span(match.start(1), match.end(1), "PHONE", "phone.cue")
