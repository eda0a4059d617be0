"""/router/*: receipts, one receipt with its chain, how decisions fell, the dry run, and what-if over the past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.gateway import read_json
from lancelot.api.security import CallerDep, OperatorDep, ServicesDep
from lancelot.chat import parse_chat
from lancelot.errors import NotFound
from lancelot.moments import Moment
from lancelot.routing.tryout import MOST, try_out

__all__ = ["router"]

router = APIRouter(prefix="/router", tags=["router"])


@router.get("/receipts", summary="Receipts, newest first")
async def page(
    caller: OperatorDep,
    services: ServicesDep,
    since: Moment | None = None,
    until: Moment | None = None,
    lane: Literal["local", "fast", "deep"] | None = None,
    task: str | None = None,
    status: str | None = None,
    kind: str | None = None,
    key: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """{"receipts": […], "next_cursor": text or null}; hand the cursor back for the next page."""
    filters = {
        name: value
        for name, value in (
            ("since", since),
            ("until", until),
            ("lane", lane),
            ("task", task),
            ("status", status),
            ("kind", kind),
            ("key_id", key),
        )
        if value is not None
    }
    found, following = await run_in_threadpool(services.receipts.page, filters, cursor, limit)
    return {"receipts": [receipt.model_dump(mode="json") for receipt in found], "next_cursor": following}


@router.get("/receipts/{receipt_id}", summary="One receipt with the chain of attempts")
async def one(receipt_id: str, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"receipt": {…}, "chain": […]}, the chain in order of attempts."""
    receipt = await run_in_threadpool(services.receipts.get, receipt_id)
    if receipt is None:
        raise NotFound("There is no such receipt.", hint="`lancelot receipts list` shows the newest.")
    chain = await run_in_threadpool(services.receipts.chain, receipt.request_id)
    return {
        "receipt": receipt.model_dump(mode="json"),
        "chain": [attempt.model_dump(mode="json") for attempt in chain],
    }


@router.get("/decisions/stats", summary="How decisions fell")
async def stats(caller: OperatorDep, services: ServicesDep, since: Moment | None = None) -> dict[str, Any]:
    """Requests by lane, status and reason since a moment."""
    return await run_in_threadpool(services.receipts.stats, since)


class Verify(BaseModel):
    """`full` walks the chain from its beginning instead of the last verified checkpoint."""

    model_config = ConfigDict(extra="forbid")
    full: bool = False


class Export(BaseModel):
    """A file on the machine the server runs on; its folder must exist."""

    model_config = ConfigDict(extra="forbid")
    path: str


class Prune(BaseModel):
    """Receipts from before this moment go."""

    model_config = ConfigDict(extra="forbid")
    before: Moment


@router.post("/verify", summary="Check the hash chain over all receipts")
async def verify(caller: OperatorDep, services: ServicesDep, body: Verify | None = None) -> dict[str, Any]:
    """{"ok", "checked", "problem": words or null, "problems": […]}; goes on from the last verified checkpoint."""
    full = bool(body and body.full)
    report = await run_in_threadpool(lambda: services.receipts.verify(full=full))
    return report.to_dict()


@router.post("/export", summary="Write all receipts to one Parquet or CSV file")
async def export(body: Export, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"path", "receipts", "bytes"}; no receipt holds text of a request."""
    return await run_in_threadpool(services.receipts.export, Path(body.path))


@router.post("/prune", summary="Remove receipts by age; the rest stays verifiable")
async def prune(body: Prune, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"removed", …}; leaves a signed tombstone in the chain."""
    report = await run_in_threadpool(services.receipts.prune, body.before)
    return report.to_dict()


@router.post("/explain", summary="Which lane and why; no call is made")
async def explain(request: Request, caller: CallerDep, services: ServicesDep) -> dict[str, Any]:
    """{"messages": […]} as for a chat completion; answers lane, score, risk, task and every reason."""
    return services.explain(parse_chat(await read_json(request)))


class Edited(BaseModel):
    """Other thresholds by name, or all of router.yaml as it would be; one of the two."""

    model_config = ConfigDict(extra="forbid")
    thresholds: dict[str, float | int | str] | None = Field(default=None, description='{"deep_score": 0.5}')
    router_yaml: str | None = Field(default=None, max_length=2_000_000)
    most: int = Field(default=10_000, ge=1, le=MOST, description="Past requests at most, newest first.")


@router.post("/what-if", summary="What other thresholds or rules would have done with past requests")
async def what_if(body: Edited, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"looked_at", "moved": [{"from", "to", "requests"}], "examples", "cost_usd", "cost_then_usd", "cost_change_usd",
    "unpriced", "estimated", "untried", "since", "changes"}. No call is made and nothing is put in force."""
    lanes = services.status()["lanes"]
    told = await run_in_threadpool(
        lambda: try_out(
            services.receipts,
            services.config.current,
            lanes,
            thresholds=body.thresholds,
            text=body.router_yaml,
            most=body.most,
        )
    )
    return told.to_dict()
