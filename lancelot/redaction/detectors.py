"""The deterministic detectors: `find` runs each rule that the characters of the text make possible.

No model, no state; the same text always gives the same spans. Secrets have a door of their own, `secrets.find`.
"""

from __future__ import annotations

import re

from lancelot.redaction.labels import Span
from lancelot.redaction.rules import formal, links, phones

__all__ = ["find"]

_DIGIT = re.compile(r"\d")


def find(text: str) -> list[Span]:
    """Every span a rule finds, unordered, overlaps included; `labels.resolve` settles them."""
    found: list[Span] = []
    if "@" in text:
        found += formal.emails(text)
    if "." in text or "://" in text:
        found += links.urls(text)
    colons = text.count(":")
    if _DIGIT.search(text):
        found += formal.cards(text)
        found += formal.ibans(text)
        found += formal.ip_addresses(text)
        found += formal.mac_addresses(text)
        found += phones.phones(text)
    elif colons > 1:
        found += formal.ip_addresses(text)
    return found
