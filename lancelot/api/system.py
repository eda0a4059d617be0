"""GET /system/*: is it up, is it ready, what is missing; and Prometheus metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from lancelot.api.security import ServicesDep, bearer_caller

__all__ = ["router"]

router = APIRouter(tags=["system"])


@router.get("/system/status", summary="The whole system in one object")
async def status(request: Request, services: ServicesDep) -> dict[str, Any]:
    """Without the operator's token: up and the onboarding state's name. With it: every part."""
    caller = bearer_caller(request, services)
    if caller is None or caller.key is not None:
        return {"up": True, "onboarding": {"state": services.onboarding_state()}}
    return services.status()


@router.get("/system/health", summary="Liveness: the process answers")
async def health() -> dict[str, Any]:
    """200 as long as the process can answer at all."""
    return {"up": True}


@router.get("/system/ready", summary="Readiness: requests would be carried out", responses={503: {}})
async def ready(services: ServicesDep, response: Response) -> dict[str, Any]:
    """200 when a request would be carried out now, 503 with what is missing otherwise."""
    missing = services.missing()
    response.status_code = 503 if missing else 200
    return {"ready": not missing, "missing": missing}


@router.get("/metrics", summary="Prometheus metrics")
async def metrics(services: ServicesDep) -> Response:
    """Counters and gauges in Prometheus' text format; no label carries text of a request."""
    return Response(services.metrics.render(), media_type=CONTENT_TYPE_LATEST)
