"""GET /system/*: is it up, is it ready, what is missing; and Prometheus metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.concurrency import run_in_threadpool

from lancelot import settings
from lancelot.api.security import OperatorDep, ServicesDep, bearer_caller
from lancelot.backup import backup
from lancelot.demo.data import MOST
from lancelot.errors import NotAllowed
from lancelot.exposure import Exposure
from lancelot.health import free_bytes, parts

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


@router.get("/system/health/parts", summary="How well each part is")
async def health_parts(request: Request, services: ServicesDep) -> dict[str, Any]:
    """{"well", "parts": {name: {"well"}}}; with the operator's token each part says why. Always 200: a part that is
    not well is a fact, not a failure of this route."""
    caller = bearer_caller(request, services)
    found = parts(services.status(), await run_in_threadpool(free_bytes, services.data_dir))
    told = caller is not None and caller.key is None
    return {
        "well": all(part.well for part in found.values()),
        "parts": {name: part.to_dict() if told else {"well": part.well} for name, part in found.items()},
    }


@router.get("/system/ready", summary="Readiness: requests would be carried out", responses={503: {}})
async def ready(services: ServicesDep, response: Response) -> dict[str, Any]:
    """200 when a request would be carried out now, 503 with what is missing otherwise."""
    missing = services.missing()
    response.status_code = 503 if missing else 200
    return {"ready": not missing, "missing": missing}


class Look(BaseModel):
    """`fix` lets REPAIR mend what it can before everything is checked again."""

    model_config = ConfigDict(extra="forbid")
    fix: bool = False


class Backup(BaseModel):
    """Where the archive goes, on the machine the server runs on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    path: str = Field(min_length=1, max_length=4096)
    passphrase: SecretStr | None = Field(
        default=None, description="With keys, encrypted with this; null leaves them out."
    )


@router.post("/system/doctor", summary="Check everything; mend what can be mended")
async def doctor(caller: OperatorDep, services: ServicesDep, body: Look | None = None) -> dict[str, Any]:
    """{"ok", "checks": [{"name", "title", "ok", "detail", "took_ms", "fix"}], "repairs"?, "text"?}."""
    found = services.doctor.mend if body and body.fix else services.doctor.look
    return await run_in_threadpool(found)


@router.post("/system/backup", summary="Write receipts, set-up and configuration into one file")
async def write_backup(body: Backup, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"path", "bytes", "files", "receipts", "secrets"}; keys only when asked, weights never."""
    target, config = Path(body.path), settings.config_dir()
    return await run_in_threadpool(
        lambda: backup(
            services.data_dir, target, receipts=services.receipts, passphrase=body.passphrase, config_dir=config
        )
    )


class Demo(BaseModel):
    """How many made-up receipts; the same seed gives the same ones."""

    model_config = ConfigDict(extra="forbid")
    receipts: int = Field(default=10_000, ge=1, le=MOST)
    seed: int = 7


@router.get("/system/demo", summary="The demonstration: is there one, is one being made")
async def demo(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"exists", "data_dir", "making": {"done", "total"} | null, "problem": {"code", "title", "hint"} | null}."""
    return services.demo.status()


@router.post("/system/demo", summary="Make the demonstration anew, in a database of its own", status_code=202)
async def make_demo(body: Demo, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """Returns at once; GET tells how far it is. The old demonstration stays until the new one is done."""
    services.demo.begin(body.receipts, seed_number=body.seed)
    return services.demo.status()


@router.delete("/system/demo", summary="Delete the demonstration")
async def remove_demo(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"removed"}: whether there was one. Real receipts are in another folder and never touched."""
    return {"removed": await run_in_threadpool(services.demo.remove)}


@router.get("/metrics", summary="Prometheus metrics")
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Counters and gauges in Prometheus' text format; no label carries text of a request. Beyond this machine
    (docs/security.md) the operator's token or any key is needed."""
    who: Exposure | None = getattr(request.app.state, "exposure", None)
    if who is not None and who.beyond_loopback and bearer_caller(request, services) is None:
        raise NotAllowed()
    return Response(services.metrics.render(), media_type=CONTENT_TYPE_LATEST)
