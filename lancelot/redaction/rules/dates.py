"""Calendar dates by a full grammar; a date of birth where the words around say so.

A date has a day or a month with a year: ISO 8601 with its time, numbers with / . or -, month names of seven languages
with ordinals, weekdays in front, ranges. Ages ("34 years"), durations ("3 weeks"), versions and lone times are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["dates"]

_MONTHS = (
    r"jan(?:uary|uar|vier|eiro|uari|\.)?|feb(?:ruary|ruar|ruari|braio|rero|\.)?|f[ée]v(?:rier|ereiro|r?\.)?|"
    r"mar(?:ch|s|zo|ço|t|\.)?|m[äa]rz|maart|apr(?:il|ile|\.)?|avr(?:il|\.)?|abr(?:il|\.)?|may|mai|mayo|mei|maggio|maio|"
    r"jun(?:e|i|io|ho|\.)?|juin|giugno|jul(?:y|i|io|ho|\.)?|juil(?:let|\.)?|luglio|aug(?:ust|ustus|\.)?|"
    r"ao[ûu]t|agosto|ago\.|"
    r"sep(?:tember|t|t\.|tembre|tiembre|\.)?|set(?:tembre|embro|\.)|oct(?:ober|obre|ubre|\.)?|okt(?:ober|\.)?|"
    r"out(?:ubro|\.)|ott(?:obre|\.)|nov(?:ember|embre|iembre|embro|\.)?|dec(?:ember|embre|\.)?|dez(?:ember|embro|\.)?|"
    r"d[ée]c(?:embre|\.)|dic(?:iembre|embre|\.)?|gennaio"
)
_YEAR = r"(?:1[6-9]|20)\d{2}"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_ORDINAL = rf"{_DAY}(?:st|nd|rd|th|er|º|ª|\.)?"
_WEEKDAY = (
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day|\.)?|"
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
)
_TIME = r"(?:[T ,]{1,2}(?:at )?\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}|[ap]\.?m\.?\b))?)?"
_LEAD = rf"(?:(?:{_WEEKDAY})(?:,| the)?\s+(?:the\s+)?|the\s+)?"

_NAMED = re.compile(
    # 12 March 2026, the 3rd of January 2026, 17-Feb-2023, 5 Mar; March 12, 2026, Feb 14th '23, July 2022
    rf"(?<![\w/.-]){_LEAD}(?:"
    rf"{_ORDINAL}(?:\s+(?:of|de)\s+|[\s-]{{1,2}})(?:{_MONTHS})\b\.?(?:(?:,?\s+(?:de\s+)?|[-/]|"
    rf"\s+of\s+){_YEAR}\b|,?\s?['’]\d{{2}}\b|-\d{{2}}\b|\s\d{{2}}\b(?![:.,]\d|\s?(?:%|[ap]m\b|people|hours|days)))?|"
    rf"(?:{_MONTHS})\b\.?\s+{_DAY}(?:st|nd|rd|th)?(?:\s?[-–]\s?{_DAY}(?:st|nd|rd|th)?)?\b(?!\s?(?:%|:\d|"
    rf"[ap]m\b|\.\d|st\b))"
    rf"(?:\s+\d{{1,2}}:\d{{2}}(?::\d{{2}})?)?(?:,?\s+(?:of\s+)?{_YEAR}\b|,?\s?['’]\d{{2}}\b)?|"
    rf"(?:{_MONTHS})\b\.?,?(?:\s+(?:of\s+)?|[-/]){_YEAR}\b"
    r")",
    re.IGNORECASE,
)
_MONTH_WORDS = words(
    "jan january januar janvier janeiro januari feb february februar februari febbraio febrero fév février fev",
    "fevrier fevereiro févr mar march mars marzo março mart märz marz maart apr april aprile avr avril abr abril may",
    "mai mayo mei maggio maio jun june juni junio junho juin giugno jul july juli julio julho juil juillet luglio aug",
    "august augustus août aout agosto ago sep sept september septembre septiembre set settembre setembro oct october",
    "octobre octubre okt oktober out outubro ott ottobre nov november novembre noviembre novembro dec december",
    "decembre dez dezember dezembro déc décembre dic diciembre dicembre gennaio",
)
_WEEKDAY_WORDS = words(
    "mon monday tue tues tuesday wed wednesday thu thur thurs thursday fri friday sat saturday sun sunday",
)
_SPOKEN_WORDS = words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth",
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth",
)
_BIRTH_WORDS = words(
    "dob d born birth birthdate birthday birthplace geb geboren geburtsdatum geburtstag geboortedatum née né nee ne",
    "nacido nacida nacimiento naissance nato nata b",
)
_ISO = re.compile(rf"(?<![\w.-]){_YEAR}([-/.])(?:0?[1-9]|1[0-2])\1{_DAY}(?![\d.-]*\d){_TIME}")
_NUMERIC = re.compile(rf"(?<![\w./:-])({_DAY})([/.-])({_DAY})\2({_YEAR}|\d{{2}})(?![\w/-]|[.,:]\d){_TIME}")
_MONTH_YEAR = re.compile(r"(?<![\w./:-])(?:0?[1-9]|1[0-2])/(?:19|20)\d{2}(?![\w/-]|\.\d)")
# A year or a weekday alone is a date where a preposition makes it one.
_YEAR_ALONE = re.compile(
    r"(?:in|since|until|till|from|of|born|circa|during|(?<=(?:19|20)\d\d )(?:to|and|bis))[ ]((?:19|20)\d{2})"
    r"(?![\w%]|[-/.,:]\d|[ ](?:\w+s|of)\b)",
    re.I,
)
_YEAR_LEADS = frozenset({"in", "since", "until", "till", "from", "of", "born", "circa", "during", "to", "and", "bis"})
_DAY_ALONE = re.compile(
    r"(?:on|this|next|last|by|until|till|before|after|meet|from|since)[ ]((?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)day)\b(?!s)",
    re.I,
)
_DAY_LEADS = frozenset(
    {"on", "this", "next", "last", "by", "until", "till", "before", "after", "meet", "from", "since"}
)
_COMPACT = re.compile(
    r"(?:date|datum|dob|born|geb\.?)[\s:=\"']{1,6}((?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\w)",
    re.I,
)
_WEEKDAY_ORDINAL = re.compile(rf"\b(?:{_WEEKDAY})(?:,| the|, the)\s+\d{{1,2}}(?:st|nd|rd|th)\b", re.IGNORECASE)
_SPOKEN_DAY = (
    r"(?:twenty|thirty)[ -](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|first|second|"
    r"third|fourth|fifth|"
    r"sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|(?:thir|four|fif|six|seven|eigh|nine)teenth|twentieth|thirtieth"
)
_SPOKEN_NUMBER = (
    r"(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[ -](?:one|two|three|four|five|six|"
    r"seven|eight|nine))?|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|ten|eleven|twelve|(?:oh[ -])?(?:one|two|three|four|five|"
    r"six|seven|eight|nine))"
)
_SPOKEN = re.compile(
    rf"\b(?:the\s+)?(?:(?:{_SPOKEN_DAY})\s+of\s+(?:{_MONTHS})|(?:{_MONTHS})\s+(?:the\s+)?(?:{_SPOKEN_DAY}))\b"
    rf"(?:,?\s+(?:nineteen|twenty|two thousand(?: and)?)[ -]{_SPOKEN_NUMBER}\b)?",
    re.IGNORECASE,
)
_BIRTH_BEFORE = re.compile(
    r"(?:(?<![A-Za-z])d\.?\s?o\.?\s?b(?![A-Za-z])\.?|\bborn\b|birth|\bgeb(?:oren|\.|urt)|\bn[ée]e?\b|"
    r"\bnac(?:ido|ida|imiento)|\bnaissance|"
    r"\bnato\b|\bnata\b|\bgeboortedatum|\bgeburtsdatum)[^.\n]{0,24}$",
    re.IGNORECASE,
)
_BORN_BRACKET = re.compile(r"\(\s*(?:\*|b\.)\s?$")


def _plausible(first: int, second: int) -> bool:
    """Day and month in one order or the other."""
    return (first <= 31 and second <= 12) or (first <= 12 and second <= 31)


def _spans(scan: Scan) -> Iterator[tuple[int, int, str]]:
    text = scan.text
    if scan.has_digit:
        for match in scan.at_numbers(_ISO):
            yield match.start(), match.end(), "date.iso"
        for match in scan.at_numbers(_NUMERIC):
            first, sign, second, year = match.group(1, 2, 3, 4)
            # Dots or hyphens and a short year: a version or a score, unless every part is padded as in a date.
            padded = len(first) == 2 == len(second)
            if _plausible(int(first), int(second)) and (len(year) == 4 or sign == "/" or padded):
                yield match.start(), match.end(), "date.numeric"
        for match in scan.at_numbers(_MONTH_YEAR):
            yield match.start(), match.end(), "date.month"
        for match in scan.near_numbers(_COMPACT, 12, 1):
            yield match.start(1), match.end(1), "date.compact"
        for start in scan.starts(_YEAR_LEADS):
            year = _YEAR_ALONE.match(text, start)
            if year:
                yield year.start(1), year.end(1), "date.year"
        for match in scan.matches(_NAMED, _MONTH_WORDS, 36, 60):
            yield match.start(), match.start() + len(match.group().rstrip(" ,")), "date.named"
        for match in scan.matches(_WEEKDAY_ORDINAL, _WEEKDAY_WORDS, 0, 40):
            yield match.start(), match.end(), "date.weekday"
    if scan.has(_WEEKDAY_WORDS):
        for start in scan.starts(_DAY_LEADS):
            day = _DAY_ALONE.match(text, start)
            if day:
                yield day.start(1), day.end(1), "date.weekday"
    if scan.has(_SPOKEN_WORDS):
        for match in scan.matches(_SPOKEN, _MONTH_WORDS, 40, 80):
            yield match.start(), match.end(), "date.spoken"


def dates(scan: Scan) -> Iterator[Span]:
    """Dates (rule date.*), labelled DATE_OF_BIRTH where a word of birth stands before them."""
    text = scan.text
    birth = "(*" in text or "( *" in text or scan.has(_BIRTH_WORDS)
    for start, end, rule in _spans(scan):
        before = text[max(0, start - 40) : start]
        if birth and (_BIRTH_BEFORE.search(before) or _BORN_BRACKET.search(before)):
            yield Span(start, end, "DATE_OF_BIRTH", rule + ".birth")
        else:
            yield Span(start, end, "DATE", rule)
