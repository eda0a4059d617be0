"""GET|POST /onboarding/*: the set-up without a browser: state, submits, recovery commands, progress as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import OperatorDep, ServicesDep
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["router"]

router = APIRouter(prefix="/onboarding", tags=["onboarding"])

POLL_S = 1.0
BEAT_POLLS = 15
LIFE_POLLS = 120  # a stopping server waits for open answers, so none may be endless; clients come back by themselves


class Submit(BaseModel):
    """The present step's answer; GET /onboarding gives the JSON Schema of `values`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    state: str = Field(description="The state that is answered, in capitals.", max_length=64)
    values: dict[str, Any] = Field(default_factory=dict, description="What the state's schema takes.")


class CommandBody(BaseModel):
    """One of BACK, STATUS, REPAIR, RESTART STEP, RESET ONBOARDING, RESEND CODE, UNDO."""

    model_config = ConfigDict(extra="forbid")

    command: str = Field(description="The command; case, blanks and dashes do not matter.", max_length=64)
    confirm: bool = Field(default=False, description="RESET ONBOARDING asks twice: this is the second time.")


class Status(BaseModel):
    """Where the set-up stands. Further fields say what is chosen, verified and offered; keys are masked."""

    model_config = ConfigDict(extra="allow")

    state: str = Field(description="The state, in capitals.")
    origin: str | None = Field(description="COOLDOWN: the state it returns to.")
    ready: bool
    working: bool = Field(description="Whether long work of this step runs.")
    title: str
    steps: list[dict[str, Any]] = Field(description="Every step with its title and standing.")
    missing: list[str] = Field(description="What keeps Lancelot from being ready, in words.")
    form: dict[str, Any] | None = Field(alias="schema", description="JSON Schema of what this state's submit takes.")
    problem: dict[str, Any] | None = Field(description="What stopped the last attempt: code, title, hint.")
    progress: dict[str, Any] | None = Field(description="Bytes, bytes a second and seconds left of the running work.")
    commands: list[dict[str, Any]] = Field(description="The commands and what each can do now.")


class Answered(BaseModel):
    """What a command did. `needs_confirm`: it asks twice."""

    model_config = ConfigDict(extra="allow")

    command: str
    done: bool
    text: str
    needs_confirm: bool
    repairs: list[dict[str, Any]]
    status: Status


class CodeShown(BaseModel):
    """A code of the local channel. `fresh`: the one that was out is gone with its process; this counts as a resend."""

    code: str
    expires_in_s: int
    fresh: bool


@router.get("", response_model=Status, summary="Where the set-up stands")
async def status(caller: OperatorDep, services: ServicesDep) -> Any:
    """State, steps, progress, problem, what is chosen and verified, commands, and `schema`: the JSON Schema of what
    the state's submit takes (null where nothing is asked). Keys are masked. Seconds, bytes, Unix times."""
    return await run_in_threadpool(services.onboarding.status)


@router.post(
    "/submit", response_model=Status, summary="Answer the present step", responses={400: {}, 409: {}, 429: {}, 503: {}}
)
async def submit(body: Submit, caller: OperatorDep, services: ServicesDep) -> Any:
    """The status afterwards. The same submit twice does no harm; a submit for a state that has passed answers 409
    `state_passed`. Long work goes on after the answer: follow /onboarding/events."""
    return await run_in_threadpool(services.onboarding.submit, body.state, body.values)


@router.post(
    "/command",
    response_model=Answered,
    summary="Recover: back, status, repair, restart, reset, resend",
    responses={400: {}, 429: {}},
)
async def command(body: CommandBody, caller: OperatorDep, services: ServicesDep) -> Any:
    """{"command", "done", "text", "needs_confirm", "repairs", "status"}; answers in every state, cooldown included."""
    return await run_in_threadpool(services.onboarding.command, body.command, body.confirm)


@router.post("/code", summary="The code of the local channel", responses={409: {}, 429: {}})
async def code(caller: OperatorDep, services: ServicesDep) -> CodeShown:
    """The code that this process issued; a fresh one, counted as a resend, when its process is gone."""
    return CodeShown(**await run_in_threadpool(services.onboarding.show_code))


@router.get("/events", summary="Progress as it happens (server-sent events)", response_class=StreamingResponse)
async def events(
    request: Request,
    caller: OperatorDep,
    services: ServicesDep,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Events `state`, `progress`, `problem`, `code_sent`, each with an id; Last-Event-ID goes on after it. The first
    event is always `status`: the state as it is now. The stream ends after two minutes; clients of server-sent events
    come back by themselves and miss nothing."""
    after = int(last_event_id) if last_event_id and last_event_id.isdigit() else services.onboarding.events.last_id
    return StreamingResponse(
        _stream(request, services.onboarding, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, flow: OnboardingFlow, last: int) -> AsyncIterator[str]:
    quiet = 0
    yield "retry: 500\n\n"
    yield _event("status", {"state": str(await run_in_threadpool(lambda: flow.state)), "working": flow.is_working})
    until = time.monotonic() + LIFE_POLLS * POLL_S
    while time.monotonic() < until and not flow.events.closed and not await request.is_disconnected():
        fresh = await run_in_threadpool(flow.events.after, last, POLL_S)
        quiet = 0 if fresh else quiet + 1
        for event in fresh:
            last = event.id
            yield _event(event.kind, event.data | {"at": event.at}, event.id)
        if quiet >= BEAT_POLLS:
            quiet = 0
            yield ": still here\n\n"


def _event(kind: str, data: dict[str, Any], number: int | None = None) -> str:
    numbered = f"id: {number}\n" if number is not None else ""
    return f"{numbered}event: {kind}\ndata: {json.dumps(data)}\n\n"
