"""router.yaml: the policy. What is hidden, what stays here, what escalates, what it may cost."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from lancelot.config_yaml import Money, Real, Strict

__all__ = [
    "Action",
    "AllowEntry",
    "BreakerConfig",
    "Budget",
    "BudgetsConfig",
    "EscalationConfig",
    "GatewayConfig",
    "KeepLocalRule",
    "LaneRule",
    "ParkRule",
    "PowerConfig",
    "PressureConfig",
    "RedactionConfig",
    "RedactionPolicy",
    "RiskRule",
    "RouterConfig",
    "ThresholdsConfig",
]

Action = Literal["mask", "hash", "keep", "block"]
LaneName = Literal["local", "fast", "deep"]
Risk = Literal["low", "medium", "high"]
SpanLabel = Literal[
    "PERSON", "EMAIL", "PHONE", "ADDRESS", "LOCATION", "ORG", "ID", "CARD", "IBAN", "IP", "URL", "DATE",
    "DATE_OF_BIRTH", "USERNAME", "SECRET",
]  # fmt: skip
EscalateOn = Literal[
    "error", "refusal", "empty", "truncated", "schema_invalid", "disagreement", "follow_up"
]  # fmt: skip


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as problem:
        raise ValueError(f"not a regular expression: {problem}") from None
    return value


class AllowEntry(Strict):
    """A text that is never hidden, and why. Exactly one of value and pattern."""

    value: str | None = Field(default=None, min_length=1)
    """The exact text (upper and lower case are the same)."""
    pattern: str | None = Field(default=None, min_length=1)
    """A regular expression that must match the whole found text."""
    reason: str = Field(min_length=1)
    """Why it may leave; shown beside every use."""

    @model_validator(mode="after")
    def _one(self) -> AllowEntry:
        if (self.value is None) == (self.pattern is None):
            raise ValueError("give exactly one of value and pattern")
        if self.pattern is not None:
            _pattern(self.pattern)
        return self


class RedactionPolicy(Strict):
    """What happens to each kind of finding before anything leaves."""

    actions: dict[SpanLabel, Action] = Field(default_factory=dict)
    """mask: placeholder, restored in the answer; hash: one-way; keep: leaves as is; block: the request is refused."""
    default_action: Action = "mask"
    """For labels that are not named under actions."""
    allow: list[AllowEntry] = Field(default_factory=list)
    """Texts that may leave, each with its reason."""
    files: Literal["block", "pass"] = "block"
    """Images and files that cannot be inspected."""
    public_urls: Literal["keep", "mask"] = "mask"
    """Addresses without credentials, tokens or a private host."""

    def action(self, label: str) -> Action:
        """What to do with a finding of this label."""
        return self.actions.get(label, self.default_action)  # type: ignore[call-overload,no-any-return]


def _default_policies() -> dict[str, RedactionPolicy]:
    masked: tuple[SpanLabel, ...] = (
        "PERSON", "EMAIL", "PHONE", "ADDRESS", "ID", "CARD", "IBAN", "IP", "DATE_OF_BIRTH", "USERNAME", "SECRET", "URL",
    )  # fmt: skip
    actions: dict[SpanLabel, Action] = dict.fromkeys(masked, "mask")
    actions |= {"DATE": "keep", "LOCATION": "keep", "ORG": "keep"}
    return {"default": RedactionPolicy(actions=actions, public_urls="keep"), "strict": RedactionPolicy()}


class RedactionConfig(Strict):
    """The policies a request may be redacted with; `default` and `strict` always exist."""

    policies: dict[str, RedactionPolicy] = Field(default_factory=_default_policies)
    """By name."""
    conversation_ttl_s: int = Field(default=3600, ge=1)
    """Seconds the placeholders of a conversation are remembered, in memory only."""
    conversations: int = Field(default=1000, ge=1)
    """Most conversations remembered at once."""

    @model_validator(mode="after")
    def _both(self) -> RedactionConfig:
        for name in ("default", "strict"):
            if name not in self.policies:
                raise ValueError(f"the policy `{name}` is missing")
        return self


class ThresholdsConfig(Strict):
    """Where a score turns into a lane. All between 0 and 1."""

    deep_score: Real = Field(default=0.5, ge=0, le=1)
    """From this score on a request goes deep."""
    unknown_lane: Literal["fast", "deep"] = "fast"
    """Where a request goes whose score is unknown."""
    local: Real = Field(default=0.12, ge=0, le=1)
    """Under this score a request the local model may answer stays local."""
    cascade: Real = Field(default=0.5, ge=0, le=1)
    """From this score on an answer escalates on its failure signals."""
    local_confidence: Real = Field(default=0.8, ge=0, le=1)
    """The least confidence at which the local model may answer by itself."""
    classify_confidence: Real = Field(default=0.5, ge=0, le=1)
    """Under this confidence the local classification counts as unknown."""
    prior_min_history: int = Field(default=20, ge=1)
    """Outcomes of a task type needed before its history counts."""
    prior_weight: Real = Field(default=0.5, ge=0, le=1)
    """How much the history of a task type weighs against the request's own features."""


