"""The nouns of approvals: what is asked, what was decided, and the rules that "always" makes. All text is redacted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lancelot.store.receipts import new_id

__all__ = ["TRANSITIONS", "Approval", "Ask", "Scope", "StandingRule", "State", "ToolCall", "now"]


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


class State(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    ALLOWED = "allowed"
    DENIED = "denied"
    EXPIRED = "expired"
    STARTED = "started"  # the one who asked has gone on; nobody may go on a second time
    DONE = "done"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.ALLOWED, State.DENIED, State.EXPIRED}),
    State.ALLOWED: frozenset({State.STARTED, State.EXPIRED}),
    State.STARTED: frozenset({State.DONE}),
    State.DENIED: frozenset(),
    State.EXPIRED: frozenset(),
    State.DONE: frozenset(),
}


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolCall(_Frozen):
    """A call that waits: the tool's name and its arguments, personal data masked."""

    name: str = Field(min_length=1, max_length=200)
    arguments: dict[str, Any] = Field(default_factory=dict)


class Ask(_Frozen):
    """What somebody wants to do, as it may be stored and shown (redacted by the one who asks).

    Attributes:
        who: who asks, in words ("agent invoice-bot", "key shop").
        what: one or a few sentences.
        fingerprint: a digest of the redacted request; a repeat under the same idempotency key must bear the same one.
        features: the assessment's numbers and names, for look-backs.
    """

    who: str = Field(default="operator", max_length=200)
    what: str = Field(min_length=1, max_length=4000)
    tools: tuple[ToolCall, ...] = ()
    risk: str = "unknown"
    reasons: tuple[str, ...] = ()
    task: str = "unknown"
    lane: str | None = None
    key_id: str | None = None
    rule: str | None = None
    idempotency_key: str | None = Field(default=None, max_length=200)
    fingerprint: str = ""
    request_id: str = Field(default_factory=new_id)
    features: dict[str, Any] = Field(default_factory=dict)


class Scope(_Frozen):
    """What a standing rule covers; every stated condition must hold, and at least one must be stated."""

    key_id: str | None = None
    rule: str | None = None
    tools: tuple[str, ...] = ()  # patterns, * for any characters; all tools of an ask must match one
    tasks: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()

    @field_validator("tools", "tasks", "risks", mode="before")
    @classmethod
    def _sequence(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    def is_empty(self) -> bool:
        """True when it would cover everything."""
        return not (self.key_id or self.rule or self.tools or self.tasks or self.risks)

    def covers(self, ask: Ask) -> bool:
        """Whether an ask falls under it."""
        return self.covers_facts(ask.key_id, ask.rule, [tool.name for tool in ask.tools], ask.task, ask.risk)

    def covers_facts(self, key_id: str | None, rule: str | None, tools: Sequence[str], task: str, risk: str) -> bool:
        """The same from stored facts: whose key, which rule stopped it, names of tools, kind and risk."""
        return (
            not self.is_empty()
            and (self.key_id is None or key_id == self.key_id)
            and (self.rule is None or rule == self.rule)
            and (not self.tasks or task in self.tasks)
            and (not self.risks or risk in self.risks)
            and (not self.tools or (bool(tools) and all(_any(name, self.tools) for name in tools)))
        )

    def words(self) -> str:
        """The scope as a sentence a person can judge."""
        parts = [
            f"key {self.key_id}" if self.key_id else "any key",
            f"stopped by rule {self.rule}" if self.rule else "",
            f"calling only {', '.join(self.tools)}" if self.tools else "",
            f"of kind {', '.join(self.tasks)}" if self.tasks else "",
            f"with risk {' or '.join(self.risks)}" if self.risks else "",
        ]
        return "Requests of " + ", ".join(part for part in parts if part) + "."


class StandingRule(BaseModel):
    """An "always": allows what its scope covers until it expires or its uses are up."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default_factory=new_id)
    scope: Scope
    created_at: datetime = Field(default_factory=now)
    created_by: str = "operator"
    note: str = ""
    expires_at: datetime
    max_uses: int = Field(ge=1)
    uses: int = 0
    revoked_at: datetime | None = None

    def alive(self, at: datetime) -> bool:
        """Whether it still allows anything."""
        return self.revoked_at is None and at < self.expires_at and self.uses < self.max_uses


class Approval(BaseModel):
    """One ask and what became of it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default_factory=new_id)
    ask: Ask
    state: State = State.PENDING
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str = ""
    edited: tuple[ToolCall, ...] | None = None  # the operator's changed arguments
    standing_rule: str | None = None

    def tools(self) -> tuple[ToolCall, ...]:
        """The calls to make: as edited, else as asked."""
        return self.ask.tools if self.edited is None else self.edited


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
