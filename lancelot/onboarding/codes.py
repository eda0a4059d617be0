"""Verification codes: six digits, single use, ten minutes, five attempts, kept only as a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from pydantic import BaseModel, ConfigDict

from lancelot.errors import BadInput, Conflict
from lancelot.onboarding.clocks import Moment, elapsed, went_backwards

__all__ = [
    "ATTEMPTS",
    "LIFETIME_S",
    "RESENDS",
    "RESEND_GAP_S",
    "CodeRecord",
    "clean_code",
    "expired",
    "is_right",
    "lifetime_left",
    "new_code",
    "no_code_error",
    "seal",
]

LIFETIME_S = 600.0
ATTEMPTS = 5
RESENDS = 3
RESEND_GAP_S = 60.0


class CodeRecord(BaseModel):
    """What is kept of an issued code: a keyed hash, never the digits. `channel` is the fingerprint of where it went
    (empty for the local channel); a code counts for no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sealed: str
    salt: str
    channel: str
    issued: Moment


def new_code() -> str:
    """Six digits from the system's random source, leading zeros included."""
    return f"{secrets.randbelow(1_000_000):06d}"


def seal(code: str, key: bytes, issued: Moment, channel: str = "") -> CodeRecord:
    """The record of a code: HMAC-SHA-256 with the per-install key over a fresh salt, the channel and the digits."""
    salt = secrets.token_hex(8)
    return CodeRecord(sealed=_digest(code, key, salt, channel), salt=salt, channel=channel, issued=issued)


def _digest(code: str, key: bytes, salt: str, channel: str) -> str:
    return hmac.new(key, f"code|{salt}|{channel}|{code}".encode(), hashlib.sha256).hexdigest()


def is_right(record: CodeRecord, code: str, key: bytes) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(record.sealed, _digest(code, key, record.salt, record.channel))


def lifetime_left(record: CodeRecord, now: Moment) -> float:
    """Seconds the code still counts, 0..600. A clock set back over a reboot ends it: it can never outlive its time."""
    if went_backwards(record.issued, now):
        return 0.0
    return max(0.0, LIFETIME_S - elapsed(record.issued, now))


def expired(record: CodeRecord, now: Moment) -> bool:
    return lifetime_left(record, now) <= 0


def clean_code(typed: str) -> str:
    """The six digits a person typed, with blanks and dashes taken out; a typing slip never costs an attempt.

    Raises:
        BadInput: it is not six digits; code `code_malformed`.
    """
    digits = re.sub(r"[\s-]", "", typed)
    if not re.fullmatch(r"[0-9]{6}", digits):
        raise BadInput(
            "A code has exactly six digits.",
            hint="Type the six digits you received; this did not count as an attempt.",
            code="code_malformed",
        )
    return digits


def no_code_error() -> Conflict:
    """The error for a code that is no longer, or not yet, there to compare with."""
    return Conflict(
        "There is no valid code to compare with: it has expired, or none was sent yet.",
        hint="RESEND CODE sends a new one; this did not count as an attempt.",
        code="code_expired",
    )
