"""STATUS as one JSON-safe object: everything a page, a route or the command line shows, and no secret."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from lancelot.credentials import Credentials
from lancelot.errors import LancelotError
from lancelot.onboarding.clocks import Moment
from lancelot.onboarding.codes import ATTEMPTS, RESENDS, expired, lifetime_left
from lancelot.onboarding.cooldown import remaining, send_wait
from lancelot.onboarding.facts import Facts
from lancelot.onboarding.progress import Job
from lancelot.onboarding.recovery import offers
from lancelot.onboarding.seams import Deps, ProviderSheet
from lancelot.onboarding.snapshot import OnboardingSnapshot, Problem
from lancelot.onboarding.states import ORDER, State, position
from lancelot.onboarding.steps.base import Step

__all__ = ["describe", "missing", "step_rows"]


def step_rows(snapshot: OnboardingSnapshot, steps: Mapping[State, Step]) -> list[dict[str, Any]]:
    """[{"state", "title", "standing": done|current|waiting|open}] in order, READY last."""
    here = position(snapshot.standing)
    rows = []
    for index, state in enumerate(ORDER):
        if index < here or snapshot.state is State.READY:
            standing = "done"
        elif index == here:
            standing = "waiting" if snapshot.state is State.COOLDOWN else "current"
        else:
            standing = "open"
        rows.append(
            {"state": str(state), "title": steps[state].title if state in steps else "Ready", "standing": standing}
        )
    return rows


def missing(snapshot: OnboardingSnapshot, steps: Mapping[State, Step]) -> list[str]:
    """The steps that keep Lancelot from being ready, in words; empty when it is."""
    return [
        f"set-up: {row['title'].lower()} ({row['state']})"
        for row in step_rows(snapshot, steps)
        if row["standing"] != "done" and row["state"] != State.READY
    ]


def describe(
    snapshot: OnboardingSnapshot,
    now: Moment,
    *,
    deps: Deps,
    steps: Mapping[State, Step],
    credentials: Credentials,
    facts: Facts,
    job: Job | None,
    trouble: Problem | None,
    undo: bool,
) -> dict[str, Any]:
    """The whole status. Seconds and bytes throughout; times are Unix seconds."""
    problem = trouble or snapshot.problem
    step = steps.get(snapshot.state)
    return {
        "state": str(snapshot.state),
        "origin": str(snapshot.origin) if snapshot.origin else None,
        "ready": snapshot.state is State.READY,
        "title": step.title if step else "Ready" if snapshot.state is State.READY else "A short wait",
        "steps": step_rows(snapshot, steps),
        "missing": missing(snapshot, steps),
        "schema": step.form.model_json_schema() if step else None,
        "problem": problem.model_dump(mode="json") if problem else None,
        "notices": [notice.model_dump(mode="json") for notice in snapshot.notices],
        "working": job is not None and job.running and job.state is snapshot.state and not job.stop.is_set(),
        "progress": job.view(problem is not None) if job and job.state is snapshot.state else None,
        "flagship": _told(lambda: _flagship(snapshot, deps)),
        "providers": _told(lambda: [_sheet(sheet, credentials) for sheet in deps.providers.sheets()]),
        "credentials": _told(lambda: _credentials(snapshot, credentials, facts)),
        "model": _told(lambda: _model(snapshot, deps, facts)),
        "comms": _told(lambda: _comms(snapshot, credentials, facts)),
        "code": _code(snapshot, now),
        "cooldown": _cooldown(snapshot, now),
        "checks": [outcome.model_dump(mode="json") for outcome in snapshot.checks],
        "commands": offers(snapshot, now, undo=undo),
        "ready_at": snapshot.ready_at,
        "revision": snapshot.revision,
    }


def _told(look: Callable[[], Any]) -> Any:
    """The section, or None when its facts cannot be read right now: STATUS answers all the same."""
    try:
        return look()
    except LancelotError:
        return None


def _sheet(sheet: ProviderSheet, credentials: Credentials) -> dict[str, Any]:
    return {
        "name": sheet.name,
        "title": sheet.title,
        "fast": sheet.fast,
        "deep": sheet.deep,
        "needs_key": sheet.needs_key,
        "key_env": sheet.key_env,
        "in_environment": credentials.in_environment(sheet.key_env) if sheet.key_env else False,
        "stored": credentials.source(sheet.name) is not None,
    }


def _flagship(snapshot: OnboardingSnapshot, deps: Deps) -> dict[str, Any] | None:
    chosen = snapshot.flagship
    if chosen is None:
        return None
    sheet = next((sheet for sheet in deps.providers.sheets() if sheet.name == chosen.provider), None)
    title = sheet.title if sheet else chosen.provider
    return {
        "key_env": sheet.key_env if sheet else None,
        "provider": chosen.provider,
        "title": "Our own local service" if chosen.own_service else title,
        "base_url": chosen.base_url,
        "own_service": chosen.own_service,
    }


def _credentials(snapshot: OnboardingSnapshot, credentials: Credentials, facts: Facts) -> dict[str, Any] | None:
    claim, chosen = snapshot.credentials, snapshot.flagship
    if claim is None or chosen is None:
        return None
    return {
        "source": claim.source,
        "env_name": claim.env_name,
        "mask": credentials.mask(chosen.provider) if claim.source != "none" else "",
        "verified": facts.met(State.CREDENTIALS_VERIFY, snapshot),
        "verified_at": claim.verified_at,
        "models_seen": claim.models_seen,
        "models_missing": claim.models_missing,
    }


def _model(snapshot: OnboardingSnapshot, deps: Deps, facts: Facts) -> dict[str, Any]:
    card, consent, claim = deps.model.card(), snapshot.consent, snapshot.model
    return {
        "id": card.id,
        "publisher": card.publisher,
        "file": card.file,
        "bytes": card.bytes,
        "sha256": card.sha256,
        "licence": card.licence,
        "licence_url": card.licence_url,
        "sources": list(card.sources),
        "min_memory_mb": card.min_memory_mb,
        "tiers": [tier.to_dict() for tier in deps.model.tiers()],
        "consent": consent.model_dump(mode="json") if consent else None,
        "verified": facts.model_holds(snapshot),
        "smoke": claim.smoke if claim else "",
    }


def _comms(snapshot: OnboardingSnapshot, credentials: Credentials, facts: Facts) -> dict[str, Any] | None:
    claim = snapshot.comms
    if claim is None:
        return None
    return {
        "kind": claim.kind,
        "label": claim.label,
        "verified": facts.met(State.COMMS_VERIFY, snapshot),
        "stored": credentials.comms_url() is not None,
    }


def _code(snapshot: OnboardingSnapshot, now: Moment) -> dict[str, Any]:
    guards = snapshot.guards
    live = guards.code is not None and not expired(guards.code, now)
    return {
        "awaited": snapshot.state is State.COMMS_VERIFY and live,
        "expires_in_s": round(lifetime_left(guards.code, now)) if guards.code else 0,
        "attempts_left": max(0, ATTEMPTS - guards.attempts),
        "resends_left": max(0, RESENDS - guards.resends) if live else RESENDS,
        "resend_in_s": math.ceil(send_wait(guards, now)),
    }


def _cooldown(snapshot: OnboardingSnapshot, now: Moment) -> dict[str, Any] | None:
    if snapshot.state is not State.COOLDOWN or snapshot.guards.cooldown is None:
        return None
    return {
        "remaining_s": math.ceil(remaining(snapshot.guards, now)),
        "length_s": snapshot.guards.cooldown.length_s,
        "returns_to": str(snapshot.standing),
    }
