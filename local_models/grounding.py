"""What a text offers as a value: its numbers as JSON writes them, its full dates as YYYY-MM-DD.

A small model copies well and calculates badly: `31 December` becomes `-12-21`. So extraction may choose among these
only.
"""

from __future__ import annotations

import re
from datetime import date

__all__ = ["dates_in", "numbers_in"]

NUMBER = re.compile(r"(?<![\w.,])([-+\u2212]?)(\d[\d.,'\u2019\u00a0]*\d|\d)(?!\d)|(\d[\d.,]*\d|\d)")
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in names.split()
}
MONTH = r"(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
YEAR = r"(?P<year>\d{4})"
WRITTEN = (
    re.compile(rf"\b{DAY}\.?\s+(?:of\s+)?{MONTH},?\s+{YEAR}\b", re.IGNORECASE),
    re.compile(rf"\b{MONTH}\s+{DAY},?\s+{YEAR}\b", re.IGNORECASE),
    re.compile(rf"\b{DAY}-{MONTH}-{YEAR}\b", re.IGNORECASE),
)
DIGITS = (
    re.compile(r"\b(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})\b"),
    re.compile(r"\b(?P<day>\d{1,2})[./-](?P<month>\d{1,2})[./-](?P<year>\d{4})\b"),
    re.compile(r"\b(?P<month>\d{1,2})[./-](?P<day>\d{1,2})[./-](?P<year>\d{4})\b"),
)
SPELLED = {
    word: str(value)
    for value, word in enumerate(
        re.findall(
            r"\w+",
            """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
            seventeen eighteen nineteen twenty""",
        )
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100", "dozen": "12"}
SCALES = {"k": 1000, "thousand": 1000, "million": 1_000_000, "m": 1_000_000, "billion": 1_000_000_000}


def dates_in(text: str) -> list[str]:
    """Full dates as YYYY-MM-DD; where day and month could be swapped, both readings."""
    found: list[str] = []
    for pattern in (*WRITTEN, *DIGITS):
        for match in pattern.finditer(text):
            month = match["month"].lower()
            try:
                found.append(date(int(match["year"]), MONTHS.get(month) or int(month), int(match["day"])).isoformat())
            except ValueError:
                continue
    return list(dict.fromkeys(found))


def numbers_in(text: str) -> list[str]:
    """Every number as JSON could write it (1,250.50: 1250.50 and 1250.5), spelled ones up to twenty included."""
    found: list[str] = []
    for match in NUMBER.finditer(text):
        sign = "-" if match[1] in ("-", "\u2212") else ""
        raw = match[2] or match[3]
        for plain in _readings(raw):
            forms = _forms(plain)
            scale = re.match(r"\s?(k|thousand|million|m|billion)\b", text[match.end() :], re.IGNORECASE)
            if scale:
                forms += _forms(f"{float(plain) * SCALES[scale[1].lower()]:.10f}")
            found += [form for value in forms for form in ({value, sign + value} if sign else {value})]
    found += [SPELLED[word] for word in re.findall(r"[a-z]+", text.lower()) if word in SPELLED]
    return list(dict.fromkeys(found))


def _readings(raw: str) -> list[str]:
    """A written number without separators; both ways where comma and point are ambiguous."""
    raw = re.sub(r"['\u2019\u00a0]", "", raw)
    readings = []
    for thousands, decimal in ((",", "."), (".", ",")):
        plain = re.sub(rf"{re.escape(thousands)}(?=\d{{3}}(?:\D|$))", "", raw).replace(decimal, ".", 1)
        if re.fullmatch(r"\d+(?:\.\d+)?", plain):
            readings.append(plain)
    return list(dict.fromkeys(readings))


def _forms(plain: str) -> list[str]:
    whole, _, rest = plain.partition(".")
    whole = whole.lstrip("0") or "0"
    short = rest.rstrip("0")
    forms = [f"{whole}.{rest}"] if rest else []
    forms.append(f"{whole}.{short}" if short else whole)
    if rest and not short:
        forms.append(f"{whole}.0")
    return list(dict.fromkeys(forms))
