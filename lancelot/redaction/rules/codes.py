"""Short secrets told by their place: PINs and one-time codes, user and password side by side, statements, networks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.passwords import accept
from lancelot.redaction.rules.randomness import is_example
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["codes", "pairs", "statements"]

_NETWORK = re.compile(
    r"\b(?:wi-?fi|wlan|hotspot|router)\b[^\n\"'`“„:=]{0,24}(?:\bis\b|\bist\b|:|=)\s{0,3}[\"'`“„]([^\s\"'`“”\n]{6,63})[\"'`”“]",
    re.I,
)
_NETWORK_WORDS = words("wifi wi wlan hotspot router")
_CODES = re.compile(
    r"\b(?:pin(?:[ -]?code)?|passcode|otp|tan|cvv2?|cvc2?|one[- ]time (?:code|password|pin)|"
    r"(?:verification|security|authori[sz]ation|access|log-?in|confirmation|auth(?:entication)?|sms|door|gate|alarm|"
    r"entry|unlock|safe|your [\w' ]{0,30}?)[ -]?code)"
    r"(?:[ \t]+(?:number|from the app|for [\w ]{1,20}?))?(?:[ \t]*(?:[:=#]|\bis\b|\bwas\b)[ \t]*|[ \t]+)[\"']?"
    r"(\d{3}[ -]\d{3}|\d{3,8}|\d{2}[ -]\d{2}[ -]\d{2})(?![\w]|[.,-]\d)",
    re.IGNORECASE,
)
_STATEMENTS = re.compile(
    r"\bidentified\s+(?:with\s+\w+\s+)?by\s+(?:password\s+)?[\"'`]([^\"'`\n]{3,100})[\"'`]|"
    r"\b(?:alter|create)\s+(?:user|role|login)\b[^\n;]{0,80}?\bpassword\s*=?\s*[\"'`]([^\"'`\n]{3,100})[\"'`]|"
    r"\bConvertTo-SecureString\s+(?:-\w+\s+)*[\"'`\\]{0,2}([^\s\"'`\\-][^\s\"'`\\]{3,80})|"
    r"\b(?:activation|licen[sc]e|product|serial|registration)[ _-]?(?:key|code)\s*[:=#]?\s*[\"']?"
    r"([A-Z0-9]{4,7}(?:-[A-Z0-9]{4,7}){2,8})\b",
    re.IGNORECASE,
)
_PAIRS = re.compile(
    r"(?:credentials?|log-?in|user(?:name)?|account|id)\b[^\n:=/]{0,20}[:=]?\s*([\w.@+-]{2,60})\s{0,2}"
    r"(?:/|,|;|\||:|\band\b|\n)\s{0,2}(?:(?:pass(?:word|wd)?|pwd?|pin)\s*[:=]?\s*)?([^\s/,;|\"'<>]{6,40})",
    re.IGNORECASE,
)
_CURL = re.compile(r"(?:\s-u\s*|--(?:proxy-)?user[ =])[\"']?([^\s:\"']{1,60}):([^\s\"']{3,100})")


_MAIL_PAIR = re.compile(r"@[\w-]+(?:\.[\w-]+)+\s{0,2}[/|:]\s{0,2}([^\s/,;|\"'<>]{6,40})")
_CODE_WORDS = words(
    "pin pincode passcode otp tan cvv cvc one code your",
)
_STATEMENT_WORDS = words(
    "identified alter create convert activation license licence product serial registration",
)
_PAIR_WORDS = frozenset({"credential", "credentials", "login", "log", "user", "username", "account", "id"})
_DEFAULTS = words(
    "password passwd pass token secret test yyy pw pwd key api_key",
)


def codes(scan: Scan) -> Iterator[Span]:
    """PINs, one-time codes, card check numbers: digits right after their name; rule secret.code."""
    if not scan.has_digit:
        return
    for match in scan.matches(_CODES, _CODE_WORDS, 48, 60):
        yield Span(match.start(1), match.end(1), "SECRET", "secret.code")
    for match in scan.matches(_NETWORK, _NETWORK_WORDS, 3, 100):
        if accept(match.group(1), True, True):
            yield Span(match.start(1), match.end(1), "SECRET", "secret.password")


def statements(scan: Scan) -> Iterator[Span]:
    """Passwords in SQL and PowerShell statements, and product keys; rule secret.password."""
    for match in scan.matches(_STATEMENTS, _STATEMENT_WORDS, 16, 160):
        group = match.lastindex or 0
        if not is_example(match.group(group)) and match.group(group).lower() not in _DEFAULTS:
            yield Span(match.start(group), match.end(group), "SECRET", "secret.password")


def pairs(scan: Scan) -> Iterator[Span]:
    """User and password side by side, as in `login: anna / Xy7!kk` and `curl -u anna:Xy7!kk`; rule secret.pair."""
    text = scan.text
    if "-u" in text or "--user" in text or "proxy-user" in text:
        for match in _CURL.finditer(text):
            value = match.group(2)
            plain = value.lower() in _DEFAULTS or any(c in "$[<{>" for c in value)
            if not plain and not is_example(value):
                yield Span(match.start(1), match.end(2), "SECRET", "secret.pair")
    if not scan.has_digit:
        return
    found = [(match, 2) for match in scan.matches(_PAIRS, _PAIR_WORDS, 0, 140)]
    if "@" in text:
        found += [(match, 1) for match in _MAIL_PAIR.finditer(text)]
    for match, group in found:
        value = match.group(group).rstrip(".)")
        signs = any(not c.isalnum() for c in value)
        if signs and any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and accept(value, True, False):
            yield Span(match.start(group), match.start(group) + len(value), "SECRET", "secret.pair")
