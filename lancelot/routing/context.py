"""What is known of a request beside its text: who sends it, under which policy, with which limits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lancelot.store.receipts import new_id

__all__ = ["RequestContext"]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request's surroundings; every field has a default that changes nothing.

    Attributes:
        request_id: UUIDv7 shared by all receipts of the request.
        key_id: the application key's public id; None is the operator.
        lanes: names of the lanes the key may use; None is all.
        conversation: the caller's own name for the conversation; stored hashed only.
        policy: name of the redaction policy; None is the configuration's.
        mode: redaction mode (fast, thorough, rules); None is the configuration's.
        keep_local: the caller itself asks that nothing leaves.
        signals: what an earlier attempt outside the router showed ({"sig_weak_parsed": 1, …}).
        deadline_s: seconds for the whole request; None is the configuration's.
        idempotency_key: names the request across repeats (approvals).
        wait_s: seconds to wait for a person before answering "approval needed".
    """

    request_id: str = field(default_factory=new_id)
    key_id: str | None = None
    lanes: tuple[str, ...] | None = None
    conversation: str | None = None
    policy: str | None = None
    mode: str | None = None
    keep_local: bool = False
    signals: Mapping[str, Any] | None = None
    deadline_s: float | None = None
    idempotency_key: str | None = None
    wait_s: float = 0.0

    def conversation_hash(self) -> str | None:
        """16 hex digits of SHA-256 of key and conversation name."""
        if self.conversation is None:
            return None
        return hashlib.sha256(f"{self.key_id}\0{self.conversation}".encode()).hexdigest()[:16]
