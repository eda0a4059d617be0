"""Second thoughts about what the tagger found: its known false alarms, taken back.

A guess is dropped when its own letters speak against it: an option letter ("B."), an abbreviation of trade, a month
after "in", a small everyday word in lower case, an identifier without digits, a fingerprint taken for a key.
"""

from __future__ import annotations

import re

from lancelot.redaction.rules.randomness import is_digest, is_example, is_random, is_uuid
from lancelot.redaction.rules.words import words

__all__ = ["EXTENDED", "addressed", "believable", "extend"]

# Lexicon bits of the weights: 0-5 first and last names and cities, 7 countries, 10-13 English words by frequency.
_NAME_BITS = 0b0000_0000_1011_1111
_COMMON_BITS = 0b0000_1100_0000_0000
_ENGLISH_BITS = 0b0011_1100_0000_0000
_MONTH_BIT, _TITLE_BIT = 1 << 14, 1 << 15
_SOFT = frozenset({"PERSON", "LOCATION", "ORG"})

_ABBREVIATIONS = words(
    "API APIs URL URLs URI PDF CSV JSON XML HTML CSS SQL SSH TLS SSL DNS IP TCP UDP HTTP HTTPS FTP VPN VLAN LAN WAN",
    "WIFI CPU GPU RAM SSD HDD USB OS UI UX IDE SDK CLI GUI REST CRUD ORM LLM AI ML NLP RAG OCR IoT AR VR QR GPS RFID",
    "NFC LED LCD CAD ID IDs PIN OTP PII GDPR HIPAA SSN MRN DOB TIN EIN DNI NIE NIF CPR CURP NINO UTR VIN IMEI IBAN",
    "BIC SWIFT SEPA ACH VAT ATM GBP USD EUR CHF JPY AUD CAD INR CEO CTO CFO COO CIO CMO HR PR QA IT R&D KPI KPIs OKR",
    "ROI SLA NDA FAQ FAQs ETA ETD FYI ASAP TBD TBA RSVP PS NB AM PM BC AD WBC RBC BMI BP HR ECG EKG MRI CT ICU ER IV",
    "DVT HIV PCR CRP COPD CKD GERD UTI LDL HDL DIY SEO CTA B2B B2C SaaS CRM ERP CMS PO SKU POS CC BCC RE FW Re Fwd",
    "LoRA UK's Q1 Q2 Q3 Q4 H1 H2 A3 A4 A5 MOT GP",
)
_FORM_WORDS = words(
    "kontakt telefon name vorname nachname adresse anschrift geburtsdatum steuernummer versichertennummer",
    "kundennummer mein meine dein ihre ihr herr frau nota nombre apellido apellidos dirección direccion teléfono",
    "ciudad fecha nom prénom adresse téléphone ville kund telefono nome cognome indirizzo città adres naam cllr attn",
    "subject from to cc date sent dear re bank note notes summary total amount reference invoice order ticket patient",
    "customer client employee user agent caller gist pull request github-flavored markdown",
)
_FUNCTION_WORDS = words(
    "le la les el los las un une una uno der die das den dem des du de da do dos et y e und i o ou au aux en im am",
    "ist est es al del von zu zum zur mit avec con per por para sur meine mein rang who that this his her its our",
    "your their my the a an of in on at by or and for to is was are be it he she we they i me him us them van sudo kg",
    "bx",
)
_KIN = words("mom mum dad mama papa daddy mommy grandma grandpa granny")
_MONTHS = words(
    "january february march april may june july august september october november december",
)
_BEFORE_MONTH = re.compile(
    r"\b(?:in|for|by|until|till|since|of|next|last|this|early|late|mid|during|from|through|to|before|"
    r"after|every|each)[ -]$",
    re.IGNORECASE,
)
_AFTER_MONTH = re.compile(
    r" (?:release|report|numbers?|figures?|sales|results?|invoices?|rent|payroll|issue|edition|statements?|newsletter|"
    r"meeting|deadline|holidays?|break|targets?|budget|forecast|bookings?|quarter|update|launch|bill|"
    r"was our|is our)\b"
)
_STATES = re.compile(r" (?:is|was|were|are|will be|has been|and|looks?|saw|brought)\b")
_ANY_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
)


