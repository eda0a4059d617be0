"""The local model's answer turned into spans; what it names is looked up in the text, so it can invent nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lancelot.redaction.labels import LABELS, Span

__all__ = ["model_spans"]

# What models call things, and what we call them.
_SYNONYMS = {
    "NAME": "PERSON",
    "PER": "PERSON",
    "LOC": "LOCATION",
    "GPE": "LOCATION",
    "PLACE": "LOCATION",
    "CITY": "LOCATION",
    "COUNTRY": "LOCATION",
    "ORGANIZATION": "ORG",
    "ORGANISATION": "ORG",
    "COMPANY": "ORG",
    "DOB": "DATE_OF_BIRTH",
    "BIRTHDATE": "DATE_OF_BIRTH",
    "CREDIT_CARD": "CARD",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "IP_ADDRESS": "IP",
    "USER": "USERNAME",
    "HANDLE": "USERNAME",
    "PASSWORD": "SECRET",
    "API_KEY": "SECRET",
    "TOKEN": "SECRET",
    "KEY": "SECRET",
    "SSN": "ID",
    "PASSPORT": "ID",
    "ACCOUNT": "ID",
    "MRN": "ID",
    "LINK": "URL",
}
_NUMBERED = re.compile(r"[_ ]?\d+$")
_SHORTEST, _LONGEST = 2, 400


def _label(raw: str) -> str | None:
    name = _NUMBERED.sub("", raw.strip().strip("<>[]").upper().replace("-", "_").replace(" ", "_"))
    name = _SYNONYMS.get(name, name)
    return name if name in LABELS else None


def model_spans(lines: Iterable[str], text: str) -> list[Span]:
    """Spans for the lines `LABEL: value` (or `LABEL<TAB>value`) of a model's answer, rule "model".

    Every whole occurrence of a value in the text is taken; a value that does not occur, is too short or too long, or
    bears an unknown label is left out. Unordered, overlaps included.
    """
    found: set[Span] = set()
    for line in lines:
        raw, sign, value = line.replace("\t", ":", 1).partition(":")
        label = _label(raw) if sign else None
        value = value.strip().strip("\"'`")
        if label is None or not _SHORTEST <= len(value) <= _LONGEST or not any(c.isalnum() for c in value):
            continue
        before = r"(?<!\w)" if value[0].isalnum() else ""
        after = r"(?!\w)" if value[-1].isalnum() else ""
        for match in re.finditer(before + re.escape(value) + after, text):
            found.add(Span(match.start(), match.end(), label, "model"))
    return sorted(found)
