"""The way of a request up to its first call: checked, redacted, assessed, decided."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lancelot.approvals import ApprovalQueue
from lancelot.chat import ChatRequest
from lancelot.config import Config
from lancelot.errors import (
    BudgetSpent,
    Forbidden,
    LancelotError,
    LocalModelError,
    NotFound,
    NotReady,
    UnsupportedParameter,
)
from lancelot.providers.base import Deadline
from lancelot.redaction.redactor import RedactedRequest
from lancelot.routing.assess import assess, first_look, with_score
from lancelot.routing.assessment import Assessment
from lancelot.routing.brains import Brains, classify
from lancelot.routing.context import RequestContext
from lancelot.routing.decide import decide
from lancelot.routing.decision import Decision, Refusal
from lancelot.routing.features import Features
from lancelot.routing.journey import Journey, milliseconds_since
from lancelot.routing.lanes import MODEL_NAMES, Lane
from lancelot.routing.outcomes import priors_of
from lancelot.routing.parking import Parking
from lancelot.routing.policy import RoutingPolicy
from lancelot.routing.ports import Budgets, ConfigSource, Outcomes, Redacts
from lancelot.routing.recorder import Recorder, common
from lancelot.store.receipts import Receipt, new_id

__all__ = ["Preparer", "refusal_error"]

IN_THREAD = 20_000  # characters from which redaction leaves the event loop
CLASSIFIED = 2_000  # characters of the newest message the local model is shown
REFUSALS: dict[str, type[LancelotError]] = {
    "forbidden": Forbidden,
    "budget_spent": BudgetSpent,
    "local_model_unavailable": LocalModelError,
    "lane_unavailable": NotReady,
    "lane_incapable": UnsupportedParameter,
}


class Preparer:
    """Prepares journeys for one router."""

    def __init__(
        self,
        redactor: Redacts,
        config: ConfigSource,
        brains: Brains,
        budgets: Budgets,
        outcomes: Outcomes,
        recorder: Recorder,
        approvals: ApprovalQueue | None,
        flagged: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._redactor = redactor
        self._config = config
        self._brains = brains
        self._budgets = budgets
        self._outcomes = outcomes
        self._recorder = recorder
        self._parking = Parking(approvals, recorder)
        self._flagged = flagged
        self._policy_of: tuple[Config, RoutingPolicy] | None = None

    def policy(self) -> tuple[Config, RoutingPolicy]:
        """The configuration in force and its compiled policy."""
        config = self._config.current
        if self._policy_of is None or self._policy_of[0] is not config:
            policy = RoutingPolicy.from_config(config.router)
            self._brains.set_limits(policy)
            self._policy_of = (config, policy)
        return self._policy_of

    async def prepare(self, chat: ChatRequest, context: RequestContext) -> Journey:
        """A journey with its first decision.

        Raises:
            as ModelRouter.handle; a refusal has left its receipt.
        """
        began = time.perf_counter()
        forced = _forced(chat.model)
        config, policy = self.policy()
        wanted_s = policy.deadline_s if context.deadline_s is None else context.deadline_s
        deadline = Deadline.after(min(wanted_s, policy.deadline_s))
        await self._recorder.ready()
        redacted = await self._redact(chat, context, policy)
        redaction_ms = milliseconds_since(began)
        begun = time.perf_counter()
        assessment, scored = await self._assess(chat, context, redacted, policy, forced)
        allowed = None if context.lanes is None else frozenset(Lane(name) for name in context.lanes)
        decision = decide(
            assessment,
            policy,
            self._budgets.view(context.key_id),
            self._brains.states(),
            forced=forced,
            allowed=allowed,
            text=redacted.chat.text() if policy.park else "",
        )
        journey = Journey(
            context=context,
            chat=chat,
            config=config,
            policy=policy,
            deadline=deadline,
            began=began,
            redacted=redacted,
            assessment=assessment,
            decision=decision,
            forced=forced,
            allowed=allowed,
            scored=scored,
            redaction_ms=redaction_ms,
            decision_ms=milliseconds_since(begun),
        )
        await self._tell_budget_steps()
        if decision.refusal is not None:
            await self.refuse(journey, decision.refusal)
        if decision.parked is not None:
            await self._parking.park(journey)
        return journey

    def look(self, chat: ChatRequest, context: RequestContext) -> tuple[Assessment, Decision]:
        """Assessment and decision of a request; nothing is redacted, called or written."""
        _config, policy = self.policy()
        assessment = assess(
            chat,
            signals=context.signals,
            classification={"skipped": "dry run"},
            priors=priors_of(self._outcomes.counts(), least=policy.thresholds.prior_min_history),
            keep_local=context.keep_local,
            flagged=self._flagged(),
            config=policy,
        )
        decision = decide(
            assessment,
            policy,
            self._budgets.view(context.key_id),
            self._brains.states(),
            forced=_forced(chat.model),
            allowed=None if context.lanes is None else frozenset(Lane(name) for name in context.lanes),
            text=chat.text() if policy.park else "",
        )
        return assessment, decision

    async def refuse(self, journey: Journey, refusal: Refusal) -> None:
        """Write the refusal's receipt and raise its error."""
        journey.complete_assessment()
        await self._recorder.write(
            journey,
            Receipt(
                kind="request",
                status="blocked",
                error_code=refusal.code,
                reasons=list(journey.decision.reasons),
                data={"refusal": refusal.title},
                **common(journey),
            ),
        )
        raise refusal_error(refusal, journey.request_id)

    async def _tell_budget_steps(self) -> None:
        """A turn of the spend dial leaves a receipt of its own."""
        for step in self._budgets.take_steps():
            await self._recorder.write(
                None,
                Receipt(
                    request_id=new_id(),
                    kind="budget",
                    key_id=step.key_id,
                    reasons=[step.reason or "the budget has room again"],
                    data={
                        "event": "budget_step",
                        "scope": step.scope,
                        "before": step.before.name.lower(),
                        "after": step.after.name.lower(),
                    },
                ),
            )

    async def _redact(self, chat: ChatRequest, context: RequestContext, policy: RoutingPolicy) -> RedactedRequest:
        wanted: dict[str, Any] = {
            "policy": context.policy or policy.redaction_policy,
            "mode": context.mode or policy.redaction_mode,
            "conversation": context.conversation,
        }
        wanted["owner"] = context.key_id
        if wanted["mode"] == "thorough" or sum(len(text) for text in _texts(chat)) > IN_THREAD:
            return await asyncio.to_thread(self._redactor.redact_request, chat, **wanted)
        return self._redactor.redact_request(chat, **wanted)

    async def _assess(
        self,
        chat: ChatRequest,
        context: RequestContext,
        redacted: RedactedRequest,
        policy: RoutingPolicy,
        forced: Lane | None,
    ) -> tuple[Assessment, Callable[[], Assessment] | None]:
        """The assessment, and what completes it; the local model is asked only where its word could change the lane.

        Where the caller names the lane no score can change it: that is worked out for the receipt, during the call.
        """
        features = Features.of(chat)
        priors = priors_of(self._outcomes.counts(), least=policy.thresholds.prior_min_history)
        flagged = self._flagged()
        first = first_look(features, redactions=redacted.counts, keep_local=context.keep_local, config=policy)

        def look(classification: Mapping[str, Any]) -> Assessment:
            return with_score(
                first,
                features,
                signals=context.signals,
                classification=classification,
                priors=priors,
                flagged=flagged,
                config=policy,
            )

        if forced is not None:
            scored = partial(look, {"skipped": "the caller named the lane"})
            return (scored(), None) if policy.park else (first, scored)
        if policy.classify_budget_ms > 0:
            certain = look({"skipped": "the lane is certain without it"})
            if first.keep_local or first.risk == "high" or certain.task != "unknown" or first.follow_up is not None:
                return certain, None
        shown = chat if self._brains.sees_raw() else redacted.chat
        text = shown.last_user_text()[:CLASSIFIED]
        told = await classify(self._brains.local, text, policy.classify_budget_ms, self._brains.patience)
        return look(told), None


def refusal_error(refusal: Refusal, request_id: str) -> LancelotError:
    """The error a refusal is for its caller."""
    kind = REFUSALS[refusal.code]
    return kind(refusal.title, hint=refusal.hint, retry_after=refusal.retry_after, request_id=request_id)


def _forced(model: str) -> Lane | None:
    if model not in MODEL_NAMES:
        raise NotFound(
            "There is no such model.",
            code="model_not_found",
            hint=f"Use one of {', '.join(MODEL_NAMES)}.",
            param="model",
        )
    return MODEL_NAMES[model]


def _texts(chat: ChatRequest) -> list[str]:
    return [message.content for message in chat.messages if isinstance(message.content, str)]