class KeepLocalRule(Strict):
    """A request that matches never leaves this machine."""

    pattern: str = Field(min_length=1)
    """Regular expression over the request's text; upper and lower case are the same."""
    reason: str = Field(min_length=1)
    """Shown in the receipt."""
    name: str = "operator"
    """Name in the receipt."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return _pattern(value)


class LaneRule(Strict):
    """The operator's own choice of lane; keep-local and risk rules still outrank it."""

    name: str = Field(min_length=1)
    """Name in the receipt."""
    lane: LaneName
    """Where a match goes."""
    pattern: str | None = None
    """Regular expression over the request's text; upper and lower case are the same."""
    tasks: list[str] = Field(default_factory=list)
    """Task types that match; empty is any."""

    @model_validator(mode="after")
    def _means_something(self) -> LaneRule:
        if self.pattern is not None:
            _pattern(self.pattern)
        if not (self.pattern or self.tasks):
            raise ValueError("a lane rule needs a pattern or tasks")
        return self


class RiskRule(Strict):
    """A rule of the operator's own beside the built-in ones."""

    name: str = Field(min_length=1)
    """Name in the receipt."""
    pattern: str = Field(min_length=1)
    """Regular expression over the request's text; upper and lower case are the same."""
    risk: Risk = "high"
    """The risk a match means."""
    reason: str = ""
    """Shown in the receipt."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return _pattern(value)


class ParkRule(Strict):
    """A request that matches every given condition waits for a person."""

    name: str = Field(min_length=1)
    """Name in the approval."""
    reason: str = Field(min_length=1)
    """Why a person has to look."""
    pattern: str | None = None
    """Regular expression over the request's redacted text."""
    risk: list[Risk] = Field(default_factory=list)
    """Risks that park; empty is any."""
    tasks: list[str] = Field(default_factory=list)
    """Task types that park; empty is any."""
    tools: list[str] = Field(default_factory=list)
    """Names of offered tools that park (`*` matches any end); empty is any."""
    lanes: list[LaneName] = Field(default_factory=list)
    """Lanes that park; empty is any."""

    @model_validator(mode="after")
    def _means_something(self) -> ParkRule:
        if self.pattern is not None:
            _pattern(self.pattern)
        if not (self.pattern or self.risk or self.tasks or self.tools or self.lanes):
            raise ValueError("a park rule needs at least one condition")
        return self


class Budget(Strict):
    """Limits of one purse; None is no limit. Days and months are UTC."""

    daily_usd: Money | None = Field(default=None, ge=0)
    """US dollars a day."""
    monthly_usd: Money | None = Field(default=None, ge=0)
    """US dollars a month."""
    daily_tokens: int | None = Field(default=None, ge=0)
    """Tokens a day, in and out together; traffic without a price counts here."""
    monthly_tokens: int | None = Field(default=None, ge=0)
    """Tokens a month, in and out together; traffic without a price counts here."""


class PressureConfig(Strict):
    """Shares of a budget at which the dial turns; the local lane is never blocked."""

    narrow_deep: Real = Field(default=0.7, ge=0, le=1)
    """From here on deep is only for what needs it."""
    no_deep: Real = Field(default=0.85, ge=0, le=1)
    """From here on fast answers in deep's place."""
    narrow_fast: Real = Field(default=0.95, ge=0, le=1)
    """From here on what local can answer stays local."""

    @model_validator(mode="after")
    def _in_order(self) -> PressureConfig:
        if not self.narrow_deep <= self.no_deep <= self.narrow_fast:
            raise ValueError("narrow_deep, no_deep and narrow_fast must not fall")
        return self


class BudgetsConfig(Strict):
    """Money and token budgets in total, per lane and per application key."""

    total: Budget = Field(default_factory=Budget)
    """Everything together."""
    lanes: dict[Literal["fast", "deep"], Budget] = Field(default_factory=dict)
    """By lane."""
    keys: dict[str, Budget] = Field(default_factory=dict)
    """By application key (its public id or name)."""
    default_key: Budget = Field(default_factory=Budget)
    """For application keys that are not named."""
    pressure: PressureConfig = Field(default_factory=PressureConfig)
    """When the dial turns."""


