"""OnboardingSnapshot: everything the set-up must remember, as one versioned JSON document without a secret in it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lancelot.errors import LancelotError
from lancelot.onboarding.clocks import Moment
from lancelot.onboarding.cooldown import Guards
from lancelot.onboarding.states import State

__all__ = [
    "VERSION",
    "CheckOutcome",
    "CommsClaim",
    "ConsentClaim",
    "CredentialsClaim",
    "Flagship",
    "ModelClaim",
    "Notice",
    "OnboardingSnapshot",
    "Problem",
    "problem_of",
]

VERSION = 1
NOTICES_KEPT = 12


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Flagship(_Strict):
    """The one provider. `base_url` is set for a self-hosted one that is not our own local service."""

    provider: Literal["openai", "anthropic", "gemini", "selfhosted"]
    base_url: str | None = None

    @property
    def own_service(self) -> bool:
        """True for the offline default: our own local service, which needs no key."""
        return self.provider == "selfhosted" and self.base_url is None


class CredentialsClaim(_Strict):
    """Where the key is (never the key) and the proof that it was verified.

    Attributes:
        source: stored (the 0600 file), environment, or none needed.
        fingerprint: keyed hash of the key; ties the proof to this key.
        proof: signed when the provider accepted the key; empty before.
    """

    source: Literal["stored", "environment", "none"]
    env_name: str | None = None
    fingerprint: str
    verified_at: float | None = None
    models_missing: list[str] = Field(default_factory=list)
    models_seen: int | None = None
    proof: str = ""


class ConsentClaim(_Strict):
    """What the person agreed to install, and when (Unix seconds)."""

    model_id: str
    licence: str
    source: str
    at: float


class ModelClaim(_Strict):
    """The installed model; `proof` is signed after checksum, start and smoke test."""

    model_id: str
    sha256: str
    verified_at: float
    smoke: str = ""
    proof: str = ""


class CommsClaim(_Strict):
    """The chosen channel. The address itself may hold a password and lives with the credentials."""

    kind: Literal["local", "remote"]
    label: str = ""
    fingerprint: str = ""
    verified_at: float | None = None
    proof: str = ""


class CheckOutcome(_Strict):
    """One final check as a person reads it. `took_ms` is milliseconds."""

    name: str
    title: str
    ok: bool
    detail: str
    took_ms: float
    fix: str | None = None


class Problem(_Strict):
    """What stopped the last attempt at a step: the three fields of the error, and when (Unix seconds)."""

    code: str
    title: str
    hint: str
    at: float
    retry_after: float | None = None


class Notice(_Strict):
    """Something the person should know that happened without them: a recovery, a correction."""

    code: str
    text: str
    at: float


class OnboardingSnapshot(_Strict):
    """The record of the set-up. `revision` grows with every save; `origin` is set in COOLDOWN only."""

    version: Literal[1] = 1
    revision: int = Field(default=0, ge=0)
    state: State = State.WELCOME
    origin: State | None = None
    saved: Moment | None = None
    flagship: Flagship | None = None
    credentials: CredentialsClaim | None = None
    consent: ConsentClaim | None = None
    model: ModelClaim | None = None
    comms: CommsClaim | None = None
    guards: Guards = Field(default_factory=Guards)
    checks: list[CheckOutcome] = Field(default_factory=list)
    problem: Problem | None = None
    notices: list[Notice] = Field(default_factory=list)
    ready_at: float | None = None
    ready_proof: str = ""

    def changed(self, **updates: Any) -> OnboardingSnapshot:
        """A checked copy with the given fields replaced."""
        return OnboardingSnapshot.model_validate({**dict(self), **updates})

    @property
    def standing(self) -> State:
        """The state on the line: the remembered one while a cooldown runs."""
        return self.origin if self.state is State.COOLDOWN and self.origin else self.state

    def noticed(self, code: str, text: str, at: float) -> list[Notice]:
        """The notices with one more, oldest dropped."""
        return [*self.notices, Notice(code=code, text=text, at=at)][-NOTICES_KEPT:]


def problem_of(error: LancelotError, at: float) -> Problem:
    """The stored form of an error: code, title, hint, nothing else of it."""
    return Problem(code=error.code, title=error.title, hint=error.hint, at=at, retry_after=error.retry_after)
