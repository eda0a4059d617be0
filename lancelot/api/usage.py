"""GET /usage/*: where tokens and money went, how fast they go, and what they would cost under other prices."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lancelot.api.security import OperatorDep, ServicesDep
from lancelot.moments import Moment
from lancelot.store.usage_table import MEDIA_TYPES, FileForm

__all__ = ["router"]

router = APIRouter(prefix="/usage", tags=["usage"])

By = Literal["lane", "model", "task", "day", "key"]


class OtherPrices(BaseModel):
    """`prices` is the text of a price list in the form of config/prices.yaml; without it the list in force counts."""

    model_config = ConfigDict(extra="forbid")
    prices: str | None = Field(default=None, max_length=2_000_000)
    since: Moment | None = None
    until: Moment | None = None
    by: By = "lane"


@router.get("/summary", summary="Tokens, cost, requests and latency, grouped")
async def summary(
    caller: OperatorDep,
    services: ServicesDep,
    since: Moment | None = None,
    until: Moment | None = None,
    by: By = "lane",
    baseline: Literal["deep", "fast"] = "deep",
) -> dict[str, Any]:
    """Costs are decimal text in US dollars; null is unknown, never zero. Medians are within 19 % of exact.

    `savings` is what `/usage/savings` says of the same range.
    """
    found = await run_in_threadpool(services.usage.summary, since, until, by)
    return found | {"savings": await run_in_threadpool(services.usage.savings, since, until, baseline)}


@router.get("/timeseries", summary="Tokens, cost and requests by hour or day")
async def timeseries(
    caller: OperatorDep,
    services: ServicesDep,
    since: Moment | None = None,
    until: Moment | None = None,
    every: Literal["hour", "day"] = "day",
    by: Literal["lane", "model", "task", "key"] | None = None,
) -> dict[str, Any]:
    """One point an hour or day (UTC) and group."""
    return await run_in_threadpool(services.usage.timeseries, since, until, every, by)


@router.get("/savings", summary="What routing saved against a baseline, as a range with its assumptions")
async def savings(
    caller: OperatorDep,
    services: ServicesDep,
    since: Moment | None = None,
    until: Moment | None = None,
    baseline: Literal["deep", "fast"] = "deep",
) -> dict[str, Any]:
    """{"baseline", "paid_usd", "retries", "would_cost_usd": [low, high], "saved_usd": [low, high], "assumptions"}."""
    return await run_in_threadpool(services.usage.savings, since, until, baseline)


@router.get("/pace", summary="The month with its forecast, and every budget against the clock")
async def pace(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"month": {…, "forecast_usd": [low, expected, high] or null}, "budgets": [{"scope", "period", "what", …}]}."""
    return await run_in_threadpool(services.costs.pace)


@router.get("/pressure", summary="Context use, cache hit rate and the largest users")
async def pressure(
    caller: OperatorDep, services: ServicesDep, since: Moment | None = None, until: Moment | None = None
) -> dict[str, Any]:
    """{"context": […], "cache": […], "top": […], "tokens", "hit_rate"}."""
    return await run_in_threadpool(services.costs.pressure, since, until)


@router.get("/repriced", summary="The same calls under the price list in force now")
async def repriced(
    caller: OperatorDep,
    services: ServicesDep,
    since: Moment | None = None,
    until: Moment | None = None,
    by: By = "lane",
) -> dict[str, Any]:
    """A view beside the recorded costs, which stay as they are."""
    return await run_in_threadpool(services.costs.repriced, since, until, by)


@router.post("/repriced", summary="The same calls under a price list of your own; nothing is changed")
async def repriced_by(body: OtherPrices, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"version", "recorded_versions", "groups": [{"group", "recorded_usd", "repriced_usd", …}], "totals"}."""
    return await run_in_threadpool(services.costs.repriced, body.since, body.until, body.by, body.prices)


@router.get("/export", summary="The summary as a CSV or Parquet file", response_class=Response)
async def export(
    caller: OperatorDep,
    services: ServicesDep,
    since: Moment | None = None,
    until: Moment | None = None,
    by: By = "lane",
    format: FileForm = "csv",
) -> Response:
    """Every digit is kept; an unknown cost is the word `unknown` in CSV and null in Parquet."""
    content = await run_in_threadpool(services.costs.as_file, format, since, until, by)
    headers = {"Content-Disposition": f'attachment; filename="usage-by-{by}.{format}"'}
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)