class EscalationConfig(Strict):
    """What sends an answer up one lane."""

    on: list[EscalateOn] = Field(default_factory=lambda: list(get_args(EscalateOn)))
    """Signals that escalate."""


class BreakerConfig(Strict):
    """When a lane is left alone for a while."""

    failures: int = Field(default=5, ge=1)
    """Failures in a row, or within the window, that open it."""
    window_s: Real = Field(default=60.0, gt=0)
    """Seconds over which failures count."""
    cooldown_s: Real = Field(default=15.0, gt=0)
    """Seconds it stays open the first time; doubles up to max_cooldown_s."""
    max_cooldown_s: Real = Field(default=300.0, gt=0)
    """Longest it stays open, in seconds."""


class PowerConfig(Strict):
    """What local inference costs; without it the local lane's money is unknown, its tokens are still counted."""

    usd_per_kwh: Money | None = Field(default=None, ge=0)
    """Price of power."""
    watts: Money | None = Field(default=None, ge=0)
    """Draw of this machine while it infers."""


class GatewayConfig(Strict):
    """Limits of the OpenAI-compatible gateway."""

    max_body_bytes: int = Field(default=10_000_000, ge=1_000)
    """Largest request body."""
    max_concurrent: int = Field(default=64, ge=1)
    """Requests at work at once, all keys together."""
    max_queued: int = Field(default=256, ge=0)
    """Requests that may wait; more get 429."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """A key's rate; None is no limit."""


class RouterConfig(Strict):
    """The router's whole policy."""

    version: Literal[1] = 1
    """Version of this file's form."""
    redaction: RedactionConfig = Field(default_factory=RedactionConfig)
    """Policies of what leaves."""
    redaction_mode: Literal["fast", "thorough", "rules"] = "fast"
    """fast: detectors and tagger; thorough: the local model's spans too; rules: detectors alone."""
    redaction_policy: str = "default"
    """The policy used when the request names none."""
    previews: bool = False
    """Keep a redacted preview of each request in its receipt."""
    classify: bool = True
    """Ask the local model for the kind of request."""
    classify_budget_ms: int = Field(default=60, ge=0)
    """Longest wait for that answer, in milliseconds; then it is decided without."""
    thresholds: ThresholdsConfig = Field(default_factory=ThresholdsConfig)
    """Scores and confidences."""
    keep_local: list[KeepLocalRule] = Field(default_factory=list)
    """Patterns that must never leave, beside the built-in ones."""
    blocked_labels: list[SpanLabel] = Field(default_factory=list)
    """Kinds of personal data that keep a request on this machine even though they would be masked."""
    risk_rules: list[RiskRule] = Field(default_factory=list)
    """The operator's risk rules, beside the built-in ones."""
    lane_rules: list[LaneRule] = Field(default_factory=list)
    """The operator's own choices of lane."""
    park: list[ParkRule] = Field(default_factory=list)
    """Requests that wait for a person."""
    local_answers: list[str] = Field(
        default_factory=lambda: ["classify", "extract", "summarize", "redact", "rewrite", "greeting"]
    )
    """Task types the local model may answer by itself."""
    compare_local: bool = False
    """Let the local model answer too where it can; disagreement escalates."""
    escalation: EscalationConfig = Field(default_factory=EscalationConfig)
    """What sends an answer up one lane."""
    max_attempts: int = Field(default=3, ge=1, le=10)
    """Most brains one request may ask."""
    max_cost_usd_per_request: Money | None = Field(default=Decimal("1.00"), ge=0)
    """Most one request may cost, all attempts together; None is no limit."""
    deadline_s: Real = Field(default=120.0, gt=0, le=3600)
    """Seconds a request may take, retries included."""
    utility_deadline_s: Real = Field(default=30.0, gt=0, le=3600)
    """Seconds a utility task of the local model may take where the caller names none; never over `deadline_s`."""
    budgets: BudgetsConfig = Field(default_factory=BudgetsConfig)
    """Money and tokens."""
    breaker: BreakerConfig = Field(default_factory=BreakerConfig)
    """When a lane is left alone."""
    power: PowerConfig = Field(default_factory=PowerConfig)
    """What local inference costs."""
    gateway: GatewayConfig = Field(default_factory=GatewayConfig)
    """Limits of the gateway."""

    @model_validator(mode="after")
    def _policy_exists(self) -> RouterConfig:
        if self.redaction_policy not in self.redaction.policies:
            raise ValueError(f"redaction_policy names `{self.redaction_policy}`, which is not under redaction.policies")
        return self
