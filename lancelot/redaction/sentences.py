"""Where a sentence ends within a guess: a name ends there, too, and what follows begins anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.rules.words import words

__all__ = ["sentences"]

# A sentence ends here, unless the word before is one that is cut short.
_SENTENCE_END = re.compile(r"(?<=[^\W\d_][a-zß-öø-ÿ])\.(?=\s+[^\W\d_a-zß-öø-ÿ])|[;!?](?=\s+[^\W\d_a-zß-öø-ÿ])")
_CUT_SHORT = words(
    "mr mrs ms dr prof st ste mt ft sr jr sra srta dott sig sigra avv ing geom inc ltd corp co bros capt col gen lt",
    "sgt cmdr",
    "maj rev hon gov sen rep fr frl hr mme mlle me nr no vs univ dept dep ave blvd rd str bldg apt jan feb mar",
    "apr jun jul aug sep sept oct nov dec assoc gebr geb mag dipl ir drs mw dhr sz pol al ul os pl vol fig ed eds",
    "messrs",
)
_WORD_AT_END = re.compile(r"[^\W\d_]+$")


def sentences(text: str, pieces: list[list[int]]) -> Iterator[tuple[int, int, int]]:
    """The stretches (start, end, class), cut where a sentence ends within one."""
    for start, end, kind, _ in pieces:
        for stop in _SENTENCE_END.finditer(text, start, end):
            word = _WORD_AT_END.search(text, max(0, stop.start() - 20), stop.start())
            if stop.group() == "." and word and word.group().lower() in _CUT_SHORT:
                continue
            yield start, stop.start(), kind
            start = stop.end()
        yield start, end, kind