def _other_month(text: str, month: str) -> bool:
    return any(match.group().lower() != month for match in _ANY_MONTH.finditer(text))


_MEASURE = re.compile(
    r"(?<!\w)\d[\d.,]* ?(?:kg|g|mg|ml|l|km|cm|mm|m|h|min|ms|s|k|gb|mb|kb|tb|hz|w|kw|v|%|x|px|eur|usd|gbp)$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(?:extension|ext|page|line|step|version|chapter|section|figure|table|level|item|vlan|port|room)\b", re.I
)


def _plain_word(word: str, lexicon: dict[str, int], organisation: bool) -> bool:
    """An everyday English word that is no name; for an organisation, names do not count."""
    bits = lexicon.get(word, 0)
    if organisation:
        return bool(bits & _ENGLISH_BITS)
    return bool(bits & _COMMON_BITS) and not bits & _NAME_BITS


def _soft(text: str, start: int, end: int, label: str, lexicon: dict[str, int]) -> bool:
    piece = text[start:end]
    words = re.findall(r"[^\W_]+", piece)
    if sum(map(len, words)) < 2 or piece in _ABBREVIATIONS or (len(piece) >= 32 and any(map(is_digest, words))):
        return False
    low = [word.lower() for word in words]
    if _MEASURE.search(piece):
        return False
    if len(low) == 1 and label == "PERSON" and low[0] in _KIN:
        return False
    if len(low) == 1:
        if low[0] in _FUNCTION_WORDS and not words[0].istitle():
            return False
        if (
            low[0] in _FORM_WORDS
            and text[end : end + 1] in (":", ".", " ")
            and (words[0].islower() or _opens(text, start))
        ):
            return False
        if low[0] in _MONTHS and (
            _BEFORE_MONTH.search(text[max(0, start - 10) : start])
            or _AFTER_MONTH.match(text, end)
            or (_STATES.match(text, end) and _other_month(text, low[0]))
        ):
            return False
    if all(word.islower() for word in words):
        return not all(_plain_word(word, lexicon, label == "ORG") or word in _FUNCTION_WORDS for word in low)
    return not (label == "LOCATION" and _COUNTED.match(piece) and any(c.isdigit() for c in piece))


_SECRET_CUE = re.compile(r"(?:pass|pwd?\b|secret|token|key|cred|auth|log-?in|pin\b)[^\n]{0,30}$", re.IGNORECASE)
_ALGORITHM = re.compile(r"(?:sha|md|aes|rsa|dsa|ecdsa|ed|base|utf|crc|hs|rs|es|ps|blake|argon)[-_]?\d{1,4}\w?", re.I)
_LONGEST_SECRET = 120


def _opens(text: str, start: int) -> bool:
    """At the start of a line or right after a sentence or a colon."""
    before = text[max(0, start - 3) : start].rstrip(" ")
    return not before or before[-1] in "\n.:!?-*#>|"


def _secret(piece: str, before: str) -> bool:
    if (
        not _SECRET_CUE.search(before)
        or any(c.isspace() or c in '/[]"=<>' for c in piece.strip())
        or len(piece) > _LONGEST_SECRET
    ):
        return False
    if is_uuid(piece) or is_digest(piece) or is_example(piece) or _ALGORITHM.fullmatch(piece):
        return False
    letters, digits = any(c.isalpha() for c in piece), sum(c.isdigit() for c in piece)
    if re.fullmatch(r"[0-9a-f]{6,12}", piece):
        return False
    signs = any(not c.isalnum() and c not in "_-.:/" for c in piece)
    return len(piece) >= 6 and letters and bool(digits) and (signs or is_random(piece, 2.5) or digits >= 2)


