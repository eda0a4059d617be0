"""The receipt: what one attempt of one request was, why it went where it went, and what it cost. Never raw text."""

from __future__ import annotations

import os
import socket
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Latency", "Milliseconds", "Receipt", "host_name", "new_id"]

Milliseconds = Annotated[float, AfterValidator(lambda value: round(value, 3))]  # kept to the microsecond

Kind = Literal["request", "attempt", "utility", "approval", "budget", "event"]
Status = Literal["ok", "error", "cancelled", "parked", "blocked"]


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; sorts by time."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version 7
    value = value & ~(0x3 << 62) | 0x2 << 62  # RFC variant
    return str(uuid.UUID(int=value))


@cache
def host_name() -> str:
    """This machine's name, as receipts and the journal's chain carry it."""
    return socket.gethostname()


class Latency(BaseModel):
    """Where the time went, in milliseconds; None where a part did not happen."""

    model_config = ConfigDict(extra="forbid")

    redaction_ms: Milliseconds | None = None
    decision_ms: Milliseconds | None = None
    provider_ms: Milliseconds | None = None
    first_token_ms: Milliseconds | None = None
    total_ms: Milliseconds | None = None


class Receipt(BaseModel):
    """One line of the journal and one row of the database.

    A request that needed several brains leaves one receipt an attempt (`kind` attempt, `parent_id` the attempt before
    it, or None for the first); all share `request_id`.
    """

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default_factory=new_id)
    request_id: str
    parent_id: str | None = None
    kind: Kind = "attempt"
    host: str = Field(default_factory=host_name)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    key_id: str | None = None  # the application key's public id; None is the operator
    conversation_id: str | None = None  # hashed

    task: str | None = None
    lane: Literal["local", "fast", "deep"] | None = None
    provider: str | None = None
    model: str | None = None
    attempt: int = 1

    # the assessment's inputs and every rule that fired, in words
    assessment: dict[str, Any] = Field(default_factory=dict)
    reasons: list[str] = Field(default_factory=list)
    risk: Literal["low", "medium", "high", "unknown"] = "unknown"
    complexity: float | None = None  # 0..1, None is unknown
    deep_score: float | None = None  # 0..1, None is unknown

    # tokens as the provider reported them; None is "not said"
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int = 0
    tokens_cache_write: int = 0
    tokens_reasoning: int = 0
    cost_usd: Decimal | None = None  # None is "unknown", never zero
    price_version: str | None = None

    latency: Latency = Field(default_factory=Latency)
    status: Status = "ok"
    finish_reason: str | None = None
    error_code: str | None = None

    redactions: dict[str, int] = Field(default_factory=dict)  # {"EMAIL": 1}
    policy: str | None = None
    sent_sha256: str | None = None  # of the exact bytes that left
    sent_bytes: int | None = None
    egress: Literal["none", "loopback", "remote"] | None = None
    preview: str | None = None  # redacted text; only when configuration turns it on
    data: dict[str, Any] = Field(default_factory=dict)  # small facts of other kinds (decision, budget step, event)
