"""/recovery: repair one step at a time. Look, read plan and difference, apply, see it checked again, take it back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import OperatorDep, ServicesDep

__all__ = ["router"]

router = APIRouter(prefix="/recovery", tags=["recovery"])


class Apply(BaseModel):
    """The check whose plan is carried out; the last look found it failing."""

    model_config = ConfigDict(extra="forbid")
    check: str = Field(max_length=64, description="Its name, as in /recovery.")


class Undo(BaseModel):
    """What is taken back: a repair, reset, restore or change of the flagship, by its id in the history."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(max_length=64)


class Restore(BaseModel):
    """The older copy of the set-up record that comes back."""

    model_config = ConfigDict(extra="forbid")
    revision: int = Field(ge=0, le=2**53)


@router.get("", summary="What the last look found, what was repaired, what can be restored")
async def recovery(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"found": […], "history": […], "snapshots": […]}. `found` is empty before the first look; differences are
    masked. Unix seconds."""
    return await run_in_threadpool(
        lambda: {
            "found": [one.to_dict() for one in services.mending.found],
            "history": [one.to_dict() for one in services.mending.history()],
            "snapshots": [one.to_dict() for one in services.mending.snapshots()],
        }
    )


@router.post("/look", summary="Run every check; a plan with its difference for each that fails")
async def look(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"ok", "found": [{"name", "title", "ok", "detail", "took_ms", "fix", "at", "plan", "done"}]}; `plan` has
    "plan" (steps in words; none where only a person can act), "touches" and "diff". Changes nothing; takes seconds."""
    found = await run_in_threadpool(services.mending.look)
    return {"ok": all(one.outcome.ok for one in found), "found": [one.to_dict() for one in found]}


@router.post("/apply", summary="Carry one plan out, and check again", responses={404: {}})
async def apply(body: Apply, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """The check as it is afterwards; `done` has "fixed", "detail" and "undo" (an id, where files were touched)."""
    return (await run_in_threadpool(services.mending.apply, body.check)).to_dict()


@router.post("/undo", summary="Take a repair, reset, restore or change of the flagship back", responses={404: {}})
async def undo(body: Undo, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"text"}: what was put back."""
    return {"text": await run_in_threadpool(services.mending.undo, body.id)}


@router.post("/restore", summary="Bring an older copy of the set-up record back", responses={404: {}})
async def restore(body: Restore, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"text"}: how far it came back, as the facts on this machine allow. It can be undone."""
    return {"text": await run_in_threadpool(services.mending.restore, body.revision)}
