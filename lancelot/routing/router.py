"""ModelRouter: carries a request all the way, to the cheapest brain that can do it; its receipt tells why.

redact -> assess -> budget -> decide (pure) -> call, escalate -> restore -> receipt

routed = await router.handle(request)            # RoutedResponse
stream = await router.stream(request)            # RoutedStream: lane and receipt id known, then `async for chunk`
router.explain(request)                          # the decision alone; no call is made
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lancelot.approvals import ApprovalQueue
from lancelot.chat import Answer, ChatRequest, parse_chat
from lancelot.errors import LancelotError
from lancelot.providers.base import Provider
from lancelot.providers.profiles import ProviderProfile
from lancelot.routing.attempts import Attempts
from lancelot.routing.brains import Brains
from lancelot.routing.budget import NoBudgets
from lancelot.routing.context import RequestContext
from lancelot.routing.explain import Explanation, explanation
from lancelot.routing.journey import Attempt, Journey, RoutedResponse
from lancelot.routing.lanes import Lane
from lancelot.routing.limits import limit_words
from lancelot.routing.outcomes import MemoryOutcomes
from lancelot.routing.ports import Budgets, ConfigSource, LocalBrain, Outcomes, ReceiptSink, Redacts
from lancelot.routing.prepare import Preparer
from lancelot.routing.recorder import Recorder
from lancelot.routing.streaming import RoutedStream, pieces
from lancelot.routing.utility import UtilityTasks

__all__ = ["Explanation", "ModelRouter", "RequestContext", "RoutedResponse", "RoutedStream"]


class ModelRouter:
    """Routes requests. Safe for many at once on one event loop.

    Args:
        redactor: the only maker of what may leave.
        brain: the local model; None while there is none.
        provider, profile: the flagship and its lanes; None while none is set up.
        config: configuration in force, asked at every request.
        receipts: where receipts become durable.
        ledger: outcomes by task type; kept in memory when None.
        budgets: money and token limits; none when None.
        approvals: where parked requests wait; without it they are refused with `approval_needed`.
        flagged: utility tasks on which the local model is under its exam bar; they are not left to it.
    """

    def __init__(
        self,
        *,
        redactor: Redacts,
        brain: LocalBrain | None,
        provider: Provider | None,
        profile: ProviderProfile | None,
        config: ConfigSource,
        receipts: ReceiptSink,
        ledger: Outcomes | None = None,
        budgets: Budgets | None = None,
        approvals: ApprovalQueue | None = None,
        flagged: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.brains = Brains(brain, provider, profile)
        self.budgets = budgets or NoBudgets()
        self.outcomes = ledger or MemoryOutcomes()
        self.recorder = Recorder(receipts)
        self._preparer = Preparer(
            redactor, config, self.brains, self.budgets, self.outcomes, self.recorder, approvals, flagged
        )
        self._attempts = Attempts(self.brains, self.budgets, self.outcomes, self.recorder, approvals)
        self._utility = UtilityTasks(self.brains, redactor, self.recorder, self._preparer, flagged)

    async def handle(
        self, request: ChatRequest | dict[str, Any], *, context: RequestContext | None = None
    ) -> RoutedResponse:
        """One complete answer. Its receipts are durable when this returns.

        Raises:
            BadInput, NotFound: the request is wrong, or names an unknown model.
            StoreError: receipts cannot be written; nothing was paid for.
            ApprovalNeeded, BudgetSpent, Forbidden, NotReady, LocalModelError, ProviderError: as they say.
        """
        with self.recorder.request():
            return await self._answered(_chat(request), context or RequestContext())

    async def _answered(self, chat: ChatRequest, context: RequestContext) -> RoutedResponse:
        journey = await self._preparer.prepare(chat, context)
        self._attempts.complaint(journey)
        kept: tuple[Attempt, Answer] | None = None
        while True:
            try:
                attempt = await self._attempts.begin(journey)
                answer = await self._attempts.complete(journey, attempt)
            except LancelotError:
                if journey.upcoming is None:
                    if kept is None:
                        raise
                    return _response(journey, *kept)  # an imperfect answer is better than the next brain's error
            else:
                kept = (attempt, answer)
                if journey.upcoming is None:
                    return _response(journey, attempt, answer)

    def stream(self, request: ChatRequest | dict[str, Any], context: RequestContext | None = None) -> RoutedStream:
        """The answer piece by piece. Await it to know lane and receipt before the first chunk, or just iterate.

        Escalates until the first content arrives, not after. Raises as `handle` does, before the first chunk;
        a provider that breaks later raises from the iteration.
        """
        return RoutedStream(pieces(self._preparer, self._attempts, _chat(request), context or RequestContext()))

    def explain(self, request: ChatRequest | dict[str, Any], *, context: RequestContext | None = None) -> Explanation:
        """Lane, score, risk, task and every reason at this moment; calls nothing and writes nothing."""
        chat, context = _chat(request), context or RequestContext()
        assessment, decision = self._preparer.look(chat, context)
        if decision.lane is not None:
            config, tokens_in = self._preparer.policy()[0], assessment.capabilities.context_tokens
            limit = self._attempts.limit_now(decision.lane, chat, context.key_id, tokens_in, config)
            if limit is not None:
                decision = replace(decision, reasons=(*decision.reasons, limit_words(limit)))
        return explanation((assessment, decision))

    def set_brains(
        self, *, brain: LocalBrain | None, provider: Provider | None, profile: ProviderProfile | None
    ) -> None:
        """Other brains from the next request on (the operator has chosen another provider)."""
        self.brains.local, self.brains.provider, self.brains.profile = brain, provider, profile

    def status(self) -> dict[str, Any]:
        """{"lanes": {lane: {"available", "why", "model", "breaker": {…}}}, "receipts": {…}} for pages and routes."""
        states = self.brains.states()
        problem = self.recorder.problem
        return {
            "lanes": {
                lane.value: {
                    "available": state.available,
                    "why": state.why,
                    "model": state.model,
                    "provider": self.brains.provider_name(lane),
                    "breaker": self._breaker(lane),
                }
                for lane, state in states.items()
            },
            "budgets": self.budgets.status(),
            "banner": self.budgets.banner(),
            "receipts": {"writable": problem is None, "problem": problem.to_dict() if problem else None},
        }

    async def utility(
        self, task: str, payload: dict[str, Any], context: RequestContext | None = None
    ) -> dict[str, Any]:
        """One utility task of the local model, with a receipt; shapes as in `routing.utility`. Nothing leaves."""
        return await self._utility.run(task, payload, context or RequestContext())

    def _breaker(self, lane: Lane) -> dict[str, Any]:
        state = self.brains.breakers[lane].state()
        return {
            "state": state.state,
            "reason": state.reason,
            "failures": state.failures,
            "ends_in_s": round(state.ends_in_s, 1),
        }


def _chat(request: ChatRequest | dict[str, Any]) -> ChatRequest:
    return request if isinstance(request, ChatRequest) else parse_chat(request)


def _response(journey: Journey, attempt: Attempt, answer: Answer) -> RoutedResponse:
    return RoutedResponse(
        answer=answer,
        lane=attempt.lane,
        reasons=list(attempt.reasons),
        receipt_id=attempt.id,
        request_id=journey.request_id,
        redactions=dict(journey.redacted.counts),
        usage=answer.usage,
        cost_usd=journey.total_cost(),
        latency=journey.latency(),
        model=attempt.model or answer.model,
        provider=attempt.provider,
        task=journey.assessment.task,
        risk=journey.assessment.risk,
        attempts=len(journey.attempts),
        warning=journey.warning,
    )
