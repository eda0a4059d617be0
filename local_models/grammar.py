"""Two small grammars: one line of JSON for a flat schema, and a list of spans that literally occur in a text.

Both are automata over bytes (see writing.Constraint). Keys, quotes and separators of the JSON are forced, so the model
only ever chooses values; what it writes is valid by construction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from local_models.grounding import dates_in, numbers_in
from local_models.layout import SPAN_TYPES

__all__ = ["FieldRule", "JsonLine", "SpanLines"]

LONGEST_STRING = 240  # bytes of one value
LONGEST_NUMBER = 20
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
NUMBER_BEGUN = re.compile(rb"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)?")
INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
INTEGER_BEGUN = re.compile(rb"-?(?:0|[1-9][0-9]*)?")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One value: string, date, number, integer, boolean or enum (values to choose from). null is always allowed."""

    name: str
    kind: str
    options: tuple[object, ...] = ()

    def words(self) -> list[bytes]:
        """The fixed values it may take."""
        fixed: list[object] = [None]
        if self.kind == "boolean":
            fixed += [True, False]
        if self.kind == "enum":
            fixed += list(self.options)
        return [json.dumps(value, ensure_ascii=False).encode() for value in fixed]


class JsonLine:
    """`{"a": 1, "b": null}` with the schema's keys in their order.

    source: the text read; then numbers must be among its numbers, strings pieces of it, dates its full dates (as
    YYYY-MM-DD) or pieces of it.
    """

    def __init__(self, fields: Sequence[FieldRule], source: str | None = None) -> None:
        self._fields = fields
        self._source = source.encode() if source is not None else None
        kinds = {rule.kind for rule in fields} if source is not None else set()
        self._numbers = [n.encode() for n in numbers_in(source or "")] if kinds & {"number", "integer"} else []
        self._dates = [d.encode() for d in dates_in(source or "")] if "date" in kinds else []
        self._at = 0  # field whose value comes next or is being written
        self._value: bytes | None = None  # None: the literal before it is being written
        self._literal = b"{" + _key(fields[0].name) if fields else b"{}"

    def forced(self) -> bytes:
        return self._literal if self._value is None else b""

    def allows(self, piece: bytes) -> bool:
        return self._walk(piece) is not None

    def accept(self, piece: bytes) -> None:
        state = self._walk(piece)
        assert state is not None
        self._at, self._value, self._literal = state

    def may_end(self) -> bool:
        return self._at >= len(self._fields) and not self._literal

    def finished(self) -> bool:
        return self.may_end()

    def closing(self) -> bytes:
        """What is missing to make the line valid when it has to end here: the open value closed, the others null."""
        at, value, missing = self._at, self._value, b""
        if value is None:
            missing += self._literal
        while at < len(self._fields):
            missing += _rest_of_value(value or b"", self._fields[at]) + self._after(at)
            at, value = at + 1, None
        return missing

    def _walk(self, piece: bytes) -> tuple[int, bytes | None, bytes] | None:
        at, value, literal = self._at, self._value, self._literal
        for byte in piece:
            if value is not None:
                longer = value + bytes([byte])
                if self._begins(at, longer):
                    value = longer
                    if self._closed(at, value):
                        at, value, literal = at + 1, None, self._after(at)
                    continue
                if not self._ends(at, value):
                    return None
                at, value, literal = at + 1, None, self._after(at)
            if not literal or literal[0] != byte:
                return None
            literal = literal[1:]
            if not literal and at < len(self._fields):
                value = b""
        return at, value, literal

    def _after(self, at: int) -> bytes:
        return b"," + b" " + _key(self._fields[at + 1].name) if at + 1 < len(self._fields) else b"}"

    def _begins(self, at: int, value: bytes) -> bool:
        """Whether value can grow into an allowed one. Each value brings the space before it."""
        if value == b" ":
            return True
        if not value.startswith(b" "):
            return False
        body, rule = value[1:], self._fields[at]
        if any(word.startswith(body) for word in rule.words()):
            return True
        if rule.kind in ("string", "date"):
            return _string_begun(body) and self._said(rule, body)
        if self._source is not None:
            return self._number(rule, body, whole=False)
        if len(body) > LONGEST_NUMBER and NUMBER.fullmatch(body[:-1]):
            return False
        if rule.kind == "number":
            return NUMBER_BEGUN.fullmatch(body) is not None
        return rule.kind == "integer" and INTEGER_BEGUN.fullmatch(body) is not None

    def _closed(self, at: int, value: bytes) -> bool:
        """Whether value is complete and cannot grow."""
        body, rule = value[1:], self._fields[at]
        if body in rule.words():
            return rule.kind != "enum" or not any(w != body and w.startswith(body) for w in rule.words())
        return rule.kind in ("string", "date") and len(body) > 1 and _string_closed(body)

    def _ends(self, at: int, value: bytes) -> bool:
        body, rule = value[1:], self._fields[at]
        if body in rule.words():
            return True
        if self._source is not None:
            return self._number(rule, body, whole=True)
        if rule.kind == "number":
            return NUMBER.fullmatch(body) is not None
        return rule.kind == "integer" and INTEGER.fullmatch(body) is not None

    def _number(self, rule: FieldRule, body: bytes, *, whole: bool) -> bool:
        if rule.kind not in ("number", "integer"):
            return False
        known = (n for n in self._numbers if rule.kind == "number" or b"." not in n)
        return any(n == body if whole else n.startswith(body) for n in known)

    def _said(self, rule: FieldRule, body: bytes) -> bool:
        """Whether a string (its closing quote may be there) is a piece of the source or one of its dates."""
        if self._source is None:
            return True
        inside, closed = _string_state(body[1:])
        raw = (inside or b"")[:-1] if closed else (inside or b"")
        if b"\\" in raw:
            raw = _unescaped(raw)
        if rule.kind == "date" and any(d == raw if closed else d.startswith(raw) for d in self._dates):
            return True
        return raw in self._source and (not closed or bool(raw.strip()))


