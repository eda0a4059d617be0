"""/system/model: the local utility model's service, exams and tuning."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import OperatorDep, ServicesDep
from lancelot.errors import BadInput
from lancelot.services import Services
from local_models.exam_items import ExamItem, parse_items

__all__ = ["router"]

router = APIRouter(prefix="/system/model", tags=["local model"])


class Action(BaseModel):
    """What to do. `exam`, `tune`, `install` and `use` answer when they are through; with `background` at once."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["start", "restart", "tune", "exam", "install", "use"]
    model: Annotated[str | None, Field(description="install, use: an id of GET /system/model/tiers")] = None
    consent: Annotated[bool, Field(description="install: agree to that model's licence and download")] = False
    items: Annotated[list[dict[str, Any]] | None, Field(description="exam: items of {task, input, expected}")] = None
    background: bool = False


@router.get("", summary="The local model's service, its exams and the upkeep that runs")
async def look(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"service": {…}, "exams": [newest of each task], "flagged": […], "job": {…}|null}."""
    return {
        "service": services.local.status(),
        "exams": await run_in_threadpool(services.upkeep.latest),
        "flagged": sorted(services.upkeep.flagged()),
        "job": services.upkeep.job,
    }


@router.get("/tuning", summary="The last tuning: formats, speeds, the winner")
async def tuning(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"formats": [{"format", "prefill_tps", "decode_tps", "verdict"}], "winner"}; empty when never tuned."""
    return await run_in_threadpool(services.upkeep.tuning)


@router.get("/tiers", summary="Every model that may be chosen, the chosen and the suggested one marked")
async def tiers(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"tiers": [{"id", "title", "licence", "bytes", "min_memory_mb", "recommended", "state", "missing", "chosen",
    "suggested", "fits", "standing"}]}; a state of `candidate` cannot be installed, `missing` says why."""
    return {"tiers": [tier.to_dict() for tier in await run_in_threadpool(services.tiers.rows)]}


@router.post("", summary="Start, restart, tune, examine or change the local model", responses={409: {}, 503: {}})
async def act(body: Action, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """The service's status after start and restart, the result of the others."""
    if body.action in ("install", "use"):
        return await run_in_threadpool(_change, body, services)
    if body.action in ("start", "restart"):
        services.local.start(again=body.action == "restart")
        return services.local.status()
    if body.background:
        services.upkeep.begin(body.action, exam_items(body.items))
        return {"job": services.upkeep.job}
    if body.action == "tune":
        return await run_in_threadpool(services.upkeep.tune)
    return await run_in_threadpool(services.upkeep.exam, exam_items(body.items))


def exam_items(given: list[dict[str, Any]] | None) -> list[ExamItem] | None:
    """Items from their JSON form; None for the golden set.

    Raises:
        ExamFailed: an item is not {"task", "input", "expected"}; its number is said.
    """
    return None if given is None else parse_items(json.dumps(item) for item in given)


def _change(body: Action, services: Services) -> dict[str, Any]:
    if body.model is None:
        raise BadInput("Which model?", hint="Name one of GET /system/model/tiers.", param="model")
    if body.background:
        services.local.begin_tier(body.model, consent=body.consent, fetch=body.action == "install")
        return {"job": services.upkeep.job}
    return services.local.change_tier(body.model, consent=body.consent, fetch=body.action == "install")
