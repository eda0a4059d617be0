"""Firms by their legal form: capitalised words, then Ltd, GmbH, S.r.l. and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["firms"]

_FORMS = (
    r"Inc|Incorporated|Corp|Corporation|Ltd|Limited|LLC|LLP|PLC|plc|Pty Ltd|GmbH(?: & Co\. ?KG)?|mbH|AG|KG|OHG|e\.V\.|"
    r"S\.A\.(?:S\.)?|SAS|SARL|S\.à r\.l\.|S\.?p\.?A\.?|S\.?r\.?l\.?|SRL|S\.L\.(?:U\.)?|Ltda|Lda|B\.?V\.?|N\.V\.|AB|ApS|"
    r"A/S|Oy|ASA|Sp\. z o\.? ?o\.|s\.r\.o\.|d\.o\.o\.|Kft|Zrt"
)
# Words that are only a legal form, or nearly; what is also an everyday word counts in capitals alone (AG, AB).
_WORDS = words(
    "inc incorporated corp corporation ltd limited llc llp plc pty gmbh mbh ag kg ohg sas sarl spa srl ltda lda bv ab",
    "aps oy asa sp kft zrt v a l s r p o b n d",
)
_CAPITAL = r"[^\W\d_a-zß-öø-ÿ][\w'’.-]*"
_FIRM = re.compile(
    rf"(?<![\w@/.-]){_CAPITAL}(?:,? (?:{_CAPITAL}|&|of|de|di|da|do|della|du)){{0,5}},? "
    rf"(?:{_FORMS})(?![\w-])\.?"
)
_LONGEST = 90
# What may stand before a firm's name with a capital of its own.
_OPENERS = words(
    "The A An At In From To My Our Your Their This That With For By Dear Please Contact Call Since When If And Or But",
    "Der Die Das Den Dem Bei Von Für Mit An Im La Le Les El Los Il Lo De Het Chez Pour Para Con Da Do",
)


def firms(scan: Scan) -> Iterator[Span]:
    """Names that end in a legal form; label ORG, rule org.form."""
    for match in scan.matches(_FIRM, _WORDS, _LONGEST, 16):
        start, end = match.span()
        parts = match.group().split(" ")
        while len(parts) > 2 and parts[0] in _OPENERS:
            start += len(parts[0]) + 1
            parts = parts[1:]
        if len(parts) > 1 and parts[0] not in _OPENERS:
            yield Span(start, end, "ORG", "org.form")
