"""One request on its way: everything the router learns about it, in memory, until the last receipt is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from lancelot.chat import Answer, ChatRequest, Usage
from lancelot.config import Config
from lancelot.providers.base import Deadline
from lancelot.redaction.redactor import RedactedRequest
from lancelot.routing.assessment import Assessment
from lancelot.routing.context import RequestContext
from lancelot.routing.decision import Decision
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import RoutingPolicy
from lancelot.routing.ports import Reservation
from lancelot.store.receipts import Latency, new_id

__all__ = ["Attempt", "Journey", "RoutedResponse", "milliseconds_since"]

Status = Literal["ok", "error", "cancelled", "parked", "blocked"]


def milliseconds_since(start: float) -> float:
    """Milliseconds since a time.perf_counter() value."""
    return (time.perf_counter() - start) * 1000


@dataclass(slots=True)
class Attempt:
    """One call of one brain; one receipt."""

    lane: Lane
    number: int
    model: str | None
    provider: str
    egress: Literal["none", "loopback", "remote"]
    parent_id: str | None
    reasons: list[str]
    reservation: Reservation
    limit: int | None = None  # tokens of the answer, where a budget's rest covers no more and the caller named no limit
    id: str = field(default_factory=new_id)
    began: float = field(default_factory=time.perf_counter)
    status: Status = "ok"
    error_code: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = None
    price_version: str | None = None
    sent_sha256: str | None = None
    first_token_ms: float | None = None
    provider_ms: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    recorded: bool = False


@dataclass(slots=True)
class Journey:
    """The request with all that has been found out; never stored as it is."""

    context: RequestContext
    chat: ChatRequest
    config: Config
    policy: RoutingPolicy
    deadline: Deadline
    began: float
    redacted: RedactedRequest
    assessment: Assessment
    decision: Decision
    forced: Lane | None
    allowed: frozenset[Lane] | None
    scored: Callable[[], Assessment] | None = None  # completes an assessment that could decide without a score
    redaction_ms: float = 0.0
    decision_ms: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    warning: str | None = None
    approval_id: str | None = None
    upcoming: Decision | None = None  # what follows the newest attempt; None ends the journey

    @property
    def request_id(self) -> str:
        return self.context.request_id

    @property
    def policy_name(self) -> str:
        return self.redacted.policy

    @property
    def last(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    def complete_assessment(self) -> None:
        """Work out a score that was put off; its reasons come before those given so far."""
        if self.scored is None:
            return
        self.assessment, self.scored = self.scored(), None
        more = self.assessment.reasons
        self.decision = replace(self.decision, reasons=(*more, *self.decision.reasons))
        for attempt in self.attempts:
            attempt.reasons[:0] = more

    def spent_usd(self) -> Decimal:
        """Known cost of all attempts so far."""
        return sum((attempt.cost_usd for attempt in self.attempts if attempt.cost_usd is not None), Decimal(0))

    def total_cost(self) -> Decimal | None:
        """US dollars of all attempts together; None when a part of it is unknown."""
        if any(attempt.cost_usd is None for attempt in self.attempts):
            return None
        return self.spent_usd()

    def latency(self) -> Latency:
        """Where the time of the newest attempt went, in milliseconds."""
        first = len(self.attempts) <= 1
        attempt = self.attempts[-1] if self.attempts else None
        return Latency(
            redaction_ms=round(self.redaction_ms, 3) if first else None,
            decision_ms=round(self.decision_ms, 3) if first else None,
            provider_ms=None if attempt is None or attempt.provider_ms is None else round(attempt.provider_ms, 3),
            first_token_ms=None if attempt is None else attempt.first_token_ms,
            total_ms=round(milliseconds_since(self.began), 3),
        )


@dataclass(frozen=True, slots=True)
class RoutedResponse:
    """One routed answer, originals restored, with what its receipt says.

    Attributes:
        receipt_id: of the attempt that answered; `request_id` leads to all of them.
        redactions: personal data found, {label: count}.
        cost_usd: of all attempts together; None when a part of it is unknown.
        warning: set when something is not as it should be although the answer is good (a missing receipt).
    """

    answer: Answer
    lane: Lane
    reasons: list[str]
    receipt_id: str
    request_id: str
    redactions: dict[str, int]
    usage: Usage
    cost_usd: Decimal | None
    latency: Latency
    model: str
    provider: str
    task: str
    risk: str
    attempts: int = 1
    warning: str | None = None
