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
    r"([A-Z0-9]{4,7}(?:-[A-Z0-9]{4,7}){2,8})\b|"
    r"\b(?:pdo|mysqli(?:_connect)?|mysql_connect|pg_connect|getConnection)\(\s*[\"'][^\"'\n]{0,200}[\"'],\s*"
    r"[\"'][^\"'\n]{1,60}[\"'],\s*[\"']([^\"'\n]{3,100})[\"']|"
    r"\b(?:NetworkCredential|PasswordAuthentication|UsernamePasswordCredentials|HTTPBasicAuth|BasicAuth|basic_auth|"
    r"login)\(\s*[\"'][^\"'\n]{1,60}[\"'],\s*[\"']([^\"'\n\s]{4,100})[\"']|"
    r"(?<![a-z])contribsys(?:__|\.)com[\"']?\s{0,2}[:=]\s{0,2}[\"']?([0-9a-f]{8}:[0-9a-f]{8})\b",
    re.IGNORECASE,
)
_PAIRS = re.compile(
    r"(?:credentials?|log-?in|user(?:name)?|account|id)\b[^\n:=/]{0,20}[:=]?\s*([\w.@+-]{2,60})\s{0,2}"
    r"(?:/|,|;|\||:|\band\b|\n)\s{0,2}(?:(?:pass(?:word|wd)?|pwd?|pin)\s*[:=]?\s*)?([^\s/,;|\"'<>]{6,40})",
    re.IGNORECASE,
)
# A user, a colon, a password; quotes around both or around each; either may be missing.
_CURL = re.compile(
    r"(?:\s-u\s{0,4}|--(?:proxy-)?user(?:[ =]\s{0,3}))(?P<both>[\"']?)"
    r"(?P<user>[^\s:\"']{0,60})[\"']?:(?P<quote>[\"']?)(?P<word>[^\s\"']{0,100})"
)
# `id/pw: anna/Xy7!kk`, `login, password = anna, Xy7!kk`, `ID(PW): anna(Xy7!kk)`: two names, then two values.
_BOTH = re.compile(
    r"(?:id|user(?:name|id)?|log-?in|account|아이디|계정)\s{0,2}[/|&,+(]?\s{0,2}(?:pw|pwd|pass(?:word|wd)?|pin)\b\)?"
    r"[\s:=(>-]{1,5}([\w.@+-]{2,60})\s{0,2}(?:/{1,2}|[,|:(]|\s)\s{0,2}([^\s/,;|\"'<>()]{6,40})",
    re.IGNORECASE,
)
# `10.0.0.4 (anna/Xy7kk)`: a machine and who logs in there.
_MACHINE = re.compile(
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?(?:[ \t]{1,2}|[ \t]?[,(]\s?)[\w@+-]{2,40}/"
    r"(?=[^\s]{0,40}\d)(?=[^\s]{0,40}[a-z])(?=[^\s]{0,40}[A-Z])([\w!@#$%^&*+-]{6,40})(?![\w/.])"
)
# RFC 7517: the private members of a key written as JSON.
_JWK = re.compile(r"\\?[\"'](?:d|k|p|q|dp|dq|qi)\\?[\"']\s{0,4}:\s{0,4}\\?[\"']([\w-]{16,2000})")


_MAIL_PAIR = re.compile(r"@[\w-]+(?:\.[\w-]+)+\s{0,2}[/|:]\s{0,2}([^\s/,;|\"'<>]{6,40})")
_CODE_WORDS = words(
    "pin pincode passcode otp tan cvv cvc one code your",
)
_STATEMENT_WORDS = words(
    "identified alter create convert activation license licence product serial registration contribsys pdo",
    "mysqli mysql pg get connection network password username basic http login log",
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
            values = match.group("user", "word")
            value = max(values, key=len) if "" in values else values[1]
            value = value.rstrip(">}])")
            variable = (
                match.group("user").startswith("<")
                or value.startswith(("$", "[", "<", "{{", "{$"))
                or (not match.group("quote") and "{" in value)
            )
            if len(value) > 2 and value.lower() not in _DEFAULTS and not variable and not is_example(value):
                yield Span(match.start("user"), match.end("word"), "SECRET", "secret.pair")
    if "kty" in text:
        for match in _JWK.finditer(text):
            yield Span(match.start(1), match.end(1), "SECRET", "secret.jwk")
    if not scan.has_digit:
        return
    found = [(match, 2) for pattern in (_PAIRS, _BOTH) for match in scan.matches(pattern, _PAIR_WORDS, 0, 140)]
    for match in scan.at_numbers(_MACHINE):
        if accept(match.group(1), True, False):
            yield Span(match.start(1), match.end(1), "SECRET", "secret.pair")
    if "@" in text:
        found += [(match, 1) for match in _MAIL_PAIR.finditer(text)]
    for match, group in found:
        value = match.group(group).rstrip(".)")
        signs = any(not c.isalnum() for c in value)
        if signs and any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and accept(value, True, False):
            yield Span(match.start(group), match.start(group) + len(value), "SECRET", "secret.pair")
