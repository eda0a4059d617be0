"""Texts, requests and finders that the redaction tests share. Every person, key and number in them is invented."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from lancelot.redaction.finding import Finder
from lancelot.redaction.labels import Span
from lancelot.redaction.redactor import Redactor

NAMES = ("Alice Youngblood", "Zoë Keller", "Jürgen Öztürk", "Priya", "O'Hara", "Tanisha")
FRAGMENTS = (
    *NAMES,
    "priya",
    "TANISHA",
    "billing@example.com",
    "Billing@Example.com",
    "zoe.keller+x@mail.example.org",
    "+1 415 555 0132",
    "4111 1111 1111 1111",
    "4111111111111111",
    "DE89 3702 0000 0532 0130 00",
    "10.20.30.40",
    "password=hunter2-Zq81",
    "https://bob:s3cretpw@host.example/x?token=abcd1234efgh",
    "<EMAIL_1>",
    "<EMAIL_2>",
    "<email_1>",
    "< Person 1 >",
    "EMAIL_1",
    "PERSON_1",
    "redacted_PERSON_1",
    "redacted_email_2",
    "&lt;PERSON_1&gt;",
    "%3CPERSON_1%3E",
    "<EMAIL\\_1>",
    "EMAIL_",
    "<EMAIL",
    "<",
    ">",
    "1",
    "_1",
    '"',
    "\\",
    "\n",
    " ",
    ", ",
    "{",
    "}",
    "the invoice",
)

fragments = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from((" ", ". ")), st.text(max_size=6)), max_size=14
)
texts = fragments.map("".join)


class Names:
    """In place of the tagger: finds the names it is given, in the spelling it is given."""

    def __init__(self, names: Iterable[str] = NAMES, label: str = "PERSON") -> None:
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names))
        self._label = label

    def find(self, text: str) -> list[Span]:
        return [Span(m.start(), m.end(), self._label, "tagger") for m in self._pattern.finditer(text)]


def redactor(names: Iterable[str] = NAMES, **options: Any) -> Redactor:
    """Real detectors, and names from a list."""
    return Redactor(finder=Finder(Names(names)), **options)  # type: ignore[arg-type]


def redactor_with(*rules: Callable[[str], list[Span]], names: Iterable[str] = ("\0",), **options: Any) -> Redactor:
    """Only these rules, and names from a list (none by default)."""
    return Redactor(finder=Finder(Names(names), rules=rules), **options)  # type: ignore[arg-type]


def whole_token(needle: str, text: str) -> bool:
    """Whether needle stands in text without a letter or digit glued to an end that is one itself."""
    before = r"(?<![^\W_])" if needle[0].isalnum() else ""
    after = r"(?![^\W_])" if needle[-1].isalnum() else ""
    return re.search(before + re.escape(needle) + after, text) is not None
