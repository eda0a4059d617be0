"""Keys, tokens and passwords: by the shapes their makers publish, by the words around them, by their randomness.

Quiet on what merely looks random: UUIDs, fingerprints in lock files, identifiers in code, example values.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.codes import codes, pairs, statements
from lancelot.redaction.rules.keys import COLOUR, issued_keys
from lancelot.redaction.rules.passwords import assigned
from lancelot.redaction.rules.randomness import counts_up, is_even, is_example, is_random
from lancelot.redaction.rules.scan import Scan

__all__ = ["find"]

_JWT = re.compile(
    r"(?<![\w.-])ey[JI][\w-]{8,}={0,2}\.[\w-]{4,}={0,2}(?:\.[\w-]*){0,3}|(?<![\w./+-])ey[JI][\w+/-]{30,}={0,2}"
)
_OBJECT = re.compile(rb"\{\s*\"[^\"]{1,60}(?:\"\s*:|\Z)")
_PEM = re.compile(
    r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(.{20,}?)(?:-----END[A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----|\Z)",
    re.S,
)
_CONNECTION = re.compile(r"\b[a-z][a-z0-9+.-]{1,30}://([^\s:/@?#\"'<>]{0,80}):([^\s/@\"'<>]{2,200})@[\w.\[-]", re.I)
_SECRET_MANIFEST = re.compile(r"^\s*[\"']?kind[\"']?\s*:\s*[\"']?Secret[\"']?\s*,?\s*$", re.M | re.I)
_MANIFEST_VALUE = re.compile(
    r"^[ \t]+[\"']?[\w.-]+[\"']?[ \t]*:[ \t]*(?:[|>]-?\s*)?[\"']?([A-Za-z0-9+/]{8,}={0,2})[\"']?,?[ \t]*$", re.M
)
# Addresses that let whoever holds them post: chat services document these forms.
_WEBHOOK = re.compile(
    r"(?:https?:\\?/\\?/)?(?:hooks\.slack\.com/(?:services|workflows|triggers)|"
    r"(?:\w{1,30}\.)?discord(?:app)?\.com/api/webhooks|[\w.-]{1,80}\.office\.com/webhookb?2?|"
    r"chat\.googleapis\.com/v1/spaces|hooks\.zapier\.com/hooks)/[\w/%@?=&+.-]{16,}",
    re.IGNORECASE,
)
_BLOB = re.compile(r"(?<![\w/+.=@#-])[A-Za-z0-9+/_-]{36,}={0,2}(?![\w/+=-])")
_BLOB_SIZES = (36, 120)
_SHORTEST_ENCODED_KEY = 100
# SEQUENCE, INTEGER 0 or 1: how PKCS #1, PKCS #8 and SEC 1 keys begin.
_DER_KEY = re.compile(rb"\x30(?:[\x2e-\x7f]|\x81.|\x82..)\x02\x01[\x00\x01]", re.S)
# A fingerprint says what it is, right before it.
_FINGERPRINT = re.compile(
    r"(?:sha-?\d{1,3}|md5|integrity|checksum|digest|etag|hash|commit|rev(?:ision)?|fingerprint|resolved|nonce-|\bh1:)"
    r"[\"']?[\s:=\-@\"'(]{0,4}$|(?:csrf|xsrf|authenticity)[-_]?token[\"']?\s{1,2}(?:value|content)=[\"']$",
    re.IGNORECASE,
)


def _is_token(word: str) -> bool:
    """Whether a word that begins like JSON in base64 is a token: in parts, or an object that names its first field."""
    if "." in word:
        return True
    try:
        plain = base64.b64decode(word[:80], altchars=b"-_" if "-" in word or "_" in word else None)
    except (ValueError, binascii.Error):
        return True
    return _OBJECT.match(plain) is not None


def _pem(text: str) -> Iterator[Span]:
    for match in _PEM.finditer(text):
        body = match.group(1)
        made_up = is_example(body[:40]) or is_example(text[match.start() + 5 : match.start(1) - 5])
        if sum(c.isalnum() for c in body) > 30 and "..." not in body and not made_up:
            yield Span(match.start(), match.end(), "SECRET", "secret.pem")


def _connections(text: str) -> Iterator[Span]:
    """The password of `scheme://user:password@host`; the link as a whole is the links' work."""
    for match in _CONNECTION.finditer(text):
        if not match.group(2).startswith(("$", "<", "{", "*", "%s", "[")):
            yield Span(match.start(2), match.end(2), "SECRET", "secret.connection")


