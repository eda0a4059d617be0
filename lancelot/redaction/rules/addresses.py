"""Postal addresses: number and street, boxes, flats, codes with their town, in a dozen countries' customs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["addresses", "facilities"]

_SUFFIX = (
    r"street|str|st|road|rd|avenue|ave?|av|boulevard|blvd|drive|dr|lane|ln|court|ct|place|pl|square|sq|terrace|ter|"
    r"way|wy|close|crescent|cres|highway|hwy|parkway|pkwy|circle|cir|trail|trl|alley|aly|row|walk|view|quay|wharf|mews|"
    r"gardens?|gdns|grove|hill|rise|green|park|plaza|loop|path|pike|turnpike|run|ridge|heights|hts|crossing|xing|"
    r"expressway|expy|freeway|fwy|bend|cove|point|pt|ranch|hollow|meadows?|mill|orchard|estate|broadway|embankment|"
    r"parade|esplanade|promenade|mount|vale|chase|croft|fold|passage|passway|causeway|bypass|route|rte"
)
# These are everyday words too; they count only when capitalised or followed by more of an address.
_UNIT = (
    r"(?:[ ,\n]{1,3}(?:apartment|apt|suite|ste|unit|flat|floor|fl|room|rm|bldg|building|block|lot|#|"
    r"no)\.?[ #]{0,2}[A-Z]?-?\d{1,5}[A-Z]?\b)"
)
_WORD = r"[^\W\d_][\w'’.-]*"
_CAP = r"(?-i:[^\W\d_a-zß-öø-ÿ])[\w'’.-]*"
_DIRECTION = r"(?:[NSEW]{1,2}\.?|north|south|east|west|northeast|northwest|southeast|southwest)"
_STATE = (
    r"(?-i:A[LKZRAEP]|C[AOT]|D[EC]|F[LM]|G[AU]|HI|I[DLNA]|K[SY]|LA|M[EDAINSOTP]|N[EVHJMYCD]|O[HKR]|P[ARW]|"
    r"RI|S[CD]|T[NX]|"
    r"UT|V[TAI]|W[AVIY]|ON|QC|BC|AB|NSW|VIC|QLD)"
)
_ZIP_US = r"\d{5}(?:-\d{4})?"
_ZIP_UK = r"(?-i:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})"
_ZIP_CA = r"(?-i:[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_ZIP_IE = r"(?-i:[A-Z]\d{2} ?[A-Z0-9]{4})"
_ZIP_EU = r"(?:\d{4}-\d{3}|(?:(?-i:[A-Z]{1,2}-))?\d{4,6}(?: ?(?-i:[A-Z]{2})\b)?|\d{3} \d{2}|\d{2}-\d{3})"
_PART = r"(?:(?:St|Ste|Mt|Bad)\.[ ])?(?-i:[^\W\d_a-zß-öø-ÿ])[\w'’-]*"
_TOWN = rf"{_PART}(?:[ -](?:{_PART}|(?:de|la|le|sur|am|an|der|im|upon|on|of|in|the|do|da|dos|del)\b)){{0,3}}"
_COUNTRY = (
    r"(?:USA|U\.S\.A\.|United States|UK|United Kingdom|England|Scotland|Wales|Northern Ireland|Ireland|"
    r"Germany|France|Spain|"
    r"Italy|Netherlands|Belgium|Austria|Switzerland|Canada|Australia|Deutschland|Österreich|Schweiz)"
)
_TAIL = (
    rf"(?:{_UNIT})?(?:[ ]?[,;\n][ ]?(?:{_UNIT})?\s?{_TOWN})??"
    rf"(?:[ ]?[,;\n][ \n]{{0,2}}(?:{_ZIP_EU})[ ]{_TOWN}|"
    rf"[ ]?[,;\n]?[ \n]{{1,2}}(?:{_TOWN}[, \n]{{1,3}})?"
    rf"(?:{_STATE}(?:[ ,\n]{{1,3}}{_ZIP_US})?|{_ZIP_US}|{_ZIP_UK}|{_ZIP_CA}|{_ZIP_IE})\b|"
    rf"[ ]?[,;\n][ \n]{{0,2}}{_TOWN}(?:[ ](?:{_ZIP_UK}|{_ZIP_IE}|\d{{4,6}}))?)?"
    rf"(?:[ ]?[,\n]\s?{_COUNTRY}\b)?"
)

_NUMBER_FIRST = re.compile(
    rf"(?<![\w.,/$€£#-])\d{{1,5}}(?:[ -]?[a-d])?(?:[/-]\d{{1,4}}[a-z]?)?,?[ ](?:{_DIRECTION}[ ])?"
    rf"(?:{_WORD}[ ]){{1,4}}?(?P<suffix>{_SUFFIX})\b\.?(?:[ ](?:{_SUFFIX})\b\.?){{0,2}}(?:[ ]{_DIRECTION}\b)?{_TAIL}",
    re.IGNORECASE,
)
_STRAY = re.compile(
    r"(?:^|[ ])(?:years?|days?|weeks?|months?|hours?|minutes?|percent|times?|people|patients?|of|and|or|"
    r"the|to|in|for|is|was|with|"
    r"by|that|on|from|at|per|users?|items?|points?|steps?|pieces?|miles?|km|mg|dollars?|euros?|files?|"
    r"lines?|more|other|new)(?:[ ]|$)",
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
    rf"(?<![\w.-])(?:\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ])?(?:rue|avenue|boulevard|chemin|allée|impasse|"
    rf"place|quai|cours|via|viale|"
    rf"piazza|corso|vicolo|largo|strada|calle|avenida|plaza|paseo|camino|carrer|c/|rambla|ronda|rua|travessa|"
    rf"praça|alameda|ul\.|ulica|"
    rf"aleja|al\.|osiedle|os\.|plac|vul\.|jalan|jl\.)[ ]"
    rf"(?:(?:de|du|des|la|le|les|del|della|dei|delle|los|las|da|das|do|dos|d'|"
    rf"l')[ ]?){{0,3}}"
    rf"{_CAP}(?:[ ](?:{_CAP}|de|la|del|di|da|do|y|e|i)){{0,4}}(?:,?[ ](?:n[º°o]\.? "
    rf"?)?\d{{1,4}}[a-z]?\b(?:[/,-] ?\d{{1,3}}[º°ª]? ?[A-Z]?\b)?)?"
    rf"(?:[ ]?[,;\n][ \n]{{0,2}}(?:{_ZIP_EU})[ ]{_TOWN}|[ ]?[,;\n][ \n]{{0,2}}{_TOWN}(?:[ ](?:{_ZIP_EU}))?)?",
    re.IGNORECASE,
)
# English words that end as German streets do: featuring 9 of them, Spring 2026.
_NO_STREET = re.compile(
    r"(?:\w*(?:er|or|ur|ir)ing|(?:[sb]p?|st|offsp)ring|\w{1,6}(?:ear|par|har|clar)ing|(?:c|d|st)aring|supermarkt) ",
    re.I,
)
# An instruction, not a square: Place Subject 1 on the left.
_PUT = re.compile(r"Place (?!d(?:e|u|es|'|’)\b|la\b|l['’]|Saint|Royale)[^\n,;]{1,30}$")
_BOX = re.compile(
    rf"\b(?:p\.? ?o\.? ?box|post(?:al)? office box|postfach|apartado|casella postale|bo[iî]te postale|"
    rf"b\.p\.|rural route|rr(?=[ ]\d{{1,4}},?[ ]box))[ ]\d[\d -]{{0,8}}"
    rf"(?:,[ ]box[ ]\d{{1,5}})?{_TAIL}|\b(?:PSC|CMR|Unit|USNS|"
    rf"USS)[ ]\w{{2,12}},?[ ](?:Box[ ]\d{{2,5}}[ ,\n]{{1,3}})?[AFD]PO[, ]+A[AEP][ ]{_ZIP_US}",
    re.IGNORECASE,
)
_FLAT = re.compile(
    rf"\b(?:flat|apartment|apt|unit|suite)\.?[ ]\d{{1,4}}[a-z]?,[ ]\d{{1,4}}[a-z]?[ ]"
    rf"(?:{_CAP}[ ]){{1,3}}(?:{_SUFFIX})\b{_TAIL}",
    re.I,
)
_NAMED_HOUSE = re.compile(
    rf"\b(?:The[ ])?(?:{_CAP}[ ]){{1,3}}(?-i:House|Cottage|Farm|Forge|Lodge|Hall|Barn|Mill|Manor|Rectory|"
    rf"Estate),[ ](?:{_CAP}[ ]){{1,3}}(?-i:Lane|Road|Street|Way|Drive|Close|Hill)(?:,[ ]{_TOWN})?(?:,?[ ]{_ZIP_UK})?\b"
)
_UK_CODE = re.compile(
    r"(?<![\w-])(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRV-Y]) "
    r"\d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d)(?![\w-])"
)
_ZIP_CUED = re.compile(
    rf"\b(?:zip|post|plz|eir)(?:[ -]?code|al code)?\b[^\n\d]{{0,12}}"
    rf"(?P<code>{_ZIP_US}|{_ZIP_IE})(?![\w-])",
    re.IGNORECASE,
)
_ZIP_WORDS = frozenset({"zip", "zipcode", "postcode", "postal", "post", "plz", "eircode"})
# Any words, a number, a comma, a code and its town: Am Mühlbach 3a, A-5020 Salzburg.
_THEN_CODE = re.compile(r"\d{1,4}[a-z]?, (?:[A-Z]{1,2}-)?\d{4,5} [^\W\d_a-zß-öø-ÿ]")
_BEFORE_CODE = re.compile(
    rf"(?:{_CAP}[ ]){{1,4}}\d{{1,4}}[a-z]?,[ ](?:(?:[A-Z]{{1,2}}-)\d{{4,5}}|\d{{5}}|(?!19|20)\d{{4}})[ ]{_TOWN}"
)
_TOWN_STATE = re.compile(rf"{_CAP}(?:[ ]{_CAP}){{0,2}},?[ ]{_STATE}[ ,]{{1,2}}{_ZIP_US}(?![\w-])")
_STATE_ZIP = re.compile(r"[A-Z]{2}[ ,]{1,2}\d{5}")
_BOX_WORDS = words(
    "box pobox postfach apartado casella boîte boite rural rr psc cmr unit usns uss p b",
)
_TYPE_WORDS = words(
    "rue avenue boulevard chemin allée impasse place quai cours via viale piazza corso vicolo largo strada calle",
    "avenida plaza paseo camino carrer rambla ronda rua travessa praça alameda c ul ulica aleja al osiedle os plac vul",
    "jalan jl",
)
_FLAT_WORDS = frozenset({"flat", "apartment", "apt", "unit", "suite"})
_HOUSE_WORDS = words(
    "house cottage farm forge lodge hall barn mill manor rectory estate",
)
_STREET_ENDINGS = tuple(
    words(
        "straße strasse str gasse weg allee platz ufer damm ring straat laan plein gracht markt kade "
        "dijk gatan vägen gata vegen",
        "veien gade vej allé katu tie kuja utca",
    )
)
_THEN_NUMBER = re.compile(r"[^\W\d_]*\.?[ ]\d")
_FACILITY_WORDS = words(
    "hospital hospitals clinic clinics infirmary hospice medical med health healthcare surgery care nursing urgent",
    "sanatorium pharmacy cardiology oncology pediatrics orthopedics",
)
_FACILITY = re.compile(
    rf"\b(?-i:(?:(?:St|Mt|Mount|Saint|Dr)\.?[ ])?(?:{_CAP}[ ]){{1,4}}?"
    r"(?:(?:Regional|General|Memorial|Community|University|Children['’]s|Medical|Health|Cancer|Surgery|"
    r"Surgical|Rehabilitation|"
    r"Rehab|Urgent|Family|Care|Nursing|Dental|Eye|Heart|Women['’]s|Veterans|District|County|City|Teaching|"
    r"Day|Walk-in)[ ]){0,3}"
    r"(?:Hospitals?|Clinics?|Infirmary|Hospice|Medical[ ](?:Center|Centre|Ctr|Group|Practice)|Med[ ]Ctr|"
    r"Health[ ](?:Center|Centre|System)|"
    r"Healthcare|Surgery|Care[ ]Home|Nursing[ ]Home|Urgent[ ]Care|Sanatorium|Pharmacy|Cardiology|Oncology|"
    r"Pediatrics|Orthopedics))\b"
)
_ARTICLES = words(
    "The A An At In From To My Our Your Their This That Is Was If And Visit Contact Call Dear Which What Seen When",
    "Where Best Every Any Some All Local Each",
)  # fmt: skip


def addresses(scan: Scan) -> Iterator[Span]:
    """Postal addresses, as far as they run on one or a few lines; rule address.*"""
    text = scan.text
    for match in scan.at_numbers(_NUMBER_FIRST):
        found = match.group()
        street = text[match.start() : match.start("suffix")]
        suffix = match.group("suffix")
        short = len(suffix) <= 3 and suffix[0].islower()
        capital = any(c.isupper() for c in street) and suffix[0].isupper()
        lower = not any(c.isupper() for c in found) and suffix.lower() in _SURE and not _STRAY.search(street)
        if (capital or lower or (short and suffix.lower() in _SURE)) and not _STRAY.search(street):
            yield Span(match.start(), match.start() + len(found.rstrip(" ,;\n")), "ADDRESS", "address.street")
    for match, rule in _others(scan):
        group = "code" if match.re is _ZIP_CUED else 0
        found = match.group(group).rstrip(" ,;\n")
        if any(c.isdigit() for c in found):
            yield Span(match.start(group), match.start(group) + len(found), "ADDRESS", rule)


def _others(scan: Scan) -> Iterator[tuple[re.Match[str], str]]:
    text = scan.text
    streets = sorted(
        at
        for word, places in scan.places.items()
        if word.endswith(_STREET_ENDINGS)
        for at in places
        if _THEN_NUMBER.match(text, at)
    )
    for left, right in scan.windows(streets, 40, 110):
        for match in _NAME_FIRST.finditer(text, left, right):
            if not _NO_STREET.match(match.group()):
                yield match, "address.street"
    for pattern, cues, before, rule in (
        (_TYPE_FIRST, _TYPE_WORDS, 10, "address.street"),
        (_FLAT, _FLAT_WORDS, 0, "address.street"),
        (_NAMED_HOUSE, _HOUSE_WORDS, 50, "address.house"),
        (_BOX, _BOX_WORDS, 12, "address.box"),
        (_ZIP_CUED, _ZIP_WORDS, 0, "address.code"),
    ):
        for match in scan.matches(pattern, cues, before, 140):
            if not _PUT.match(match.group()):
                yield match, rule
    for match in scan.near_numbers(_UK_CODE, 6, 8):
        yield match, "address.code"
    for found in scan.at_numbers(_THEN_CODE):
        whole = _BEFORE_CODE.search(text, max(0, found.start() - 60), min(len(text), found.end() + 60))
        if whole:
            yield whole, "address.street"
    if any(True for _ in scan.near_numbers(_STATE_ZIP, 4, 0)):
        for match in _TOWN_STATE.finditer(text):
            yield match, "address.code"


_SURE = words(
    "street st road rd avenue ave boulevard blvd drive dr lane ln court ct highway hwy parkway pkwy terrace crescent",
)


def facilities(scan: Scan) -> Iterator[Span]:
    """Hospitals, clinics, practices by name; rule location.facility."""
    for match in scan.matches(_FACILITY, _FACILITY_WORDS, 90, 40):
        start = match.start()
        words = match.group().split(" ")
        while len(words) > 1 and words[0] in _ARTICLES:
            start += len(words[0]) + 1
            words = words[1:]
        if len(words) > 1:
            yield Span(start, match.end(), "LOCATION", "location.facility")
