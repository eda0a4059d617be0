"""/system/flagship: another provider or another key while everything runs: propose, read the difference, save, undo."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import OperatorDep, ServicesDep
from lancelot.onboarding.exchange import FlagshipWanted
from lancelot.services import Services

__all__ = ["router"]

router = APIRouter(prefix="/system/flagship", tags=["flagship"])


class Save(BaseModel):
    """The proposal that is put in force; it is known for 15 minutes."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(max_length=64)


class Undo(BaseModel):
    """Which change is taken back; the newest when none is named."""

    model_config = ConfigDict(extra="forbid")
    id: str | None = Field(default=None, max_length=64)


@router.get("", summary="The flagship in use, its key (masked), and the changes before")
async def look(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"flagship", "credentials", "providers": what can be chosen, "past": changes with their ids, newest first}."""
    return await run_in_threadpool(_look, services)


@router.post(
    "/propose", summary="Try another flagship or key out; writes nothing", responses={409: {}, 502: {}, 503: {}}
)
async def propose(body: FlagshipWanted, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"id", "provider", "title", "diff", "found"}: what would change, keys masked, and what the checks said. Answers
    are checked as in the set-up: the provider is asked which models the key may use."""
    return (await run_in_threadpool(services.onboarding.exchange.propose, body)).to_dict()


@router.post("/save", summary="Put a proposal in force", responses={404: {}, 409: {}, 503: {}})
async def save(body: Save, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"text"}. The old flagship stands until the new one is on disk; what was replaced can be brought back."""
    text = await run_in_threadpool(services.onboarding.exchange.save, body.id)
    return {"text": text}


@router.post("/undo", summary="Bring back what a change replaced", responses={404: {}, 409: {}, 503: {}})
async def undo(caller: OperatorDep, services: ServicesDep, body: Undo | None = None) -> dict[str, Any]:
    """{"text"}: the flagship and the key it had before."""
    return {"text": await run_in_threadpool(services.onboarding.exchange.back, body.id if body else None)}


def _look(services: Services) -> dict[str, Any]:
    status = services.onboarding.status()
    return {
        "flagship": status["flagship"],
        "credentials": status["credentials"],
        "providers": status["providers"],
        "past": [one.to_dict() for one in services.onboarding.exchange.past()],
    }
