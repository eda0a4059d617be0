"""Links. A private one carries a credential, is a person's page or lives inside a house; the rest are public."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan

__all__ = ["urls"]

_SCHEMES = (
    "https?|wss?|postgres(?:ql)?(?:\\+\\w+)?|mysql(?:\\+\\w+)?|mariadb|mongodb(?:\\+srv)?|rediss?|amqps?|"
    "mssql|jdbc:\\w+|smtps?|imaps?|nats|kafka|clickhouse|snowflake|s?ftps?|ssh|git|svn|ldaps?|smb|file|"
    "s3|gs|mailto|tel|magnet|rtsp|rtmp"
)
_LINK = re.compile(
    rf"\b(?:(?:git\+)?(?:{_SCHEMES}))://[^\s<>\"'`\\]{{1,4096}}|\bwww\d?\.[^\s<>\"'`\\]{{1,4096}}", re.IGNORECASE
)
_BARE = re.compile(
    r"(?<![\w@./:\\-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"(?:com|org|net|edu|gov|mil|io|co|info|biz|ly|me|de|uk|fr|es|it|nl|ru|ca|au|us|eu|ch|tv|app|dev|ai|gl|gd|be|"
    r"at|se|no|dk|fi|pl|pt|br|mx|jp|cn|in|nz|ie|za|int|online|shop|site|store|tech|cloud|blog)"
    r"(?![\w(@-]|\.[\w])(?::\d{2,5})?(?:[/?#][^\s<>\"'`\\]*)?",
    re.IGNORECASE,
)
_ALNUM = frozenset(string.ascii_letters + string.digits)
_DOT = re.compile(r"\.[A-Za-z]{2}")
_LONGEST_HOST, _LONGEST_PATH = 80, 200
_USERINFO = re.compile(r"//[^/?#@\s]+@")
_GRANT = re.compile(
    r"[?&#;](?:[\w.-]*(?:token|secret|passw(?:or)?d|passwd|pwd|signature|credential|session|auth|api[_-]?key|apikey|"
    r"access[_-]?key)[\w.-]*|sig|key|code|otp|jwt|sid|pin|hash|invite|x-amz-[a-z-]+)=[^&#\s]{6,}",
    re.IGNORECASE,
)
# Long random path parts: sharing links, web hooks, reset links.
_HOOK = re.compile(
    r"/(?:services|webhooks?|hooks?|reset|invite|share|verify|confirm|magic|unsubscribe|d|s|file)/[^\s]{0,200}?"
    r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,200}",
    re.IGNORECASE,
)

# Hosts that only exist inside a house, pages that are a person's or shared by link.
_INSIDE = re.compile(
    r"^(?:\w+://)?(?:[^/@]*@)?[\w.-]+\.(?:internal|local|corp|lan|intra|intranet|home|private)(?=[:/?#]|"
    r"$)",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"^(?:https?://)?(?:[\w-]+\.)*(?:linkedin\.com/(?:in|pub)/|facebook\.com/(?:profile\.php|people/|"
    r"(?!pages/)[\w.]{5,}/?$)|"
    r"instagram\.com/(?!p/|explore)[\w.]{3,}|(?:twitter|x)\.com/(?!search|home|i/|hashtag)\w{2,}|t\.me/\w{3,}|"
    r"calendly\.com/[\w-]+|zoom\.us/j/\d+|meet\.google\.com/[a-z]{3}-|docs\.google\.com/\w+/d/[\w-]{20,}|"
    r"drive\.google\.com/\w+/(?:d/)?[\w-]{20,}|dropbox\.com/s\w*/\w{8,}|1drv\.ms/|onedrive\.live\.com/|"
    r"[\w-]+\.sharepoint\.com/:)",
    re.IGNORECASE,
)
_OPENER = {")": "(", "]": "[", "}": "{"}


def _trimmed(found: str) -> str:
    """Without the punctuation of the sentence around it; a closing bracket stays only with its partner."""
    found = found.partition("](")[0]
    while found:
        opener = _OPENER.get(found[-1])
        if found[-1] in ".,;:!?*_'’”“|" or (opener and found.count(found[-1]) > found.count(opener)):
            found = found[:-1]
        else:
            break
    return found


def _kind(link: str) -> str:
    rules = (_USERINFO, _GRANT, _HOOK, _INSIDE, _PERSONAL)
    return "url.private" if any(rule.search(link) for rule in rules) else "url.public"


def urls(scan: Scan) -> Iterator[Span]:
    """Links with a scheme or www., and bare domains of common top levels; rule url.private or url.public."""
    text = scan.text
    found: list[re.Match[str]] = []
    if "://" in text or "www" in text or "WWW" in text:
        found += _LINK.finditer(text)
    dots = [at - 1 for match in _DOT.finditer(text) if (at := match.start()) and text[at - 1] in _ALNUM]
    for left, right in scan.windows(dots, _LONGEST_HOST, _LONGEST_PATH):
        found += _BARE.finditer(text, left, right)
    for match in found:
        link = _trimmed(match.group())
        if len(link) > 4:
            yield Span(match.start(), match.start() + len(link), "URL", _kind(link))
