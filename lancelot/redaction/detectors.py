"""The deterministic detectors: `find` runs each rule that the characters of the text make possible.

No model, no state; the same text always gives the same spans. Secrets have a door of their own, `secrets.find`.
"""

from __future__ import annotations

import re

from lancelot.redaction.labels import Span
from lancelot.redaction.rules import addresses, dates, formal, handles, identifiers, links, national, phones

__all__ = ["find"]

_DIGIT = re.compile(r"\d")
_SPOKEN = re.compile(r"\bborn\b|\bbirth\b|(?:first|second|third|h) of [A-Z]")


def find(text: str) -> list[Span]:
    """Every span a rule finds, unordered, overlaps included; `labels.resolve` settles them."""
    found: list[Span] = []
    if "@" in text:
        found += formal.emails(text)
    if "." in text or "://" in text:
        found += links.urls(text)
    found += handles.handles(text)
    found += addresses.facilities(text)
    if _DIGIT.search(text):
        found += formal.cards(text)
        found += formal.ibans(text)
        found += formal.ip_addresses(text)
        found += formal.mac_addresses(text)
        found += phones.phones(text)
        found += dates.dates(text)
        found += national.national_numbers(text)
        found += national.coordinates(text)
        found += national.wallets(text)
        found += identifiers.identifiers(text)
        found += addresses.addresses(text)
    else:
        if text.count(":") > 1:
            found += formal.ip_addresses(text)
        if _SPOKEN.search(text):
            found += dates.dates(text)
    return found
