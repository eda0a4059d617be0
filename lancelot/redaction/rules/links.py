"""Links. A private one carries a credential or a token and is masked by every policy; a public one is only named."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span

__all__ = ["urls"]

_SCHEMES = "https?|wss?|s?ftps?|ssh|git|svn|ldaps?|smb|file|s3|gs|mailto|tel|magnet|rtsp|rtmp"
_LINK = re.compile(rf"\b(?:(?:git\+)?(?:{_SCHEMES}))://[^\s<>\"'`\\]+|\bwww\d?\.[^\s<>\"'`\\]+", re.IGNORECASE)
_BARE = re.compile(
    r"(?<![\w@./:\\-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"(?:com|org|net|edu|gov|mil|io|co|info|biz|ly|me|de|uk|fr|es|it|nl|ru|ca|au|us|eu|ch|tv|app|dev|ai|gl|gd|be|"
    r"at|se|no|dk|fi|pl|pt|br|mx|jp|cn|in|nz|ie|za|int|online|shop|site|store|tech|cloud|blog)"
    r"(?![\w(@-]|\.[\w])(?::\d{2,5})?(?:[/?#][^\s<>\"'`\\]*)?",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"//[^/?#@\s]+@")
_TOKEN = re.compile(
    r"[?&#;](?:[\w.-]*(?:token|secret|passw(?:or)?d|passwd|pwd|signature|credential|session|auth|api[_-]?key|apikey|"
    r"access[_-]?key)[\w.-]*|sig|key|code|otp|jwt|sid|pin|hash|invite|x-amz-[a-z-]+)=[^&#\s]{6,}",
    re.IGNORECASE,
)
# Long random path parts: sharing links, web hooks, reset links.
_HOOK = re.compile(
    r"/(?:services|webhooks?|hooks?|reset|invite|share|verify|confirm|magic|unsubscribe|d|s|file)/[^\s]*"
    r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}",
    re.IGNORECASE,
)

_OPENER = {")": "(", "]": "[", "}": "{"}


def _trimmed(found: str) -> str:
    """Without the punctuation of the sentence around it; a closing bracket stays only with its partner."""
    while found:
        if found[-1] in ".,;:!?*_'’”“|" or (
            found[-1] in ")]}" and found.count(found[-1]) > found.count("([{"[")]}".index(found[-1])])
        ):
            found = found[:-1]
        else:
            break
    return found


def _kind(link: str) -> str:
    private = _USERINFO.search(link) or _TOKEN.search(link) or _HOOK.search(link)
    return "url.private" if private else "url.public"


def urls(text: str) -> Iterator[Span]:
    """Links with a scheme or www., and bare domains of common top levels; rule url.private or url.public."""
    for pattern in (_LINK, _BARE):
        for match in pattern.finditer(text):
            link = _trimmed(match.group())
            if len(link) > 4:
                yield Span(match.start(), match.start() + len(link), "URL", _kind(link))
