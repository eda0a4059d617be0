"""The deterministic detectors: `find` runs each rule that the characters of the text make possible.

No model, no state; the same text always gives the same spans. Secrets have a door of their own, `secrets.find`.
"""

from __future__ import annotations

from lancelot.redaction.labels import Span
from lancelot.redaction.rules import (
    addresses,
    dates,
    firms,
    formal,
    handles,
    identifiers,
    links,
    national,
    people,
    phones,
)
from lancelot.redaction.rules.scan import Scan

__all__ = ["find"]


def find(text: str, scan: Scan | None = None) -> list[Span]:
    """Every span a rule finds, unordered, overlaps included; `labels.resolve` settles them.

    scan: of this text, when the caller has one already.
    """
    scan = scan or Scan(text)
    found: list[Span] = []
    if "@" in text or "%40" in text:
        found += formal.emails(scan)
    if "." in text or "://" in text:
        found += links.urls(scan)
    found += handles.handles(scan)
    found += addresses.facilities(scan)
    found += dates.dates(scan)
    found += identifiers.bank_codes(scan)
    found += people.people(scan)
    found += firms.firms(scan)
    if scan.has_digit:
        found += formal.cards(scan)
        found += formal.ibans(scan)
        found += formal.ip_addresses(scan)
        found += formal.mac_addresses(scan)
        found += phones.phones(scan)
        found += national.national_numbers(scan)
        found += national.coordinates(scan)
        found += national.wallets(scan)
        found += identifiers.identifiers(scan)
        found += addresses.addresses(scan)
    elif text.count(":") > 1:
        found += formal.ip_addresses(scan)
    return found