def believable(text: str, start: int, end: int, label: str, lexicon: dict[str, int]) -> bool:
    """Whether a guess of the tagger should stand."""
    piece = text[start:end]
    if label in _SOFT:
        return _soft(text, start, end, label, lexicon)
    digits = sum(c.isdigit() for c in piece)
    if label == "PHONE":
        return digits >= 5 and not _CLOCK.fullmatch(piece) and not _STATUS.search(text[max(0, start - 28) : start])
    if label == "ID":
        if piece.startswith("CVE-") or _THING.search(text[max(0, start - 24) : start]):
            return False
        return digits >= (4 if piece.isdigit() else 2) and not is_uuid(piece) and not _PRESSURE.fullmatch(piece)
    if label == "SECRET":
        return _secret(piece, text[max(0, start - 40) : start])
    if label == "USERNAME":
        return (
            len(piece) > 1
            and piece not in _EVERYBODY
            and not piece.isdigit()
            and not is_digest(piece)
            and not _KEY_KIND.search(piece)
            and not _code(text, start, end)
        )
    return any(c.isdigit() for c in piece) or len(piece) > 2


_EVERYBODY = frozenset({"@here", "@channel", "@everyone", "@all"})
# Seconds or milliseconds since 1970, and what a server answered.
_CLOCK = re.compile(r"1[3-9]\d{8}(?:\d{3})?")
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\\?[\"'] $|\bISBN\b[^\n]{0,20}$")
_CODE_NAME = re.compile(
    r"(?:java|javax|com|org|net|io|sun|kotlin|android|system|microsoft)\.[\w.]+|[\w.]*(?:Exception|Error)|"
    r"[\w.]*[a-z]\.[a-z]+[A-Z]\w*(?:\.\w+)*|await|async|const|self|this|return|import|export|function|lambda|yield"
)
_QUERY = re.compile(r"\b(?:SELECT|UPDATE|DELETE|INSERT|MERGE)\b", re.I)


