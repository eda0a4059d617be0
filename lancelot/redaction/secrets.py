"""Keys, tokens and passwords: by the shapes their makers publish, by the words in front of them."""

from __future__ import annotations

import re

from lancelot.redaction.labels import Span

__all__ = ["find"]

_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|"
    r"glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|sk-(?:ant-|proj-|or-v1-)?[\w-]{20,}|(?:sk|rk|pk)_(?:live|test)_\w{16,}|"
    r"AIza[\w-]{35}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{16,}\.[\w-]{16,})(?![A-Za-z0-9])"
)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?")
_PEM = re.compile(
    r"-----BEGIN[A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)", re.S
)
_ASSIGNED = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret(?:[_-]?key)?|api[_-]?key|access[_-]?key|auth[_-]?token|token|client[_-]?secret)"
    r"[\"'\]]?\s*(?::=|=>|[:=]|\bis\b)\s*(?:bearer\s+)?[\"'`]?((?=[^\s\"'`]*\d)(?=[^\s\"'`]*[A-Za-z])"
    r"[^\s\"'`<>(){}\[\],;&]{8,})",
    re.IGNORECASE,
)


def find(text: str) -> list[Span]:
    """Every secret found, unordered; rule secret.pem, secret.jwt, secret.prefix or secret.assigned."""
    found = [Span(m.start(), m.end(), "SECRET", "secret.prefix") for m in _PREFIXED.finditer(text)]
    if "eyJ" in text:
        found += [Span(m.start(), m.end(), "SECRET", "secret.jwt") for m in _JWT.finditer(text)]
    if "-----BEGIN" in text:
        found += [Span(m.start(), m.end(), "SECRET", "secret.pem") for m in _PEM.finditer(text)]
    found += [Span(m.start(1), m.end(1), "SECRET", "secret.assigned") for m in _ASSIGNED.finditer(text)]
    return found