def _manifests(text: str) -> Iterator[Span]:
    """Values under data: of a Kubernetes Secret."""
    if _SECRET_MANIFEST.search(text):
        for match in _MANIFEST_VALUE.finditer(text):
            if is_random(match.group(1).rstrip("="), 2.5) and not is_example(match.group(1)):
                yield Span(match.start(1), match.end(1), "SECRET", "secret.manifest")


def _encoded_key(blob: str) -> bool:
    """Base64 of a PEM, DER or JSON private key, of something holding one, or of an NTLM answer; no example."""
    if "example" in blob.lower():
        return False
    try:
        plain = base64.b64decode(blob[: len(blob) // 4 * 4], validate=False)
    except (ValueError, binascii.Error):
        return False
    if b"PRIVATE KEY" in plain or _DER_KEY.match(plain) or plain.startswith(b"NTLMSSP"):
        return True
    return b'"kty"' in plain and b'"d"' in plain


def _blobs(scan: Scan) -> Iterator[Span]:
    """Long strings, upper, lower and digits thoroughly mixed, that nothing marks as a fingerprint, a path or data.

    Lines of such strings under one another are encoded data and stay, unless they hold a private key.
    """
    text = scan.text
    blobs = list(scan.in_pieces(_BLOB, _BLOB_SIZES[0]))
    for place, match in enumerate(blobs):
        blob = match.group()
        start, end = match.span()
        if start and text[start - 1] in "[;" and COLOUR.match(blob):
            continue  # the keys' rule knows where a colour ends and a key begins
        if len(blob) >= _SHORTEST_ENCODED_KEY and _encoded_key(blob):
            yield Span(start, end, "SECRET", "secret.encoded")
            continue
        if not _BLOB_SIZES[0] <= len(blob) <= _BLOB_SIZES[1] or blob.count("/") > len(blob) / 16:
            continue
        neighbours = (place and start - blobs[place - 1].end() < 24) or (
            place + 1 < len(blobs) and blobs[place + 1].start() - end < 24
        )
        if neighbours or not is_even(blob) or text.startswith(("...", "…"), end):
            continue
        if not is_random(blob.rstrip("="), 3.9) or is_example(blob) or counts_up(blob):
            continue
        if not _FINGERPRINT.search(text[max(0, start - 40) : start]):
            yield Span(start, end, "SECRET", "secret.random")


def find(text: str, scan: Scan | None = None) -> list[Span]:
    """Every secret found, unordered, overlaps included; label SECRET, rules secret.*

    scan: of this text, when the caller has one already.
    """
    if len(text) < 6:
        return []
    scan = scan or Scan(text)
    found: list[Span] = [*issued_keys(scan), *assigned(scan), *pairs(scan), *_blobs(scan)]
    if "ey" in text:
        found += [Span(m.start(), m.end(), "SECRET", "secret.jwt") for m in _JWT.finditer(text) if _is_token(m.group())]
    if "-----BEGIN" in text:
        found += _pem(text)
    if "://" in text:
        found += _connections(text)
    if "kind" in text:
        found += _manifests(text)
    found += codes(scan)
    found += statements(scan)
    if "hook" in text or "chat.googleapis" in text:
        found += [Span(m.start(), m.end(), "SECRET", "secret.webhook") for m in _WEBHOOK.finditer(text)]
    return found
