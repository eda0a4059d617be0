"""GET /usage/*: where tokens and money went."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import OperatorDep, ServicesDep

__all__ = ["router"]

router = APIRouter(prefix="/usage", tags=["usage"])

By = Literal["lane", "model", "task", "day", "key"]


@router.get("/summary", summary="Tokens, cost and requests, grouped")
async def summary(
    caller: OperatorDep,
    services: ServicesDep,
    since: datetime | None = None,
    until: datetime | None = None,
    by: By = "lane",
) -> dict[str, Any]:
    """Costs are decimal text in US dollars; null is unknown, never zero."""
    return await run_in_threadpool(services.usage.summary, since, until, by)


@router.get("/savings", summary="What routing saved against a baseline, as a range with its assumptions")
async def savings(
    caller: OperatorDep,
    services: ServicesDep,
    since: datetime | None = None,
    until: datetime | None = None,
    baseline: Literal["deep", "fast"] = "deep",
) -> dict[str, Any]:
    """{"baseline", "paid_usd", "would_cost_usd": [low, high], "saved_usd": [low, high], "assumptions": [words]}."""
    return await run_in_threadpool(services.usage.savings, since, until, baseline)


@router.get("/timeseries", summary="Tokens, cost and requests by hour or day")
async def timeseries(
    caller: OperatorDep,
    services: ServicesDep,
    since: datetime | None = None,
    until: datetime | None = None,
    every: Literal["hour", "day"] = "day",
    by: Literal["lane", "model", "task", "key"] | None = None,
) -> dict[str, Any]:
    """One point an hour or day (UTC) and group."""
    return await run_in_threadpool(services.usage.timeseries, since, until, every, by)
