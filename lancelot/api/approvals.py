"""/approvals: what waits for a person, the decision, and the standing rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from starlette.concurrency import run_in_threadpool

from lancelot.api.security import CallerDep, OperatorDep, ServicesDep
from lancelot.approvals import Approval, Ask, Scope, StandingRule, State
from lancelot.approvals.masking import masked
from lancelot.approvals.nouns import ToolCall, now
from lancelot.errors import Forbidden
from lancelot.keys import Caller
from lancelot.services import Services
from lancelot.store.assessed import past_requests

__all__ = ["router"]

router = APIRouter(prefix="/approvals", tags=["approvals"])

WAIT_LIMIT_S = 600.0
LOOK_BACK = 20_000  # past requests


class Tool(BaseModel):
    """One call an agent wants to make."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("arguments")
    @classmethod
    def _can_be_kept(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        """Python's JSON knows numbers of any size and halves of characters; what is kept and hashed does not."""
        try:
            orjson.dumps(arguments)
        except TypeError as problem:
            raise ValueError(f"cannot be written as JSON: {problem}") from None
        return arguments


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
    note: str = Field(default="", max_length=2000, description="Why; kept with personal data masked.")
    by: str = Field(default="operator", min_length=1, max_length=100, description="Who decides, for the receipt.")
    edited: list[Tool] | None = Field(default=None, description="The calls with changed arguments.")
    rule: Scope | None = Field(default=None, description="always: what the rule covers; this very ask when left out.")
    rule_days: float | None = Field(default=None, gt=0, le=365)
    rule_uses: int | None = Field(default=None, ge=1, le=1_000_000)


class Narrowing(BaseModel):
    """What a rule shall cover from now on; only less, only sooner, only fewer."""

    model_config = ConfigDict(extra="forbid")
    scope: Scope | None = None
    expires_at: AwareDatetime | None = None
    max_uses: int | None = Field(default=None, ge=1)


@router.post("", summary="Ask for a person's approval", responses={409: {}})
async def ask(
    body: NewAsk,
    caller: CallerDep,
    services: ServicesDep,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> dict[str, Any]:
    """The approval, decided or pending; `wait_s` waits. The same Idempotency-Key gives the same approval again."""
    made = await run_in_threadpool(_asked, body, caller, services, idempotency_key)
    if body.wait_s and made.state is State.PENDING:
        made = await services.approvals.wait(made.id, body.wait_s)
    return made.model_dump(mode="json")


@router.get("", summary="What waits, and what was decided")
async def listing(
    caller: CallerDep,
    services: ServicesDep,
    state: Annotated[State | None, Query()] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """{"approvals": […newest first], "next_cursor": text or null}; an application key sees its own."""
    found = await run_in_threadpool(services.approvals.list, state)
    own = [one for one in found if _may_see(caller, one) and (cursor is None or one.id < cursor)]
    shown = own[:limit]
    return {
        "approvals": [one.model_dump(mode="json") for one in shown],
        "next_cursor": shown[-1].id if len(own) > limit else None,
    }


@router.get("/rules", summary="Standing rules")
async def rules(caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"rules": […newest first, dead ones too], each with its scope in words}."""
    found = await run_in_threadpool(services.approvals.rules)
    return {"rules": [_rule(rule) for rule in found]}


@router.post("/rules/{rule_id}/revoke", summary="End a standing rule now", responses={404: {}})
async def revoke(rule_id: str, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """The rule as it stands afterwards."""
    return _rule(await run_in_threadpool(services.approvals.revoke, rule_id))


@router.post("/rules/{rule_id}/narrow", summary="Make a standing rule cover less", responses={400: {}, 404: {}})
async def narrow(rule_id: str, body: Narrowing, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """The rule as it stands afterwards; anything wider than before answers 400."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    return _rule(await run_in_threadpool(lambda: services.approvals.narrow(rule_id, **changes)))


@router.post("/look-back", summary="Which past requests a rule would have matched", responses={400: {}})
async def look_back(scope: Scope, caller: OperatorDep, services: ServicesDep) -> dict[str, Any]:
    """{"words", "looked_at", "since", "matched", "newest": […]}, from stored features; makes no rule."""
    found = await run_in_threadpool(
        lambda: services.approvals.look_back(scope, past_requests(services.receipts, most=LOOK_BACK))
    )
    return found._asdict() | {"words": scope.words(), "newest": [match._asdict() for match in found.newest]}


@router.get("/{approval_id}", summary="One approval", responses={404: {}})
async def one(
    approval_id: str,
    caller: CallerDep,
    services: ServicesDep,
    wait_s: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = 0.0,
) -> dict[str, Any]:
    """The approval; with `wait_s` once it is decided or the time is up."""
    found = await _own(approval_id, caller, services)
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
            approval_id, body.decision, by=body.by, note=body.note, edited=edited, scope=body.rule, **extra
        )
    )
    return decided.model_dump(mode="json")


@router.post("/{approval_id}/start", summary="Take up what was allowed; exactly one caller may", responses={409: {}})
async def start(approval_id: str, caller: CallerDep, services: ServicesDep) -> dict[str, Any]:
    """The approval with "calls": what to do, as the person edited it, originals put back where they are in memory."""
    await _own(approval_id, caller, services)
    started = await run_in_threadpool(services.approvals.start, approval_id)
    return started.model_dump(mode="json") | {"calls": await run_in_threadpool(services.approvals.calls, approval_id)}


@router.post("/{approval_id}/finish", summary="Tell that it has been done, or has failed", responses={409: {}})
async def finish(approval_id: str, caller: CallerDep, services: ServicesDep) -> dict[str, Any]:
    """The approval, done; its originals are forgotten."""
    await _own(approval_id, caller, services)
    done = await run_in_threadpool(services.approvals.finish, approval_id)
    return done.model_dump(mode="json")


def _may_see(caller: Caller, approval: Approval) -> bool:
    return caller.key is None or approval.ask.key_id == caller.key_id


async def _own(approval_id: str, caller: Caller, services: Services) -> Approval:
    found = await run_in_threadpool(services.approvals.get, approval_id)
    if not _may_see(caller, found):
        raise Forbidden("This approval belongs to another key.")
    return found


def _rule(rule: StandingRule) -> dict[str, Any]:
    return rule.model_dump(mode="json") | {"words": rule.scope.words(), "alive": rule.alive(now())}


def _asked(body: NewAsk, caller: Caller, services: Services, idempotency_key: str | None) -> Approval:
    """Put an ask into the queue: texts and arguments redacted, a keyed digest of the original for repeats."""
    whole = orjson.dumps([body.what, [tool.model_dump() for tool in body.tools]], option=orjson.OPT_SORT_KEYS)
    tools = [ToolCall(name=tool.name, arguments=tool.arguments) for tool in body.tools]
    hidden = masked(services.redactor, [body.what, body.who or "", *body.reasons], tools)
    what, who, *reasons = hidden.texts
    ask = Ask(
        who=who[:200] or (caller.key.name if caller.key else "operator"),
        what=what[:4000],
        tools=hidden.tools,
        risk=body.risk,
        reasons=tuple(reasons),
        key_id=caller.key_id,
        idempotency_key=idempotency_key,
        fingerprint=services.approvals.digest(whole),
    )
    return services.approvals.ask(ask, vault=hidden.vault)
