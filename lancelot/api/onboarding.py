"""/onboarding: where the set-up stands, the next answer, and the recovery commands."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import OperatorDep, ServicesDep

__all__ = ["router"]

router = APIRouter(prefix="/onboarding", tags=["onboarding"])


class Submit(BaseModel):
    """The answer to one state's question."""

    model_config = ConfigDict(extra="forbid")
    state: str
    values: dict[str, Any] = Field(default_factory=dict)


class Command(BaseModel):
    """One of the six recovery commands."""

    model_config = ConfigDict(extra="forbid")
    command: str
    confirm: bool = False


@router.get("", summary="State, progress and what the state's submit takes")
async def status(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    return await run_in_threadpool(services.onboarding.status)


@router.post("/submit", summary="Answer the present state's question")
async def submit(body: Submit, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    return await run_in_threadpool(services.onboarding.submit, body.state, body.values)


@router.post("/command", summary="BACK, STATUS, REPAIR, RESTART STEP, RESET ONBOARDING or RESEND CODE")
async def command(body: Command, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    return await run_in_threadpool(services.onboarding.command, body.command, body.confirm)
