"""Street addresses: number and street, post boxes, flats, postal codes with their town, in a dozen countries' customs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span

__all__ = ["addresses", "facilities"]

_SUFFIX = (
    r"street|str|st|road|rd|avenue|ave?|av|boulevard|blvd|drive|dr|lane|ln|court|ct|place|pl|square|sq|terrace|ter|"
    r"way|wy|close|crescent|cres|highway|hwy|parkway|pkwy|circle|cir|trail|trl|alley|aly|row|walk|view|quay|wharf|mews|"
    r"gardens?|gdns|grove|hill|rise|green|park|plaza|loop|path|pike|turnpike|run|ridge|heights|hts|crossing|xing|"
    r"expressway|expy|freeway|fwy|bend|cove|point|pt|ranch|hollow|meadows?|mill|orchard|estate|broadway|embankment|"
    r"parade|esplanade|promenade|mount|vale|chase|croft|fold|passage|passway|causeway|bypass|route|rte"
)
# These are everyday words too; they count only when capitalised or followed by more of an address.
_UNIT = r"(?:[ ,\n]{1,3}(?:apartment|apt|suite|ste|unit|flat|floor|fl|room|rm|bldg|building|block|lot|#|no)\.?[ #]{0,2}[A-Z]?-?\d{1,5}[A-Z]?\b)"
_WORD = r"[^\W\d_][\w'’.-]*"
_CAP = r"(?-i:[^\W\d_a-z])[\w'’.-]*"
_DIRECTION = r"(?:[NSEW]{1,2}\.?|north|south|east|west|northeast|northwest|southeast|southwest)"
_STATE = (
    r"(?-i:A[LKZRAEP]|C[AOT]|D[EC]|F[LM]|G[AU]|HI|I[DLNA]|K[SY]|LA|M[EDAINSOTP]|N[EVHJMYCD]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|"
    r"UT|V[TAI]|W[AVIY]|ON|QC|BC|AB|NSW|VIC|QLD)"
)
_ZIP_US = r"\d{5}(?:-\d{4})?"
_ZIP_UK = r"(?-i:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})"
_ZIP_CA = r"(?-i:[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_ZIP_IE = r"(?-i:[A-Z]\d{2} ?[A-Z0-9]{4})"
_ZIP_EU = r"(?:(?-i:[A-Z]{1,2}-))?\d{4,6}(?: ?(?-i:[A-Z]{2})\b)?|\d{3} \d{2}|\d{2}-\d{3}"
_TOWN = rf"{_CAP}(?:[ -](?:{_CAP}|(?:de|la|le|sur|am|an|der|im|upon|on|of|in|the|do|da|dos|del)\b)){{0,3}}"
_COUNTRY = (
    r"(?:USA|U\.S\.A\.|United States|UK|United Kingdom|England|Scotland|Wales|Northern Ireland|Ireland|Germany|France|Spain|"
    r"Italy|Netherlands|Belgium|Austria|Switzerland|Canada|Australia|Deutschland|Österreich|Schweiz)"
)
_TAIL = (
    rf"(?:{_UNIT})?(?:[ ]?[,;\n][ ]?(?:{_UNIT})?\s?{_TOWN})??"
    rf"(?:[ ]?[,;\n]?[ \n]{{1,2}}(?:{_TOWN}[, \n]{{1,3}})?(?:{_STATE}(?:[ ,\n]{{1,3}}{_ZIP_US})?|{_ZIP_US}|{_ZIP_UK}|{_ZIP_CA}|{_ZIP_IE})\b|"
    rf"[ ]?[,;\n][ \n]{{0,2}}(?:{_ZIP_EU})[ ]{_TOWN}|[ ]?[,;\n][ \n]{{0,2}}{_TOWN}(?:[ ](?:{_ZIP_UK}|{_ZIP_IE}|\d{{4,6}}))?)?"
    rf"(?:[ ]?[,\n]\s?{_COUNTRY}\b)?"
)

_NUMBER_FIRST = re.compile(
    rf"(?<![\w.,/$€£#-])\d{{1,5}}(?:[ -]?[a-d])?(?:[/-]\d{{1,4}}[a-z]?)?,?[ ](?:{_DIRECTION}[ ])?"
    rf"(?:{_WORD}[ ]){{1,4}}?(?P<suffix>{_SUFFIX})\b\.?(?:[ ]{_DIRECTION}\b)?{_TAIL}",
    re.IGNORECASE,
)
_STRAY = re.compile(
    r"(?:^|[ ])(?:years?|days?|weeks?|months?|hours?|minutes?|percent|times?|people|patients?|of|and|or|the|to|in|for|is|was|with|"
    r"by|that|on|from|at|per|users?|items?|points?|steps?|pieces?|miles?|km|mg|dollars?|euros?|files?|lines?|more|other|new)(?:[ ]|$)",
    re.IGNORECASE,
)
_NAME_FIRST = re.compile(
    rf"(?<![\w.-])(?:{_CAP}[ -]){{0,3}}(?-i:[^\W\d_]*)(?:straße|strasse|str\.|gasse|weg|allee|platz|ufer|damm|ring|"
    rf"straat|laan|plein|gracht|markt|kade|dijk|gatan|vägen|gata|vegen|veien|gade|vej|allé|katu|tie|kuja|utca|ulica)[ ]"
    rf"\d{{1,4}}[ ]?[a-z]?\b(?:[/-]\d{{1,4}}[a-z]?)?(?:{_UNIT})?"
    rf"(?:[ ]?[,;\n][ \n]{{0,2}}(?:{_ZIP_EU})[ ]{_TOWN}|[ ]?[,;\n][ \n]{{0,2}}{_TOWN})?",
    re.IGNORECASE,
)
_TYPE_FIRST = re.compile(
    rf"(?<![\w.-])(?:\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ])?(?:rue|avenue|boulevard|chemin|allée|impasse|place|quai|cours|via|viale|"
    rf"piazza|corso|vicolo|largo|strada|calle|avenida|plaza|paseo|camino|carrer|rambla|ronda|rua|travessa|praça|alameda|ul\.|ulica|"
    rf"aleja|al\.|vul\.|jalan|jl\.)[ ](?:(?:de|du|des|la|le|les|del|della|dei|delle|los|las|da|do|dos|d'|l')[ ]?){{0,3}}"
    rf"{_CAP}(?:[ ](?:{_CAP}|de|la|del|di|da|do|y|e|i)){{0,4}}(?:,?[ ](?:n[º°o]\.? ?)?\d{{1,4}}[a-z]?\b(?:[/,-] ?\d{{1,3}}[º°ª]? ?[A-Z]?\b)?)?"
    rf"(?:[ ]?[,;\n][ \n]{{0,2}}(?:{_ZIP_EU})[ ]{_TOWN}|[ ]?[,;\n][ \n]{{0,2}}{_TOWN}(?:[ ](?:{_ZIP_EU}))?)?",
    re.IGNORECASE,
)
_BOX = re.compile(
    rf"\b(?:p\.? ?o\.? ?box|post(?:al)? office box|postfach|apartado|casella postale|bo[iî]te postale|b\.p\.|rural route|rr)[ ]\d[\d -]{{0,8}}"
    rf"(?:,[ ]box[ ]\d{{1,5}})?{_TAIL}|\b(?:PSC|CMR|Unit|USNS|USS)[ ]\w{{2,12}},?[ ](?:Box[ ]\d{{2,5}}[ ,\n]{{1,3}})?[AFD]PO[, ]+A[AEP][ ]{_ZIP_US}",
    re.IGNORECASE,
)
_FLAT = re.compile(
    rf"\b(?:flat|apartment|apt|unit|suite)\.?[ ]\d{{1,4}}[a-z]?,[ ]\d{{1,4}}[a-z]?[ ](?:{_CAP}[ ]){{1,3}}(?:{_SUFFIX})\b{_TAIL}",
    re.I,
)
_NAMED_HOUSE = re.compile(
    rf"\b(?:The[ ])?(?:{_CAP}[ ]){{1,3}}(?-i:House|Cottage|Farm|Forge|Lodge|Hall|Barn|Mill|Manor|Rectory|Estate),[ ](?:{_CAP}[ ]){{1,3}}(?-i:Lane|Road|Street|Way|Drive|Close|Hill)(?:,[ ]{_TOWN})?(?:,?[ ]{_ZIP_UK})?\b"
)
_POSTAL = re.compile(
    rf"(?<![\w-])(?-i:(?:GIR ?0AA|[A-PR-UWYZ](?:\d{{1,2}}|[A-HK-Y]\d|[A-HK-Y]\d\d|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRV-Y]) \d[ABD-HJLNP-UW-Z]{{2}}))(?![\w-])|"
    rf"(?<![\w-])(?-i:[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d)(?![\w-])|"
    rf"\b(?:zip(?:[ -]?code)?|post(?:al)?[ -]?code|plz)\b[^\n\d]{{0,12}}(?:{_ZIP_US})(?![\w-])|"
    rf"(?-i:{_CAP}(?:[ ]{_CAP}){{0,2}},?[ ]{_STATE}[ ,]{{1,2}}{_ZIP_US})(?![\w-])",
    re.IGNORECASE,
)
_STREET_NUMBER_HINT = re.compile(r"\d")
_FACILITY = re.compile(
    rf"\b(?-i:(?:(?:St|Mt|Mount|Saint|Dr)\.?[ ])?(?:{_CAP}[ ]){{1,4}}?"
    r"(?:(?:Regional|General|Memorial|Community|University|Children['’]s|Medical|Health|Cancer|Surgery|Surgical|Rehabilitation|"
    r"Rehab|Urgent|Family|Care|Nursing|Dental|Eye|Heart|Women['’]s|Veterans|District|County|City|Teaching|Day|Walk-in)[ ]){0,3}"
    r"(?:Hospitals?|Clinics?|Infirmary|Hospice|Medical[ ](?:Center|Centre|Ctr|Group|Practice)|Med[ ]Ctr|Health[ ](?:Center|Centre|System)|"
    r"Healthcare|Surgery|Care[ ]Home|Nursing[ ]Home|Urgent[ ]Care|Sanatorium|Pharmacy|Cardiology|Oncology|Pediatrics|Orthopedics))\b"
)
_ARTICLES = frozenset({"The", "A", "An", "At", "In", "From", "To", "My", "Our", "Your", "Their", "This", "That", "Is", "Was", "If", "And", "Visit",
                       "Contact", "Call", "Dear", "Which", "What", "Seen", "When", "Where", "Best", "Every", "Any", "Some", "All", "Local", "Each"})  # fmt: skip


def addresses(text: str) -> Iterator[Span]:
    """Postal addresses, as far as they run on one or a few lines; rule address.*"""
    if not _STREET_NUMBER_HINT.search(text):
        return
    for match in _NUMBER_FIRST.finditer(text):
        found = match.group()
        street = text[match.start() : match.start("suffix")]
        suffix = match.group("suffix")
        short = len(suffix) <= 3 and suffix[0].islower()
        capital = any(c.isupper() for c in street) and suffix[0].isupper()
        lower = not any(c.isupper() for c in found) and suffix.lower() in _SURE and not _STRAY.search(street)
        if (capital or lower or (short and suffix.lower() in _SURE)) and not _STRAY.search(street):
            yield Span(match.start(), match.start() + len(found.rstrip(" ,;\n")), "ADDRESS", "address.street")
    for pattern, rule in (
        (_NAME_FIRST, "address.street"),
        (_TYPE_FIRST, "address.street"),
        (_FLAT, "address.street"),
        (_NAMED_HOUSE, "address.house"),
        (_BOX, "address.box"),
        (_POSTAL, "address.code"),
    ):
        for match in pattern.finditer(text):
            found = match.group().rstrip(" ,;\n")
            if any(c.isdigit() for c in found):
                yield Span(match.start(), match.start() + len(found), "ADDRESS", rule)


_SURE = frozenset(
    [
        "street",
        "st",
        "road",
        "rd",
        "avenue",
        "ave",
        "boulevard",
        "blvd",
        "drive",
        "dr",
        "lane",
        "ln",
        "court",
        "ct",
        "highway",
        "hwy",
        "parkway",
        "pkwy",
        "terrace",
        "crescent",
    ]
)


def facilities(text: str) -> Iterator[Span]:
    """Hospitals, clinics, practices by name; rule location.facility."""
    for match in _FACILITY.finditer(text):
        start = match.start()
        words = match.group().split(" ")
        while len(words) > 1 and words[0] in _ARTICLES:
            start += len(words[0]) + 1
            words = words[1:]
        if len(words) > 1:
            yield Span(start, match.end(), "LOCATION", "location.facility")
