"""Passwords and tokens told by the words around them: assignments, markup, command lines, prose.

A cue word is looked up first; then what stands right of it is read as name, sign and value. The value must look like
a secret for that kind of cue: a password may be short and odd, a token has to be random.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.randomness import is_example, is_random, is_random_case, is_uuid
from lancelot.redaction.rules.scan import Scan

__all__ = ["accept", "assigned"]

_CUE = re.compile(
    r"(?P<password>pass(?:w(?:or)?t?d?s?|wort|phrase|code|key)?(?!port|eng|age|ion|iv|ing|over|ed\b|es\b)|"
    r"pwd(?!ump)|pa?s{1,2}w(?:o?rd|d)|passwor\w{1,3}|"
    r"(?<![a-z])pw(?![a-z])|contrase(?:ñ|n)a|"
    r"mot de passe|wachtwoord|senha|kennwort|haslo|비밀번호|비번|암호|пароль|密码|密碼|パスワード)|"
    r"(?P<token>secrets?|tokens?(?!i[sz])|creds?|credentials?|auth(?!or|enticity)(?:entication)?|authorization|bearer|"
    r"signature|nonce|salt|"
    r"(?:api|access|account|private|encryption|signing|auth|master|service|client|consumer|app|license|storage|shared|"
    r"session|deploy|admin|write|read|primary|secondary|integration|secret|webhook|ssh|hmac|jwt|"
    r"[a-z0-9]{3,20})[ _.-]?key|\bkey|cookie|session[ _-]?id|webhook)",
    re.IGNORECASE,
)
_HINTS = (
    "contrase",
    "wachtwoord",
    "senha",
    "kennwort",
    "session",
    "webhook",
    "pass",
    "pw",
    "sw",
    "secret",
    "token",
    "cred",
    "auth",
    "bearer",
    "key",
    "salt",
    "nonce",
    "signature",
    "cookie",
)
_FOREIGN = re.compile(
    "contrase|wachtwoord|senha|kennwort|haslo|비밀번호|비번|암호|пароль|密码|密碼|パスワード|session|webhook", re.I
)
_REST = re.compile(r"[\w.$-]{0,40}(?:\[[^\]\n]{0,20}\])?[\"'`\]\\)]{0,4}")
_SIGN = re.compile(
    r"\s{0,8}(?:(?::\s?[A-Za-z_?]\w{0,20}\s{0,3}|\s(?:string|str|char\*?|String)\s{0,3})?"
    r"(?::{1,3}=|\?\?=|\?=|\|\|=?|\+=|\.=|===?|!==?|=>|->|=|:(?!:))|,(?=\s*\\?[\"'`])|\((?=\s*\\?[\"'`])|"
    r">(?=\s*[^\s<]))\s{0,20}|"
    r"\)?\s(?:or|\|\||\?\?)\s(?=[\"'`])|[\"']?\s*,?\s{1,4}[\"']?value[\"']?\s{0,2}[=:]\s{0,2}(?=[\"'])",
)
_PROSE = re.compile(
    r"\s{1,3}(?:(?:for|of|to)\s[^\n.,;:]{1,40}?\s)?(?:is|was|are|=|:|set to|changed to|reset to)\s{1,3}(?:now\s)?", re.I
)
_NEXT_NAME = re.compile(r"\\?[\"'`]\s*:")
_BLANK = re.compile(r"[ \t]{1,4}")
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|digest|ntlm|negotiate|api-key)\s{1,3}", re.I)
_QUOTED = re.compile(r"\\?(?P<quote>[\"'`])(?P<value>(?:(?!\\?(?P=quote))[^\n]){1,8000})\\?(?P=quote)")
# The name asked for, and what is taken where nobody set it: getenv("DB_PASSWORD", "…").
_DEFAULT = re.compile(r"[\w.$]{1,40}\(\s{0,2}(?:\\?[\"'])?[\w.-]{1,60}(?:\\?[\"'])?\s{0,2},\s{0,2}(?=[bruf]?\\?[\"'])")
# A cookie's or a variable's own name within the value: auth-token=…
_NAMED_WITHIN = re.compile(
    r"[\w-]{0,30}(?:token|auth|key|pass(?:word|wd)?|secret|session|sid)=(?=[^=\s])", re.IGNORECASE
)
# What some languages write in front of a quote.
_LITERAL = re.compile(r"(?:[bruf]{1,2}|[@$L])(?=\\?[\"'`])", re.I)
_BRACKETED = re.compile(r"[^\s<>]{3,400}(?=\s*</)")
# Quotes that close on another line.
_OPENED = re.compile(r"(?:\"\"\"|\'\'\'|[\"\'`])\\?\n?[ \t]{0,20}(?=[^\s\"\'`])")
_UNQUOTED = re.compile(r"[^\s\"'`<>]{3,8000}")
_TRAILING = re.compile(r"(?:\\[nrt].*|\\$|&(?:lt|gt|quot|nbsp|#\d{1,4});.*|[,;)\]}.:|]+)$")
# Names that speak of a secret without holding one.
_NOT_HELD = re.compile(
    r"(?:[_.-]?(?:id|ids|name|names|file|filename|path|dir|url|uri|endpoint|type|length|len|size|count|field|label|"
    r"regex|pattern|policy|rule|hint|prompt|min|max|expir\w*|ttl|timeout|version|alias|board|word|words|code|frame|"
    r"press\w*|down|up|store|ring|pair|vault|map|set|list|group|error|errors|require\w*|enabled?|manager|provider|"
    r"service|class|format|algorithm|alg|method|mode|scope|scopes|header|prefix|suffix|host|server|"
    r"column|index|status|reset|change|input|form|page|placeholder|limit|usage|generator|validator|"
    r"handler)s?)[\"'`\]\\)]*$",
    re.IGNORECASE,
)
# What a key may be besides a secret: of a keyboard, of a table, of a film.
_OTHER_KEY = re.compile(
    r"[_.-]?(?:down|up|press|frame|board|selector|mesh|hash|event|word|note|stroke|store|chain|ring|value|pair|size|"
    r"length|alias|code|left|right|vault|usage|stone|typed|signature|of|in|by|for)",
    re.IGNORECASE,
)
_OPEN_KEY = re.compile(
    r"(?:public|pub|foreign|primary|natural|partition|sort|bucket|cache|schema|idx|hot|tur|mon|don|hoc|"
    r"key|row|hash|composite|unique|sequence|translation|i18n|message|object|s3|query|by|next|page|react|"
    r"json|dict|map|registry|config|group|short|arrow|tab|enter|any|each|first|last|shift|ctrl|alt|function)[_.-]?$",
    re.IGNORECASE,
)
_OPEN_TOKEN = re.compile(
    r"(?:public|csrf|xsrf|authenticity|antiforgery|next|page|continuation|sync|design|max)[_.-]?$", re.IGNORECASE
)
_CODE = re.compile(
    r"[\w$]+(?:\.[\w$]+)*\(|^[\w$]+(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+$|^[A-Za-z_]+\[|^&?\w+;$|^[A-Z]+(?:_[A-Z]+)+=?$|"
    r"^\{0x|^0x[0-9A-Fa-f]+$"
)
_PATH = re.compile(
    r"^(?:[a-z]+://|\d{1,3}(?:\.\d{1,3}){3}|\.{0,2}/|~/|[A-Za-z]:\\|@[\w/]+$)|^[\w./-]+\.(?:py|js|ts|go|java|json|ya?ml|pem|key|"
    r"crt|txt|xml|html?)$"
)
_WORD = re.compile(r"[^\W\d_]+(?:[-_ .'’/][^\W\d_]+)*[.!?,;:]?")
_TYPE = re.compile(
    r"^(?:true|false|none|null|nil|undefined|required|optional|string|str|int|bool|object|any|yes|no)$", re.I
)


def _password_like(value: str, quoted: bool) -> bool:
    letters = any(c.isalpha() for c in value)
    digits = any(c.isdigit() for c in value)
    signs = any(not c.isalnum() and c not in "_-. " for c in value)
    if len(value) > 64 and not is_random(value):
        return False
    if " " in value.strip() or not 4 <= len(value) <= 300:
        return False
    if not (letters and (digits or signs)):
        return is_random_case(value) or (quoted and digits and not letters and len(value) >= 6)
    if digits and letters:
        return len(value) >= (4 if quoted or signs else 6)
    return quoted and len(value) >= 6 and signs


def _token_like(value: str) -> bool:
    if is_uuid(value):
        return True
    if not 8 <= len(value) <= 20_000 or " " in value:
        return False
    body = value.rstrip("=")
    if body.isdigit():
        return len(body) >= 15
    digits = sum(c.isdigit() for c in body)
    if body.isalnum() and len(body) >= 16 and digits:
        return is_random(body, 2.7) or digits >= 3
    if is_random_case(body):
        return len(body) >= 16
    return is_random(body, 2.9)


def _value(text: str, at: int) -> tuple[int, int, bool] | None:
    """Start and end of the value that begins at `at`, and whether it stands in quotes."""
    match = _QUOTED.match(text, at)
    if match:
        return (*match.span("value"), True)
    match = _BRACKETED.match(text, at) if "<" in text else None
    opened = _OPENED.match(text, at)
    match = match or _UNQUOTED.match(text, opened.end() if opened else at)
    if match is None:
        return None
    trimmed = _TRAILING.sub("", match.group())
    # Three dots stand for the rest of the key: somebody shortened it for show.
    if match.group().endswith(("...", "…")):
        return None
    return match.start(), match.start() + len(trimmed), False


def _names_something_else(text: str, start: int, end: int, rest: str) -> bool:
    before = text[max(0, start - 16) : start]
    cue = text[start:end].lower()
    if cue.endswith("key") and _OTHER_KEY.match(rest):
        return True
    if _NOT_HELD.search(rest):
        return True
    for kind, known in (("key", _OPEN_KEY), ("token", _OPEN_TOKEN)):
        if cue.endswith(kind) and known.search(before + cue.removesuffix(kind)):
            return True
    return False


def accept(value: str, password: bool, quoted: bool) -> bool:
    """Whether a value may be what its cue says: a password (or else a token), written in quotes or not."""
    if _TYPE.match(value) or is_example(value) or _PATH.search(value) or (not quoted and _CODE.search(value)):
        return False
    if _WORD.fullmatch(value) and not is_random_case(value):
        return False
    return _password_like(value, quoted) if password else _token_like(value)


_CERTAINLY_RANDOM, _RANDOM_ENOUGH = 20, 12
# `--token …` of a command is an assignment.
_OPTION = re.compile(r"(?<![^\s\"'`(])-{1,2}[\w-]{0,30}\Z")
_LONG = 200


def _mixed(value: str) -> bool:
    return value[:1] != "(" and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


# What `kind: SealedSecret` holds is encrypted for one cluster and made to be committed.
_SEALED = re.compile(r"A[gQ][A-D][A-Za-z0-9+/]{60,}={0,2}")


def assigned(scan: Scan) -> Iterator[Span]:
    """Values given to something called password, token, key, …; rule secret.password or secret.assigned."""
    text = scan.text
    low = text.lower()
    if not any(hint in low for hint in _HINTS) and (low.isascii() or not _FOREIGN.search(low)):
        return
    examined, sealed = 0, "SealedSecret" in text
    for cue in _CUE.finditer(text):
        if cue.start() < examined:
            continue
        password = cue.lastgroup == "password"
        rest = _REST.match(text, cue.end())
        tail = rest.group() if rest else ""
        if _names_something_else(text, cue.start(), cue.end(), tail):
            continue
        for name_end in {cue.end() + len(tail), cue.end()}:
            sign = _SIGN.match(text, name_end) or _PROSE.match(text, name_end)
            plain = False
            if sign is None and tail.strip("\"'`") == "":
                sign = _BLANK.match(text, name_end)
                plain = True
            if sign is None:
                continue
            at = sign.end()
            default = _DEFAULT.match(text, at)
            at = default.end() if default else at
            literal = _LITERAL.match(text, at)
            at = literal.end() if literal else at
            scheme = _SCHEME.match(text, at)
            if scheme:
                at = scheme.end()
            place = _value(text, at)
            if place is None:
                continue
            start, end, quoted = place
            named = _NAMED_WITHIN.match(text, start, end)
            start = named.end() if named else start
            value = text[start:end]
            # A long value is read once, however many cue words it holds.
            if end - start > _LONG:
                examined = end
            if "," in sign.group() and _NEXT_NAME.match(text, end):
                continue
            # With nothing but a blank between, "token" and "key" are nouns of the sentence more often than names.
            if plain and not quoted:
                option = _OPTION.search(text, max(0, cue.start() - 40), cue.start())
                least = 0 if password else _RANDOM_ENOUGH if option else _CERTAINLY_RANDOM
                if not _mixed(value) or len(value) < least:
                    continue
            if sealed and _SEALED.match(value):
                continue
            short = quoted and cue.group().lower() == "secret"
            if accept(value, password or short, quoted):
                yield Span(start, end, "SECRET", "secret.password" if password else "secret.assigned")
                break
