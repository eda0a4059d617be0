"""Numbers that states and networks issue: by shape and check digit, without a cue word; coordinates and wallets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.checks import CHECKS, plain_letters
from lancelot.redaction.rules.scan import Scan

__all__ = ["coordinates", "national_numbers", "wallets"]

# name of the check ("" = the shape is enough), pattern without its borders
_SHAPES: tuple[tuple[str, str], ...] = (
    ("", r"(?!000|666)[0-8]\d{2}-(?!00)\d{2}-(?!0000)\d{4}"),  # US social security
    ("", r"9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}"),  # US ITIN
    ("", r"(?:XXX|xxx|\*{3})-(?:XX|xx|\*{2})-\d{4}"),  # one that somebody masked in part
    ("", r"(?-i:(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PRSTW-Z][A-CEGHJ-NPRSTW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])"),  # UK NI
    (
        "",
        r"[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?"
        r"[AC-HJKMNP-RT-Y]{2}\d{2}",
    ),  # US Medicare
    ("", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"),  # Mexico CURP
    ("", r"(?-i:[A-Z]{3}[ABCFGHLJPTK][A-Z]\d{4}[A-Z])"),  # India PAN
    ("", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[-+A](?:\d{3}[0-9A-Y]|\d{4})"),  # Finland, Denmark
    ("nhs", r"\d{3}[ -]\d{3}[ -]\d{4}"),
    ("dni", r"\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]"),
    ("cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    ("steuer_id", r"\d{2} \d{3} \d{3} \d{3}"),
    ("nir", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
    ("fiscal_code", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"),
    ("vin", r"[A-HJ-NPR-Z0-9]{17}"),
    ("aadhaar", r"[2-9]\d{3} \d{4} \d{4}"),
    ("personnummer", r"(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}"),
    ("abn", r"\d{2} \d{3} \d{3} \d{3}"),
    ("luhn", r"\d{3} \d{3} \d{3}|\d{3}-\d{3}-\d{3}"),  # Canada SIN
)
_BORDERED = re.compile(
    r"(?<![\w.+#/-])(?:"
    + "|".join(f"(?P<s{i}>{shape})" for i, (_, shape) in enumerate(_SHAPES))
    + r")(?![\w-]|[.,/]\d)",
    re.IGNORECASE,
)
# Two digits near five more: nothing shorter can be one of these numbers.
_CANDIDATE = re.compile(
    r"\d{2}(?=[\dA-Za-z .+-]{0,14}\d{2})|XX-\d|\*-\d{4}|"
    r"\d[A-Z][\dA-Z]\d-?[A-Z]|(?<!\w)(?=[A-Z]*\d)[A-HJ-NPR-Z\d]{17}(?!\w)"
)
_SEPARATORS = str.maketrans("", "", " .-+")

# Shapes a telephone number has as well: one check digit is not enough without a word for it somewhere.
_NEEDS_WORD = {
    "nhs": frozenset({"nhs", "gp", "hospital", "surgery", "patient"}),
    "luhn": frozenset({"sin", "social", "insurance", "nas", "canada", "canadian", "tax"}),
}
_DEGREES = re.compile(
    r"(?<![\w.])[-+]?(?:[0-8]?\d|90)\.\d{4,10}°?(?: ?[NS])?[,;/ ] {0,2}[-+]?(?:1[0-7]\d|0?\d{1,2}|180)\.\d{4,10}°?"
    r"(?: ?[EWO]\b)?(?![\w.]*\d)|"
    r"(?<!\w)\d{1,2}° ?\d{1,2}['′’] ?(?:\d{1,2}(?:\.\d+)?[\"″”]? ?)?[NS][,; ]{1,2}\d{1,3}° ?\d{1,2}['′’] ?"
    r"(?:\d{1,2}(?:\.\d+)?[\"″”]? ?)?[EWO]\b"
)
_FINE = re.compile(r"\d\.\d{3}")
_NAMED_DEGREES = re.compile(
    r"[\"']?\b(?:lat(?:itude)?|lon(?:g(?:itude)?)?|lng)[\"']?\s*[:= ]\s*[\"']?([-+]?\d{1,3}\.\d{3,10})", re.IGNORECASE
)
_SHORTEST_WALLET = 25
_WALLET = re.compile(
    r"(?<![\w/])(?:(?:bc|tb|ltc)1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{25,62}|0x[0-9a-fA-F]{40}|"
    r"[13][a-km-zA-HJ-NP-Z1-9]{25,34}|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|T[1-9A-HJ-NP-Za-km-z]{33}|"
    r"r[1-9A-HJ-NP-Za-km-z]{24,34}|addr1[a-z0-9]{50,100}|cosmos1[a-z0-9]{38})(?!\w)"
)


def national_numbers(scan: Scan) -> Iterator[Span]:
    """Social security, tax, health and vehicle numbers of a dozen countries whose check digits fit; label ID."""
    for left, right in scan.windows([m.start() for m in scan.near_numbers(_CANDIDATE, 20, 20)], 18, 32):
        yield from _checked(scan, left, right)


def _checked(scan: Scan, left: int, right: int) -> Iterator[Span]:
    for match in _BORDERED.finditer(scan.text, left, right):
        check = _SHAPES[int((match.lastgroup or "s0")[1:])][0]
        if check in _NEEDS_WORD and not scan.has(_NEEDS_WORD[check]):
            continue
        number = match.group().translate(_SEPARATORS)
        if not check or (plain_letters(number) and CHECKS[check](number)):
            yield Span(match.start(), match.end(), "ID", f"id.national.{check}" if check else "id.national")


def coordinates(scan: Scan) -> Iterator[Span]:
    """Latitude and longitude, decimal (four places or more) or in degrees and minutes; label ID."""
    text = scan.text
    if _FINE.search(text):
        for match in _DEGREES.finditer(text):
            yield Span(match.start(), match.end(), "ID", "id.coordinates")
        for match in _NAMED_DEGREES.finditer(text):
            yield Span(match.start(1), match.end(1), "ID", "id.coordinates")
    elif "°" in text:
        for match in _DEGREES.finditer(text):
            yield Span(match.start(), match.end(), "ID", "id.coordinates")


def wallets(scan: Scan) -> Iterator[Span]:
    """Addresses of crypto currencies: letters and digits thoroughly mixed in the shape of a known chain; label ID."""
    for match in scan.in_pieces(_WALLET, _SHORTEST_WALLET):
        found = match.group()
        if found[:2] == "0x" or (any(c.isdigit() for c in found[1:]) and not found[1:].isdigit()):
            mixed = found[0] not in "13Tr" or (any(map(str.isupper, found)) and any(map(str.islower, found)))
            if mixed and (found[0] not in "Tr" or sum(map(str.isdigit, found)) > 2):
                yield Span(match.start(), match.end(), "ID", "id.wallet")
