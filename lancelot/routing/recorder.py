"""Receipts of the router: one durable line an attempt, and what happens when a line cannot be written.

While receipts cannot be kept nothing new is paid for: `ready()` refuses. An answer that was paid for is delivered with
a warning, its receipt is kept in memory and written, with an event that says so, as soon as the journal works again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lancelot.chat import Usage
from lancelot.errors import LancelotError, StoreError
from lancelot.routing.journey import Attempt, Journey
from lancelot.routing.ports import ReceiptSink
from lancelot.store.receipts import Receipt, new_id

__all__ = ["Recorder"]

MISSING = "The answer is complete, but its receipt could not be written."
KEPT = 1000  # receipts waiting in memory for a journal that cannot be written


class Recorder:
    """Writes receipts for one router. For one event loop or several; the sink itself is thread-safe."""

    def __init__(self, sink: ReceiptSink) -> None:
        self._sink = sink
        self._waiting: deque[Receipt] = deque(maxlen=KEPT)
        self._under_way = 0
        self.problem: StoreError | None = None

    async def ready(self) -> None:
        """Returns when receipts can be written.

        Raises:
            StoreError: they cannot; nothing must be paid for.
        """
        check = getattr(self._sink, "check", None)
        if check is not None:
            check()
        if self.problem is None:
            return
        await self._sink.awrite(
            Receipt(
                request_id=new_id(),
                kind="event",
                reasons=["receipts can be written again"],
                data={"event": "receipts_resumed", "late": len(self._waiting), "problem": self.problem.code},
            )
        )
        self.problem = None
        while self._waiting:
            late = self._waiting[0]
            late.data["late"] = True
            await self._sink.awrite(late)
            self._waiting.popleft()

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request is under way inside. One that is alone writes its receipt itself where the disk is quick."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def attempt(self, journey: Journey, attempt: Attempt) -> None:
        """Write an attempt's receipt; a failure becomes the journey's warning. Runs to its end also when cancelled."""
        if attempt.recorded:
            return
        attempt.recorded = True
        journey.complete_assessment()
        await self.write(journey, receipt_of(journey, attempt))

    async def blocked(self, journey: Journey, problem: LancelotError) -> None:
        """Write that a decided request could not be begun after all."""
        journey.complete_assessment()
        await self.write(
            journey,
            Receipt(
                kind="request",
                status="blocked",
                error_code=problem.code,
                reasons=[*journey.decision.reasons, f"refused: {problem.title}"],
                data={"refusal": problem.title},
                **common(journey),
            ),
        )

    async def write(self, journey: Journey | None, receipt: Receipt) -> None:
        """Write any receipt, shielded from the caller's cancellation."""
        if self._under_way == 1 and self._sink.quick:
            try:
                self._sink.write(receipt)  # nobody else could have used the time
            except StoreError as problem:
                self._missed(journey, receipt, problem)
            return
        task = asyncio.ensure_future(self._write(journey, receipt))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    async def _write(self, journey: Journey | None, receipt: Receipt) -> None:
        try:
            await self._sink.awrite(receipt)
        except StoreError as problem:
            self._missed(journey, receipt, problem)

    def _missed(self, journey: Journey | None, receipt: Receipt, problem: StoreError) -> None:
        self.problem = problem
        self._waiting.append(receipt)
        if journey is not None:
            journey.warning = MISSING


def receipt_of(journey: Journey, attempt: Attempt) -> Receipt:
    """The receipt of one attempt: numbers, names and reasons, never text."""
    usage: Usage = attempt.usage
    return Receipt(
        id=attempt.id,
        parent_id=attempt.parent_id,
        attempt=attempt.number,
        lane=attempt.lane.value,
        provider=attempt.provider,
        model=attempt.model,
        reasons=attempt.reasons,
        tokens_in=usage.input,
        tokens_out=usage.output,
        tokens_cached=usage.cached,
        tokens_cache_write=usage.cache_write,
        tokens_reasoning=usage.reasoning,
        cost_usd=attempt.cost_usd,
        price_version=attempt.price_version,
        status=attempt.status,
        finish_reason=attempt.finish_reason,
        error_code=attempt.error_code,
        sent_sha256=attempt.sent_sha256,
        egress=attempt.egress,
        preview=_preview(journey),
        data=attempt.data,
        **common(journey),
    )


def common(journey: Journey) -> dict[str, Any]:
    """The fields all receipts of a request share."""
    assessment = journey.assessment
    return {
        "request_id": journey.request_id,
        "key_id": journey.context.key_id,
        "conversation_id": journey.context.conversation_hash(),
        "task": assessment.task,
        "assessment": assessment.to_dict(),
        "risk": assessment.risk,
        "complexity": assessment.complexity,
        "deep_score": round(assessment.deep_score, 4) if assessment.known else None,
        "latency": journey.latency(),
        "redactions": dict(journey.redacted.counts),
        "policy": journey.policy_name,
    }


def _preview(journey: Journey) -> str | None:
    if not journey.policy.previews:
        return None
    return journey.redacted.chat.last_user_text()[:400]
