"""Identifiers told by a cue word in front: MRN, SSN, passport, insurance, account, customer number, plate, #AB-1234.

Order, invoice, ticket and tracking numbers are left alone: they name a thing, not a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["bank_codes", "identifiers"]

# These name an identifier by themselves; the value may follow at once.
_STRONG = (
    r"mrns?|medical record|ssns?|social[ -]security|nhs|npi|dea|itin|tin|f?ein|utr|nino|ni no|national insurance|"
    r"tax(?:payer)?[ -]?(?:id\w*|reference|no|number|file number)|council tax|vat(?: id)?|steuer(?:nummer|"
    r"-?id\w*)|ust-?id\w*|"
    r"passport|visa|residen(?:ce|cy)(?: card| permit)?|green card|driv(?:er|ing)['’]?s?['’]?[ -](?:licen[sc]e|lic)|dl|"
    r"licen[sc]e(?: plate)?|licen[sc]ia|identity card|national id\w*|id[ -]card|voter(?: id)?|aadhaa?r|pan|"
    r"insurance|health[ -]?(?:plan|card|insurance)|policy(?:holder)?|police|medicare|medicaid|beneficiary|"
    r"subscriber|enrollee|"
    r"(?:kranken)?versicherten?(?:nummer|nr)|versicherungs?nummer|sozialversicherungsnummer|kundennummer|"
    r"vertragsnummer|kontonummer|personalnummer|ausweis(?:nummer|nr)|numéro de sécurité sociale|n° de client|"
    r"personnummer|cpr|cpf|cnpj|curp|rfc|dni|nie|nif|nir|bsn|egn|pesel|codice fiscale|"
    r"c\.f\.|p\.? ?iva|partita iva|siret|siren|kvk|btw|tva|mwst|orcid|cnp|"
    r"companies house|asset tag|pnr|record locator|booking (?:ref(?:erence)?|code)|personal (?:id|number)|"
    r"bank account|acct|account|sort[ -]code|routing|aba|swift|bic|mandate|creditor id|pension|"
    r"vin|vehicle id\w*|imei|imsi|iccid|meid|device id|serial|plate|kennzeichen|number plate|registration(?: plate)?|"
    r"frequent[ -]flyer|loyalty|library card|membership|donor(?: card)?|badge|warrant card|chart|specimen|"
    r"sample id|accession|"
    r"encounter|hosp(?:ital|\.)? (?:number|no\.?|id)|case|claim|docket|certificate|permit|prescription|rx|ndc|"
    r"patient id|"
    r"beneficiary id|claimant|payroll|reference|codice (?:cliente|paziente)|"
    r"num[eé]ro (?:de |d['’])?(?:client|dossier|contrat|compte|adh[eé]rent|allocataire|"
    r"immatriculation|police|sinistre|patient|locataire)|"
    r"n[uú]mero d[eo] (?:cliente|socio|afiliado|p[oó]liza|expediente|contrato|cuenta|utente|processo|conta)|"
    r"[^\W\d_]{3,20}(?:nummer|nr\b\.?)|aktenzeichen"
)
# These need a word such as number or id, or a sign, between them and the value.
_WEAK = (
    r"patient|member|customer|client|employee|emp|staff|student|matriculation|enrol?lment|tenant|user|contract|file|"
    r"record|group|plan|card|reference|ref|contact|person|personnel|participant|candidate|applicant|"
    r"citizen|citizenship|"
    r"resident|contractor|supplier|vendor|payee|payer|payroll|trust|fund|loan|mortgage|deposit|investor|broker|"
    r"officer|guest|crew|pilot|driver|vehicle|study|trial|subject|lab|report|"
    r"identification|identity|unique|"
    r"business|company|registration|employer|court|inmate|prisoner|service|rank|unit|visit|admission|room key|"
    r"application|intake|referral|authorization|authorisation|approval"
)
_NUMBER = (
    r"(?:id(?:entifier|entification)?s?|numbers?|num|no|nos|nr|nummer|número|numero|n°|code|ref(?:erence)?|card|key)"
)
_LINK = (
    r"(?:[ \t]{0,2}(?:\([a-z]{2,12}\)|is|was|are|of|as|:|=|#|–|—|-(?=\s)|\(|\"|'|\\\"|№|n°|ending in|"
    r"ends? with|ist|est|es|è|é|är|er|jest|sono|son|lautet|le|la|die|der|das|o|el)){0,4}"
)
_SERIAL = (
    r"(?=[A-Za-z]{0,8}[-/_.:]?[A-Za-z]{0,8}[-/_.:]?\d|[A-Za-z]{2,8}[-/][A-Za-z0-9]{1,6}[-/]?\d)"
    r"[A-Za-z0-9]+(?:[-/_.:][A-Za-z0-9]+){0,6}"
)
_MORE = (
    r"(?-i:(?: (?!(?:AM|PM|MG|ML|KG)\b)(?:\d[\dA-Z]{0,11}(?:-\d+)*|[A-Z]{1,3}\d[\dA-Z]*)(?![a-z.,]?\d|"
    r"[a-z%]|[:/]\d)){0,6}(?: [A-Z](?![\w'’.]))?)"
)
_VALUE = rf"[#*]?\s?(?P<value>(?:(?-i:[A-Z]{{1,4}}) (?=\d))?{_SERIAL}{_MORE})"

_CUED = re.compile(
    rf"(?:(?P<strong>{_STRONG})(?P<joined>(?:[ _-]|, )?{_NUMBER}\b\.?)?|(?P<weak>{_WEAK})[ _-]?{_NUMBER}\b\.?)"
    rf"(?:[ _-]{_NUMBER}\b\.?)?(?:\s\([^)\n]{{1,20}}\))?[\"']?(?P<link>{_LINK})[ \t]{{0,3}}[\"']?{_VALUE}",
    re.IGNORECASE,
)
_WEAK_SIGN = re.compile(
    rf"(?:{_WEAK}|(?-i:ID|Id))[\"']?[ \t]?(?:[:=#][ \t]?|no\. ?|nr\. ?|is )[\"'#]{{0,2}}(?P<value>{_SERIAL}{_MORE})",
    re.IGNORECASE,
)
_BARE_ID = re.compile(
    rf"(?:(?<![A-Za-z0-9_])(?-i:ID|I\.D\.)|\b(?-i:Id|id)(?=\s?(?:number|no\.|is|#|:)))(?:\s?(?:number|no\.?))?[\"']?"
    rf"(?:[ \t]{{0,2}}(?:is|was|:|=|#|\()){{0,2}}[ \t]{{0,2}}[\"'#]{{0,2}}(?P<value>{_SERIAL}{_MORE})",
    re.IGNORECASE,
)
_HASHED = re.compile(r"(?<![\w&/#])#(?:[A-Z]{1,6}-?\d{3,}[\dA-Z-]*|\d{3,}-[A-Z\d-]{2,}|\d{5,}[A-Z]{1,3})(?![\w-])")
_PLATE = re.compile(
    r"\b(?:plates?|kennzeichen|registration|reg\.?|vehicle|car|van|truck|lorry|trailer|anhänger|"
    r"licen[sc]e plate)\b[^\n\d.;]{0,18}?[\s:#\"'(,]"
    r"((?-i:[A-ZÄÖÜ]{1,3}[ -][A-Z]{1,2}[ -]?\d{1,4}|[A-Z]{2}\d{2}[ -]?[A-Z]{3}|[A-Z]{1,3}[ -]?\d{2,4}[ -]?[A-Z]{0,3}|"
    r"[A-Z]{1,3}[ -]\d{4}[ -][A-Z]|[A-Z]{3}[ -]\d{2}[A-Z]\d|\d{1,4}[ -]?[A-Z]{2,3}[ -]?\d{0,4}))(?!\w|-\w)",
    re.IGNORECASE,
)
_STRONG_STARTS = words(
    "mrn mrns medical ssn ssns social nhs npi dea itin tin ein fein utr nino ni national tax taxpayer council vat ust",
    "passport visa residence residency resident green driver drivers driving dl license licence licensia identity id",
    "voter aadhaar aadhar pan insurance health policy policyholder police medicare medicaid beneficiary subscriber",
    "enrollee numéro personnummer cpr cpf cnpj curp rfc dni nie nif nir bsn egn pesel codice personal bank acct",
    "account sort routing aba swift bic mandate creditor pension vin vehicle imei imsi iccid meid device serial plate",
    "kennzeichen number registration frequent loyalty library membership donor badge warrant chart specimen sample",
    "accession encounter hosp hospital reference payroll aktenzeichen codice número numero",
    "kvk btw tva mwst iva partita siret siren orcid cnp companies asset pnr record booking c p",
    "case claim docket certificate permit prescription rx ndc patient claimant steuer",
    "steuerid ausweisnr versichertennr",
)
_WEAK_STARTS = words(
    "patient member customer client employee emp staff student matriculation enrolment enrollment tenant user",
    "contract file record group plan card reference ref contact person personnel participant candidate applicant",
    "citizen citizenship resident contractor supplier vendor payee payer payroll trust fund loan mortgage deposit",
    "investor broker officer guest crew pilot driver vehicle study trial subject lab report",
    "identification identity unique business company registration employer court inmate prisoner service rank unit",
    "visit admission room application intake referral authorization authorisation approval",
)
_ID = frozenset({"id"})
_PLATE_WORDS = words(
    "plate plates kennzeichen registration reg vehicle car van truck lorry trailer anhänger license",
)
# Numbers with a form of their own: of courts (7 O 118/24, 1:24-cv-09913, [2024] EWCA Civ 877), of registered post
# (RR 471 882 905 GB).
_DOCKET = re.compile(
    r"(?<![\w/.-])(?:\d{1,3} (?:[A-Z]{1,2}[a-z]{0,2}|[IVX]{1,4} Z[RB]|StR|BvR|HK O) \d{1,5}/(?:\d{2}|(?:19|20)\d{2})|"
    r"[A-Z]{2} ?\d{3} ?\d{3} ?\d{3} ?[A-Z]{2}|"
    r"(?:\d:)?\d{2,4}-(?:cv|cr|mc|bk|ap|md)-\d{3,6}(?:-[A-Z]{1,4})*|"
    r"(?:\[(?:19|20)\d{2}\]|(?:19|20)\d{2}) (?:EWCA (?:Civ|Crim)|EWHC|UKSC|UKPC|UKUT|CSIH|CSOH|IESC|ONSC|ONCA|SCC|HCA|"
    r"NSWSC) \d{1,5})(?![\w/-])"
)
_BIC = re.compile(
    r"(?:BIC|SWIFT)(?:/(?:BIC|SWIFT))?(?:[ -]?code)?\b[\"']?[ :=]{1,3}[\"']?"
    r"((?-i:[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?))(?!\w)",
    re.I,
)
_BIC_WORDS = frozenset({"bic", "swift"})
_STARTS = _STRONG_STARTS | _WEAK_STARTS
_NOT_PERSONAL = re.compile(
    r"(?:order|invoice|ticket|tracking|purchase|part|article|model|bug|issue|build|product|test|use|"
    r"edge|best|worst|base|in|flight|port|line|page|version|suit|stair|bookcase|phone)[ _-]*$",
    re.IGNORECASE,
)
_UNITS = re.compile(
    r"\d{1,5}(?:\.\d+)?(?:st|nd|rd|th|k|m|mg|ml|kg|g|cm|mm|km|h|hrs?|min|mins|s|ms|px|pt|gb|mb|kb|am|pm|x|"
    r"d|y|yr|yrs|w|%)?$",
    re.I,
)
# A file's name or a version, whatever word stands before it.
_FILE_NAME = re.compile(
    r"\.(?:whl|t?gz|zip|tar|py|js|ts|json|txt|csv|pdf|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|log|md|ya?ml|toml|html?|"
    r"exe|deb|rpm|jar|so|dll|sql)$|^v?\d{1,3}\.\d{1,3}\.\d{1,3}$",
    re.I,
)
_YEARLIKE = re.compile(r"(?:19|20)\d{2}$")


def _identifying(value: str, strong: bool) -> bool:
    """Enough digits to single somebody out, and not an amount, a year, a size or a version."""
    digits = sum(c.isdigit() for c in value)
    if digits < (3 if strong else 4) and not (digits >= 2 and len(value) >= 6):
        return False
    if _FILE_NAME.search(value) or _YEARLIKE.fullmatch(value) or (_UNITS.fullmatch(value) and not value.isdigit()):
        return False
    if value.isdigit() and digits < (4 if strong else 5):
        return False
    return not (value.count(".") >= 1 and value.replace(".", "").isdigit() and len(value) < 8)


_NAMED_USER = re.compile(r"user\W{1,4}[A-Za-z]", re.IGNORECASE)


def _cued(scan: Scan) -> Iterator[re.Match[str]]:
    starts = scan.starts(_STARTS)
    if "nr" in scan.text or "nummer" in scan.text:
        words = (places for word, places in scan.places.items() if word.endswith(("nummer", "nr")))
        starts = sorted({*starts, *(at for places in words for at in places)})
    for start in starts:
        match = _CUED.match(scan.text, start)
        if match:
            yield match


def bank_codes(scan: Scan) -> Iterator[Span]:
    """Codes of banks after BIC or SWIFT; they need no digit. Label ID, rule id.bic."""
    for match in scan.matches(_BIC, _BIC_WORDS, 0, 40):
        yield Span(match.start(1), match.end(1), "ID", "id.bic")


def identifiers(scan: Scan) -> Iterator[Span]:
    """Values after a cue word (id.cue), `#AB-1234` forms (id.hash) and number plates (id.plate); label ID."""
    text = scan.text
    for match in _cued(scan):
        if _NOT_PERSONAL.search(text[max(0, match.start() - 12) : match.start()]):
            continue
        start, end = match.span("value")
        value = match.group("value")
        told = match.group("weak") or match.group("joined") or match.group("link").strip()
        # Without "number", "is" or a sign in between, only something that cannot be an amount or a count.
        if not told and value.isdigit() and len(value) < 5:
            continue
        # A user's letters are a name, which the handles find; a user's number is an identifier.
        named = (match.group("weak") or "").lower() == "user" and sum(map(str.isalpha, value)) > sum(
            map(str.isdigit, value)
        )
        if not named and _identifying(value, bool(match.group("strong") or match.group("weak"))):
            yield Span(start, end, "ID", "id.cue")
    for pattern, cues in ((_WEAK_SIGN, _WEAK_STARTS | _ID), (_BARE_ID, _ID)):
        for start in scan.starts(cues):
            signed = pattern.match(text, start)
            if signed and not _NAMED_USER.match(signed.group()) and _identifying(signed.group("value"), False):
                yield Span(*signed.span("value"), "ID", "id.cue")
    for match in scan.near_numbers(_DOCKET, 16, 14):
        yield Span(match.start(), match.end(), "ID", "id.docket")
    if "#" in text:
        for match in _HASHED.finditer(text):
            yield Span(match.start(), match.end(), "ID", "id.hash")
    for match in scan.matches(_PLATE, _PLATE_WORDS, 0, 60):
        if any(c.isdigit() for c in match.group(1)):
            yield Span(match.start(1), match.end(1), "ID", "id.plate")