def _code(text: str, start: int, end: int) -> bool:
    """A class, a call, a keyword, or a column of a table that the query names: u.id where FROM users u stands."""
    piece = text[start:end]
    if _CODE_NAME.fullmatch(piece) or (text[end : end + 1] == "(" and "." in piece):
        return True
    alias, dot, _ = piece.partition(".")
    if not dot or not _QUERY.search(text):
        return False
    return (
        re.search(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+[\w.\"`]+\s+(?:AS\s+)?{re.escape(alias)}\b", text, re.I) is not None
    )


# Numbers of things and of norms, not of people.
_THING = re.compile(
    r"\b(?:parts?|sku|model|build|version|article|item|course|product|firmware|chapter|section|figure|table|rule|error|"
    r"(?:exit|error|status) code|RFC|ISO|DIN)\s?(?:no\.?|number|nr\.?|is|[#:=]){0,2}\s{0,2}[\"'(]?$",
    re.I,
)
_PRESSURE = re.compile(r"\d{2,3}/\d{2,3}")  # of blood
_KEY_KIND = re.compile(r"^(?:ssh-|ecdsa-)?(?:ed25519|rsa|dss)$|@sha\d{3}$")
EXTENDED = frozenset({"PERSON", "ORG", "USERNAME", "ID"})
_WORD_BEFORE = re.compile(r"(?<![\w@/.-])([^\W\d_a-z][^\W\d_]+(?:['’-][^\W\d_]+)?)[ -]$")
_WORD_AFTER = re.compile(r"[ -]([^\W\d_a-z][^\W\d_]+(?:['’-][^\W\d_]+)?)(?![\w@/]|\.\w)")
_LEGAL_FORM = re.compile(
    r",? (?:Inc|Ltd|LLC|LLP|GmbH|AG|SE|SA|S\.A\.|S\.p\.A\.|SpA|NV|BV|B\.V\.|N\.V\.|PLC|plc|Corp|Co|KG|OHG|"
    r"K\.K\.|Oy|AB|AS|A/S|ApS|"
    r"Kft|Zrt|d\.o\.o|s\.r\.o|Sp\. z o\.o|Pty|Group|Holdings?|Partners|Bank|Solicitors|Logistics|Systems|"
    r"Labs|Technologies)(?!\w)\.?"
)
_LONGEST_NAME = 40


# The rest of what a guess caught in part: svc-print-07, d-haverstock, NL-448120.
_RUN_BEFORE = re.compile(r"(?<![^\W_])(?:[A-Za-z0-9]+[-/_.])+$")
_RUN_AFTER = re.compile(r"(?:[-/_.](?=[A-Za-z0-9])|(?<=[-_]))[A-Za-z0-9]+(?:[-/_.][A-Za-z0-9]+)*")
_LOGIN = re.compile(r"[a-z]{1,12}(?:-[a-z]{1,16}){1,2}(?:-?\d{1,4})?")


def _whole_run(text: str, start: int, end: int) -> tuple[int, int]:
    """From blank to blank, as far as letters, digits and single joining signs reach."""
    before = _RUN_BEFORE.search(text[max(0, start - _LONGEST_NAME) : start])
    after = _RUN_AFTER.match(text, end, end + _LONGEST_NAME)
    return start - len(before.group()) if before else start, after.end() if after else end


def _name_like(word: str, lexicon: dict[str, int]) -> bool:
    """Capitalised, and no everyday word: it belongs to the name it stands next to."""
    bits = lexicon.get(word.lower(), 0)
    return (
        word not in _ABBREVIATIONS
        and word.lower() not in _FORM_WORDS
        and not bits & (_ENGLISH_BITS | _MONTH_BIT | _TITLE_BIT)
    )


# Titles and kin, in front of a name in lower case or with a capital.
_ADDRESSED = re.compile(
    r"(?:\b(?:my|mein|meine[mnr]?|mon|mi|mio|meu|mijn) (?:brother|sister|son|daughter|husband|wife|uncle|aunt|cousin|"
    r"friend|bruder|schwester|sohn|tochter|mann|frau|freund|freundin|frère|fils|fille|ami|amie|hermano|hermana|hijo|"
    r"hija|cuñado|cuñada|amigo|amiga|fratello|sorella|figlio|figlia|amico|amica|pai|irmão|irmã|filho|filha|broer|zus|"
    r"zoon|dochter)|\b(?:herr|herrn|frau|madame|mme|monsieur|señora?|signora?|senhora?|meneer|mevrouw|dottoressa))\s$",
    re.IGNORECASE,
)


def addressed(text: str, start: int) -> bool:
    """Whether a title or a word for kin stands right before: what follows is a person, whatever the guess."""
    return _ADDRESSED.search(text[max(0, start - 30) : start]) is not None


def extend(text: str, start: int, end: int, label: str, lexicon: dict[str, int]) -> tuple[int, int]:
    """The span with the rest of a name caught in part: unknown capitalised neighbours, a firm's legal form."""
    if label == "ORG":
        form = _LEGAL_FORM.match(text, end)
        return start, form.end() if form else end
    if label in ("USERNAME", "ID"):
        whole = _whole_run(text, start, end)
        return whole if label == "ID" or "/" not in text[whole[0] : whole[1]] else (start, end)
    if not text[start].isupper():
        joined = _whole_run(text, start, end)
        return joined if _LOGIN.fullmatch(text, *joined) else (start, end)
    before = _WORD_BEFORE.search(text[max(0, start - _LONGEST_NAME) : start])
    if before and before.group(1)[0].isupper() and _name_like(before.group(1), lexicon):
        start -= len(before.group())
    after = _WORD_AFTER.match(text, end)
    if after and after.group(1)[0].isupper() and _name_like(after.group(1), lexicon):
        end = after.end()
    return start, end
