"""What each task returns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Classified", "Extracted", "FoundSpan", "Redacted", "Rewritten", "Summarized", "find_spans"]

SPAN_LABEL = {"NAME": "PERSON"}


@dataclass(frozen=True, slots=True)
class Classified:
    """confidence and shares are 0..1; below_bar says that the label should not be acted on unattended."""

    label: str
    confidence: float
    below_bar: bool
    shares: dict[str, float]
    windows: int


@dataclass(frozen=True, slots=True)
class Extracted:
    data: dict[str, Any]
    windows: int


@dataclass(frozen=True, slots=True)
class Summarized:
    """extractive: the model stated something the text does not, so these are sentences of the text."""

    summary: str
    extractive: bool
    windows: int


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """Code points of the text, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Redacted:
    spans: list[FoundSpan]
    windows: int


@dataclass(frozen=True, slots=True)
class Rewritten:
    """fell_back: the model's words were not the speakers', so this is the query itself. shortened: older turns or the
    ends of long answers were left out of what the model read."""

    query: str
    fell_back: bool
    shortened: bool


def find_spans(text: str, lines: Sequence[tuple[str, str]]) -> list[FoundSpan]:
    """Every whole-word place of each (type, text) line, sorted; a longer span wins over one inside it."""
    found: list[FoundSpan] = []
    for kind, piece in dict.fromkeys((kind, piece.strip()) for kind, piece in lines):
        label = SPAN_LABEL.get(kind, kind)
        pattern = (
            ("(?<!\\w)" if piece[:1].isalnum() else "") + re.escape(piece) + ("(?!\\w)" if piece[-1:].isalnum() else "")
        )
        places = [match.span() for match in re.finditer(pattern, text)] or [
            match.span() for match in re.finditer(re.escape(piece), text)
        ]
        found += [FoundSpan(start, end, label) for start, end in places]
    found.sort(key=lambda span: (span.start, -span.end))
    kept: list[FoundSpan] = []
    for span in found:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept
