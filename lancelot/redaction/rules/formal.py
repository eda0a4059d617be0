"""Things that prove themselves: e-mail addresses, payment cards, IBANs, machine addresses, MAC addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.checks import luhn, mod97, plain_letters
from lancelot.redaction.rules.scan import LONG, Scan

__all__ = ["cards", "emails", "ibans", "ip_addresses", "mac_addresses"]

_EMAIL = re.compile(
    r"(?:[^\W_]|[_%+-])(?:[\w%+'*!#$&~^-]|\.(?!\.))*@(?!\d+\.\d+\b(?!\.))"
    r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:xn--[a-z0-9-]{2,}|[^\W\d_]{2,24})\b",
    re.IGNORECASE,
)
_EMAIL_ENCODED = re.compile(r"(?<![\w.%+-])[\w.+-]{1,64}%40(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}\b", re.I)
_CARD = re.compile(r"(?<![\w.+@/-])[1-9](?:[ -]?\d){11,18}(?![\w@]|[.-]\d)")
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}[ -]?\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![^\W_])", re.IGNORECASE)
_IP4 = re.compile(
    r"(?<![\w.-])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:/(?:3[0-2]|"
    r"[12]?\d))?(?![\w-]|\.\d)"
)
_IP6 = re.compile(
    r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])", re.IGNORECASE
)
_MAC = re.compile(
    r"(?<![\w:-])(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])|"
    r"(?<![\w.])(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?![\w.])",
    re.IGNORECASE,
)
# This machine, every machine, and masks: they lead to nobody.
_NOBODYS = frozenset({"127.0.0.1", "0.0.0.0", "255.255.255.255", "255.255.255.0"})  # noqa: S104 - nothing is bound
_VERSION = re.compile(
    r"(?:\b(?:version|ver|release|build|firmware)[ :=\"']{0,3}v?|"
    r"\b(?:up|down)grad\w+ (?:[\w-]+ ){0,3}?(?:from|to) (?:v?[\d.]+ to )?v?|"
    r"\b(?:Chrome|Chromium|CriOS|Edg\w?|OPR|Version|Electron|YaBrowser|SamsungBrowser|Firefox)/|(?<![A-Za-z])v)\Z",
    re.IGNORECASE,
)
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 255
# Said to be one, whatever the check digits say: people mistype, and a mistyped number still tells most of it.
_CARD_SAID = re.compile(
    r"\b(?:card|visa|mastercard|amex)\b(?: number| no\.?| ending)?[^\w\n]{1,12}(?:is "
    r")?((?:\d[ -]?){12,18}\d)(?![\w@]|[.-]\d)",
    re.I,
)
_IBAN_SAID = re.compile(r"\bIBAN\b[^\w\n]{0,8}(?:is )?((?-i:[A-Z]{2})\d{2}(?: ?[A-Z0-9]{2,}){2,9})(?!\w)", re.I)
_SEPARATORS = str.maketrans("", "", " -")
# Length of an IBAN by country, from the public registry.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


_CARD_WORDS = frozenset({"card", "visa", "mastercard", "amex"})
_IBAN_WORDS = frozenset({"iban"})


def emails(scan: Scan) -> Iterator[Span]:
    """E-mail addresses, also with letters beyond ASCII."""
    text, seen = scan.text, 0
    if "%40" in text:
        yield from _encoded_emails(text)
    at = text.find("@")
    while at >= 0:
        first = max(seen, at - _LONGEST_LOCAL)
        first = max(first, text.rfind(" ", first, at) + 1)  # no local part reaches over a blank
        match = _EMAIL.search(text, first, min(len(text), at + _LONGEST_DOMAIN))
        if match is not None:
            seen = match.end()
            yield Span(match.start(), match.end(), "EMAIL", "email")
        seen = max(seen, at + 1)
        at = text.find("@", seen)


def _encoded_emails(text: str) -> Iterator[Span]:
    """The same in an address line, where the sign is %40."""
    for match in _EMAIL_ENCODED.finditer(text):
        yield Span(match.start(), match.end(), "EMAIL", "email")


def cards(scan: Scan) -> Iterator[Span]:
    """12 to 19 digits that pass Luhn and are not one digit repeated."""
    for match in scan.at_numbers(_CARD):
        digits = match.group().translate(_SEPARATORS)
        if len(set(digits)) > 1 and luhn(digits):
            yield Span(match.start(), match.end(), "CARD", "card")
    for match in scan.matches(_CARD_SAID, _CARD_WORDS, 0, 70):
        yield Span(match.start(1), match.end(1), "CARD", "card.cue")


def ibans(scan: Scan) -> Iterator[Span]:
    """IBANs of a registered country and length that pass mod 97, grouped or not."""
    for match in scan.near_numbers(_IBAN, 4, 70):
        raw = match.group()
        country = raw[:2].upper()
        length = _IBAN_LENGTHS.get(country)
        if length is None:
            continue
        # What follows the number may look like more of it: take exactly the registered length.
        end, seen = 0, 0
        while end < len(raw) and seen < length:
            seen += raw[end] not in " -"
            end += 1
        if (
            seen == length
            and plain_letters(raw[:end])
            and mod97(raw[:end].translate(_SEPARATORS))
            and not raw[end : end + 1].isalnum()
        ):
            yield Span(match.start(), match.start() + end, "IBAN", "iban")
    for match in scan.matches(_IBAN_SAID, _IBAN_WORDS, 0, 70):
        if 14 <= sum(c.isalnum() for c in match.group(1)) <= 34:
            yield Span(match.start(1), match.end(1), "IBAN", "iban.cue")


def ip_addresses(scan: Scan) -> Iterator[Span]:
    """IPv4 (with a prefix length) and IPv6; four numbers after a version word are a version."""
    text = scan.text
    if text.count(".") > 2:
        for match in scan.at_numbers(_IP4):
            if match.group() not in _NOBODYS and not _VERSION.search(text, max(0, match.start() - 60), match.start()):
                yield Span(match.start(), match.end(), "IP", "ip.v4")
    if text.count(":") > 1:
        for match in _IP6.finditer(text):
            found = match.group()
            groups = [part for part in found.split(":") if part]
            if "::" in found:
                good = found.count("::") == 1 and ":::" not in found and (len(groups) > 1 or found == "::1")
            else:
                good = found.count(":") == 7 or ("." in found and found.count(":") == 6)
            if good and (len(groups) > 2 or any(c.isdigit() for c in found)):
                yield Span(match.start(), match.end(), "IP", "ip.v6")


def mac_addresses(scan: Scan) -> Iterator[Span]:
    """Hardware addresses, as 00:1A:2B:3C:4D:5E, with hyphens, or as 001a.2b3c.4d5e."""
    for match in scan.in_pieces(_MAC, LONG):
        yield Span(match.start(), match.end(), "ID", "mac")
