"""One call after another: reserve, call, judge, settle, receipt; and whether a dearer brain should try next."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from lancelot.approvals import ApprovalQueue
from lancelot.chat import Answer, ChatRequest, Usage
from lancelot.config import Config
from lancelot.errors import (
    BadInput,
    BudgetSpent,
    ContentFiltered,
    ContextTooLong,
    LancelotError,
    LocalModelError,
    NotReady,
    ProviderAuth,
    ProviderError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
)
from lancelot.routing.brains import Brains, tokens_spent
from lancelot.routing.compare import SecondOpinion
from lancelot.routing.decide import decide
from lancelot.routing.decision import Decision
from lancelot.routing.journey import Attempt, Journey, milliseconds_since
from lancelot.routing.judge import Verdict, judge
from lancelot.routing.lanes import Lane
from lancelot.routing.limits import limit_words, limited_to
from lancelot.routing.ports import Budgets, Outcomes, Reservation
from lancelot.routing.recorder import Recorder

__all__ = ["Attempts"]

UNKNOWN = "unknown"
REMEMBERED = 2_000  # conversations whose newest answer a complaint can be held against
# errors that say nothing about the lane's health
CALLERS_OWN = (BadInput, ContextTooLong, ContentFiltered, BudgetSpent)
# errors after which the other side has done no work that could be owed
NOT_SERVED = (
    BadInput,
    ContextTooLong,
    LocalModelError,
    NotReady,
    ProviderAuth,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderUnreachable,
)


class Attempts:
    """Runs attempts for one router."""

    def __init__(
        self,
        brains: Brains,
        budgets: Budgets,
        outcomes: Outcomes,
        recorder: Recorder,
        approvals: ApprovalQueue | None = None,
    ) -> None:
        self._approvals = approvals
        self.brains = brains
        self._budgets = budgets
        self._outcomes = outcomes
        self.recorder = recorder
        self._answered: dict[str, tuple[str, Lane]] = {}  # by conversation: what its newest answer was
        self._opinion = SecondOpinion(brains, recorder)

    async def begin(self, journey: Journey) -> Attempt:
        """The next attempt on the decided lane, money set aside for it.

        A budget whose rest does not cover the call moves it to a cheaper lane where no hard rule forbids that.

        Raises:
            BudgetSpent: and no cheaper lane may answer.
            NotReady: the lane's breaker has opened a moment ago, or its one trial call is under way.
        """
        if journey.upcoming is not None:
            journey.decision, journey.upcoming = journey.upcoming, None
        try:
            lane, reservation, limit = self._reserved(journey)
        except (BudgetSpent, NotReady) as problem:
            problem.extra.setdefault("request_id", journey.request_id)
            await self.recorder.blocked(journey, problem)
            raise
        attempt = Attempt(
            lane=lane,
            number=len(journey.attempts) + 1,
            model=self.brains.model(lane),
            provider=self.brains.provider_name(lane),
            egress=self.brains.egress(lane),
            parent_id=journey.last.id if journey.attempts else None,
            reasons=list(journey.decision.reasons),
            reservation=reservation,
            limit=limit,
        )
        if limit is not None:
            attempt.data["output_limit"] = limit
            attempt.reasons.append(limit_words(limit))
        left_out = self.brains.left_out(lane, journey)
        if left_out:
            attempt.reasons.append(f"not sent, because {attempt.model} does not take it: {', '.join(left_out)}")
        journey.attempts.append(attempt)
        return attempt

    def _reserved(self, journey: Journey) -> tuple[Lane, Reservation, int | None]:
        """A lane that may be called now, with money set aside, and the answer's limit where that does not cover all it
        may come to; the journey's decision names the lane."""
        blocked: dict[Lane, str] = {}
        while True:
            lane = journey.decision.lane
            assert lane is not None
            breaker = self.brains.breakers[lane]
            if not breaker.allow():
                state = breaker.state()
                raise NotReady(
                    f"The {lane} lane is being tried again after failures ({state.reason}).",
                    hint="Try again in a moment.",
                    retry_after=max(1.0, round(state.ends_in_s, 1)),
                )
            need = self.brains.need_of(lane, journey)
            try:
                reservation = self._budgets.reserve(lane, journey.context.key_id, need)
                return lane, reservation, limited_to(self.brains.usual_output(lane), need, reservation.share)
            except BudgetSpent as problem:
                breaker.gave_up()
                if journey.forced is not None or journey.attempts:
                    raise
                blocked[lane] = problem.title
                self._cheaper(journey, blocked, problem)

    def limit_now(
        self, lane: Lane, chat: ChatRequest, key_id: str | None, tokens_in: int, config: Config
    ) -> int | None:
        """The limit (tokens) a budget would give an answer at this moment; None where none. Sets nothing aside."""
        need = self.brains.need(lane, chat, tokens_in, config.prices)
        try:
            reservation = self._budgets.reserve(lane, key_id, need)
        except BudgetSpent:
            return None
        reservation.release()
        return limited_to(self.brains.usual_output(lane), need, reservation.share)

    def _cheaper(self, journey: Journey, blocked: dict[Lane, str], problem: BudgetSpent) -> None:
        """Decide again without the lanes the budget does not reach any more."""
        view = self._budgets.view(journey.context.key_id)
        decision = decide(
            journey.assessment,
            journey.policy,
            replace(view, blocked={**view.blocked, **blocked}),
            self.brains.states(),
            allowed=journey.allowed,
        )
        if decision.lane is None or decision.lane in blocked or _waits(journey, decision):
            raise problem
        journey.decision = decision

    async def complete(self, journey: Journey, attempt: Attempt) -> Answer:
        """One whole answer, restored and judged (`attempt.data["signal"]`); its receipt is durable on return."""
        self.called(journey, attempt)
        beside = self._opinion.begin(journey, attempt)
        try:
            async with asyncio.timeout(journey.deadline.left() + 1.0):  # brains keep the deadline; the last resort
                answer = await self.brains.complete(attempt.lane, journey, journey.deadline, limit=attempt.limit)
            self.arrived(attempt, answer)
            if attempt.lane is not Lane.LOCAL:
                answer = journey.redacted.restore_answer(answer)
            verdict = judge(answer, journey.chat)
            if verdict.ok and beside is not None:
                verdict = await self._opinion.end(journey, attempt, answer, beside)
        except asyncio.CancelledError:
            await self.cancelled(journey, attempt)
            raise
        except (LancelotError, TimeoutError) as problem:
            raise await self.failed(journey, attempt, problem) from None
        finally:
            if beside is not None and not beside.done():
                beside.cancel()
        await self.finished(journey, attempt, verdict)
        return answer

    def called(self, journey: Journey, attempt: Attempt) -> None:
        """The call begins: what its receipt still lacks is worked out as soon as the answer is being waited for."""
        attempt.began = time.perf_counter()
        if journey.scored is not None:
            asyncio.get_running_loop().call_soon(journey.complete_assessment)

    def arrived(self, attempt: Attempt, answer: Answer) -> None:
        """Take over what the answer says of itself."""
        attempt.provider_ms = milliseconds_since(attempt.began)
        attempt.model = answer.model or attempt.model
        attempt.finish_reason = answer.finish_reason
        attempt.usage = answer.usage
        attempt.sent_sha256 = answer.sent_sha256
        attempt.first_token_ms = answer.first_token_ms

    async def finished(self, journey: Journey, attempt: Attempt, verdict: Verdict, *, final: bool = False) -> None:
        """An answer came: settle, remember the outcome, plan what follows, write the receipt.

        final: it has been handed on already, so nothing can follow (streams).
        """
        journey.complete_assessment()
        self.brains.breakers[attempt.lane].succeeded()
        cut = attempt.limit is not None and verdict.signal == "truncated"
        if cut:  # by our own limit: another brain would be cut off as well, and the lane is not to blame
            verdict = Verdict()
            attempt.data["cut_by_budget"] = True
            attempt.reasons.append("the answer was cut off at that limit")
        if verdict.signal is not None:
            attempt.data["signal"] = verdict.signal
            attempt.reasons.append(f"signal {verdict.signal}: {verdict.reason}")
        attempt.data["sufficed"] = verdict.ok
        if journey.assessment.task != UNKNOWN and not cut:
            self._outcomes.record(journey.assessment.task, attempt.lane, verdict.ok)
            self._remember(journey, attempt)
        self.brains.price(attempt, journey)
        journey.upcoming = None
        if verdict.signal is not None and verdict.signal in journey.policy.escalate_on and not final:
            journey.upcoming = self._next(journey, attempt, f"signal {verdict.signal}", down=False)
        await self._close(journey, attempt)

    def complaint(self, journey: Journey) -> None:
        """A follow-up says that the answer before did not do: the ledger learns it, once for each answer."""
        conversation = journey.context.conversation_hash()
        if journey.assessment.follow_up is None or conversation is None:
            return
        before = self._answered.pop(conversation, None)
        if before is not None:
            self._outcomes.record(*before, False)

    def _remember(self, journey: Journey, attempt: Attempt) -> None:
        conversation = journey.context.conversation_hash()
        if conversation is not None:
            self._answered.pop(conversation, None)
            self._answered[conversation] = (journey.assessment.task, attempt.lane)
            while len(self._answered) > REMEMBERED:
                del self._answered[next(iter(self._answered))]

    async def failed(
        self, journey: Journey, attempt: Attempt, problem: Exception, *, final: bool = False
    ) -> LancelotError:
        """A call failed: tell the breaker, plan what follows, write the receipt; the error as the caller may see it."""
        if not isinstance(problem, LancelotError):
            problem = ProviderTimeout("The answer did not come in time.", hint="Raise the deadline.")
        attempt.status, attempt.error_code = "error", problem.code
        attempt.provider_ms = milliseconds_since(attempt.began)
        breaker = self.brains.breakers[attempt.lane]
        if isinstance(problem, CALLERS_OWN):
            breaker.gave_up()
        else:
            breaker.failed(problem.code, retry_after=problem.retry_after)
        attempt.reasons.append(f"error {problem.code}: {problem.title}")
        self.brains.price(attempt, journey)
        journey.upcoming = None if final else self._after_error(journey, attempt, problem)
        await self._close(journey, attempt, free=isinstance(problem, NOT_SERVED))
        problem.extra.setdefault("request_id", journey.request_id)
        problem.extra.setdefault("receipt_id", attempt.id)
        return problem

    async def cancelled(self, journey: Journey, attempt: Attempt) -> None:
        """The caller has gone: close the books."""
        if attempt.recorded:
            return
        attempt.status, attempt.error_code = "cancelled", "client_disconnected"
        attempt.provider_ms = milliseconds_since(attempt.began)
        self.brains.breakers[attempt.lane].gave_up()
        attempt.reasons.append("the caller went away before the answer was complete")
        self.brains.price(attempt, journey)
        await self._close(journey, attempt)

    async def _close(self, journey: Journey, attempt: Attempt, *, free: bool = False) -> None:
        """Settle the budget and write the receipt. free: the other side did no work, so nothing is owed."""
        guess = self.brains.need_of(attempt.lane, journey).tokens
        if free and attempt.usage == Usage():
            attempt.reservation.release()
        else:
            attempt.reservation.settle(attempt.cost_usd, tokens_spent(attempt.usage, guess))
        if journey.approval_id is not None:
            attempt.data["approval_id"] = journey.approval_id
        await self.recorder.attempt(journey, attempt)
        if journey.approval_id is not None and journey.upcoming is None and self._approvals is not None:
            done, journey.approval_id = journey.approval_id, None
            await asyncio.to_thread(self._approvals.finish, done)

    def _after_error(self, journey: Journey, attempt: Attempt, problem: LancelotError) -> Decision | None:
        wanted = journey.policy.escalate_on
        if "error" not in wanted or isinstance(problem, (BadInput, ProviderAuth)):
            return None
        if isinstance(problem, ContentFiltered) and "refusal" not in wanted:
            return None
        down = isinstance(problem, (ProviderError, NotReady)) and not isinstance(problem, CALLERS_OWN)
        return self._next(journey, attempt, f"error {problem.code}", down=down)

    def _next(self, journey: Journey, attempt: Attempt, why: str, *, down: bool) -> Decision | None:
        """The decision for another brain: a dearer one, or after deep's error the fast one where no risk forbids it."""
        policy = journey.policy
        if journey.decision.held or journey.forced is not None or journey.deadline.left() <= 0:
            return None
        if len(journey.attempts) >= policy.max_attempts:
            attempt.data["stopped"] = "max_attempts"
            return None
        tried = {one.lane for one in journey.attempts}
        wanted = [(lane, f"escalated from {attempt.lane} to {lane}: {why}") for lane in attempt.lane.above()]
        if down and not journey.decision.hard and attempt.lane is Lane.DEEP:
            wanted.append((Lane.FAST, f"failed over from deep to fast: {why}"))
        for lane, reason in wanted:
            decision = None if lane in tried else self._decided(journey, lane, reason)
            if decision is not None:
                return decision
        return None

    def _decided(self, journey: Journey, lane: Lane, reason: str) -> Decision | None:
        cap = journey.policy.max_cost_usd
        usd = self.brains.need_of(lane, journey).usd
        if cap is not None and usd is not None and journey.spent_usd() + usd > cap:
            journey.last.data["stopped"] = "max_cost_usd_per_request"
            return None
        decision = decide(
            replace(journey.assessment, reasons=(reason,)),
            journey.policy,
            self._budgets.view(journey.context.key_id),
            self.brains.states(),
            forced=lane,
            allowed=journey.allowed,
        )
        if decision.lane is not lane or _waits(journey, decision):
            journey.last.data["stopped"] = decision.refusal.code if decision.refusal else "approval_needed"
            return None
        # that the lane is forced is the router's own doing here, not the caller's
        reasons = tuple(one for one in decision.reasons if not one.startswith("forced_"))
        return replace(decision, reasons=reasons, hard=journey.decision.hard)


def _waits(journey: Journey, decision: Decision) -> bool:
    """Whether a person would have to look first; one who has allowed the request has allowed its attempts."""
    return decision.parked is not None and journey.approval_id is None
