"""/approvals: what waits for a person, the decision, and the standing rules."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import CallerDep, OperatorDep, ServicesDep
from lancelot.approvals import Approval, Ask, Scope, State
from lancelot.approvals.nouns import ToolCall
from lancelot.errors import Forbidden
from lancelot.keys import Caller
from lancelot.redaction.redactor import Redactor
from lancelot.services import Services

__all__ = ["router"]

router = APIRouter(prefix="/approvals", tags=["approvals"])

WAIT_LIMIT_S = 600.0


class Tool(BaseModel):
    """One call an agent wants to make."""

    model_config = ConfigDict(extra="forbid")
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class NewAsk(BaseModel):
    """What somebody wants to do. Texts and arguments are redacted before they are kept or shown."""

    model_config = ConfigDict(extra="forbid")
    what: str = Field(min_length=1, max_length=4000, description="One or a few sentences.")
    who: str | None = Field(default=None, max_length=200, description="Who asks; the key's name when left out.")
    tools: list[Tool] = Field(default_factory=list)
    risk: Literal["low", "medium", "high", "unknown"] = "unknown"
    reasons: list[str] = Field(default_factory=list)
    wait_s: float = Field(default=0.0, ge=0, le=WAIT_LIMIT_S, description="Seconds to wait for the decision.")


class DecisionBody(BaseModel):
    """once: this request. always: this one, and a standing rule. deny: no."""

    model_config = ConfigDict(extra="forbid")
    decision: Literal["once", "always", "deny"]
    note: str = ""
    edited: list[Tool] | None = Field(default=None, description="The calls with changed arguments.")
    rule: Scope | None = Field(default=None, description="always: what the rule covers; this very ask when left out.")
    rule_days: float | None = Field(default=None, gt=0, le=365)
    rule_uses: int | None = Field(default=None, ge=1)


@router.post("", summary="Ask for a person's approval", responses={409: {}})
async def ask(
    body: NewAsk,
    caller: CallerDep,
    services: ServicesDep,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> dict[str, Any]:
    """The approval, decided or pending; `wait_s` waits. The same Idempotency-Key gives the same approval again."""
    made = await run_in_threadpool(services.approvals.ask, _redacted(body, caller, services, idempotency_key))
    if body.wait_s and made.state is State.PENDING:
        made = await services.approvals.wait(made.id, body.wait_s)
    return made.model_dump(mode="json")


@router.get("", summary="What waits, and what was decided")
async def listing(
    caller: CallerDep, services: ServicesDep, state: Annotated[State | None, Query()] = None
) -> dict[str, Any]:
    """{"approvals": […newest first]}; an application key sees its own."""
    found = await run_in_threadpool(services.approvals.list, state)
    return {"approvals": [one.model_dump(mode="json") for one in found if _may_see(caller, one)]}


@router.get("/rules", summary="Standing rules")
async def rules(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"rules": […newest first, dead ones too], each with its scope in words}."""
    found = await run_in_threadpool(services.approvals.rules)
    return {"rules": [rule.model_dump(mode="json") | {"words": rule.scope.words()} for rule in found]}


@router.post("/rules/{rule_id}/revoke", summary="End a standing rule now", responses={404: {}})
async def revoke(rule_id: str, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """The rule as it stands afterwards."""
    rule = await run_in_threadpool(services.approvals.revoke, rule_id)
    return rule.model_dump(mode="json")


@router.get("/{approval_id}", summary="One approval", responses={404: {}})
async def one(
    approval_id: str,
    caller: CallerDep,
    services: ServicesDep,
    wait_s: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = 0.0,
) -> dict[str, Any]:
    """The approval; with `wait_s` once it is decided or the time is up."""
    found = await run_in_threadpool(services.approvals.get, approval_id)
    if not _may_see(caller, found):
        raise Forbidden("This approval belongs to another key.")
    if wait_s:
        found = await services.approvals.wait(approval_id, wait_s)
    return found.model_dump(mode="json")


@router.post("/{approval_id}/decision", summary="Decide: once, always, deny", responses={404: {}, 409: {}})
async def decide(approval_id: str, body: DecisionBody, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """The approval afterwards. The first decision counts; a second one answers 409."""
    extra: dict[str, Any] = {}
    if body.rule_days is not None:
        extra["rule_ttl"] = timedelta(days=body.rule_days)
    if body.rule_uses is not None:
        extra["rule_uses"] = body.rule_uses
    edited = None if body.edited is None else [tool.model_dump() for tool in body.edited]
    decided = await run_in_threadpool(
        lambda: services.approvals.decide(
            approval_id, body.decision, note=body.note, edited=edited, scope=body.rule, **extra
        )
    )
    return decided.model_dump(mode="json")


@router.post("/{approval_id}/start", summary="Take up what was allowed; exactly one caller may", responses={409: {}})
async def start(approval_id: str, caller: CallerDep, services: ServicesDep) -> dict[str, Any]:
    """The approval with the calls to make (edited ones where the person changed them)."""
    if not _may_see(caller, await run_in_threadpool(services.approvals.get, approval_id)):
        raise Forbidden("This approval belongs to another key.")
    started = await run_in_threadpool(services.approvals.start, approval_id)
    return started.model_dump(mode="json") | {"calls": [tool.model_dump() for tool in started.tools()]}


def _may_see(caller: Caller, approval: Approval) -> bool:
    return caller.key is None or approval.ask.key_id == caller.key_id


def _hidden_values(arguments: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The arguments with placeholders; one text when what comes out is no JSON object any more."""
    text = redactor.redact(orjson.dumps(arguments).decode()).text
    try:
        hidden = orjson.loads(text)
    except orjson.JSONDecodeError:
        hidden = None
    return hidden if isinstance(hidden, dict) else {"redacted": text}


def _redacted(body: NewAsk, caller: Caller, services: Services, idempotency_key: str | None) -> Ask:
    """The ask as it may be kept: texts and arguments redacted, and a digest of the original for repeats."""
    whole = orjson.dumps([body.what, [tool.model_dump() for tool in body.tools]], option=orjson.OPT_SORT_KEYS)
    hidden = [
        ToolCall(name=tool.name, arguments=_hidden_values(tool.arguments, services.redactor)) for tool in body.tools
    ]
    return Ask(
        who=body.who or (caller.key.name if caller.key else "operator"),
        what=services.redactor.redact(body.what).text,
        tools=tuple(hidden),
        risk=body.risk,
        reasons=tuple(body.reasons),
        key_id=caller.key_id,
        idempotency_key=idempotency_key,
        fingerprint=hashlib.sha256(whole).hexdigest(),
    )