def _unescaped(raw: bytes) -> bytes:
    """What an escaped string stands for; an open escape at its end is left out."""
    if _open_escape(raw):
        raw = raw[:-1]
    table = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}
    return re.sub(rb"\\(.)", lambda match: table.get(match[1], match[1]), raw, flags=re.DOTALL)


def _rest_of_value(value: bytes, rule: FieldRule) -> bytes:
    if value in (b"", b" "):
        return b" null"[len(value) :]
    body = value[1:]
    if body.startswith(b'"') and rule.kind in ("string", "date"):
        return b'""' if _open_escape(body[1:]) else b'"'
    for word in rule.words():
        if word.startswith(body):
            return word[len(body) :]
    return b"" if NUMBER.fullmatch(body) else b"0"


def _key(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode() + b":"


def _string_begun(body: bytes) -> bool:
    """Whether body is the beginning of (or a whole) JSON string: no control characters, valid escapes, valid UTF-8."""
    if not body.startswith(b'"'):
        return False
    inside, closed = _string_state(body[1:])
    if inside is None:
        return False
    if closed or len(body) <= LONGEST_STRING:
        return True
    before = body[1:-1]  # over the limit only what an open escape or character still needs
    return len(body) <= LONGEST_STRING + 4 and (not _utf8(before, whole=True) or _open_escape(before))


def _open_escape(inside: bytes) -> bool:
    return (len(inside) - len(inside.rstrip(b"\\"))) % 2 == 1


def _string_closed(body: bytes) -> bool:
    inside, closed = _string_state(body[1:])
    return inside is not None and closed


def _string_state(inside: bytes) -> tuple[bytes | None, bool]:
    escape = False
    for index, byte in enumerate(inside):
        if escape:
            if byte == ord("u"):
                return None, False  # \uXXXX could spell half a surrogate pair; plain characters say the same
            if chr(byte) not in '"\\/bfnrt':
                return None, False
            escape = False
        elif byte == ord("\\"):
            escape = True
        elif byte == ord('"'):
            whole = index == len(inside) - 1 and _utf8(inside[:index], whole=True)
            return (inside, True) if whole else (None, False)
        elif byte < 0x20:
            return None, False
    return (inside, False) if _utf8(inside, whole=False) else (None, False)


def _utf8(raw: bytes, *, whole: bool) -> bool:
    """Whether raw is UTF-8, or (not whole) can become it with further bytes."""
    try:
        raw.decode()
    except UnicodeDecodeError as broken:
        return not whole and broken.reason == "unexpected end of data"
    return True


class SpanLines:
    """`TYPE<tab>text` lines, each text a literal piece of the source, none twice; or NONE."""

    def __init__(self, source: str, types: Sequence[str] = SPAN_TYPES) -> None:
        self._source = source.encode()
        self._types = [name.encode() for name in types]
        self._line = b""
        self._lines: list[bytes] = []

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The complete lines so far as (type, text)."""
        whole = [*self._lines, self._line] if self._complete(self._line) else self._lines
        return [(kind, text) for kind, _, text in (line.decode("utf-8", "ignore").partition("\t") for line in whole)]

    def forced(self) -> bytes:
        return b""

    def allows(self, piece: bytes) -> bool:
        return self._walk(piece) is not None

    def accept(self, piece: bytes) -> None:
        state = self._walk(piece)
        assert state is not None
        self._lines, self._line = state

    def may_end(self) -> bool:
        return self._line == b"NONE" or self._complete(self._line) or (not self._line and bool(self._lines))

    def finished(self) -> bool:
        return self._line == b"NONE"

    def _complete(self, line: bytes) -> bool:
        kind, tab, text = line.partition(b"\t")
        if not tab or kind not in self._types or not text.strip():
            return False
        return line not in self._lines and _utf8(text, whole=True)

    def _walk(self, piece: bytes) -> tuple[list[bytes], bytes] | None:
        lines, line = self._lines, self._line
        for byte in piece:
            if byte == ord("\n"):
                if not self._complete(line) or line in lines:
                    return None
                lines, line = [*lines, line], b""
                continue
            line += bytes([byte])
            kind, tab, text = line.partition(b"\t")
            if tab:
                if kind not in self._types or text not in self._source:
                    return None
            elif not any((name + b"\t").startswith(kind) for name in self._types) and not (
                not lines and b"NONE".startswith(kind)
            ):
                return None
        return lines, line
