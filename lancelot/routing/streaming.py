"""A routed answer piece by piece: escalation until the first content, originals restored on the way.

The receipt is durable before the last chunk is handed on, and also when the caller goes away in the middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from lancelot.chat import Answer, ChatRequest, Chunk, Usage
from lancelot.errors import LancelotError, ProviderMalformed
from lancelot.routing.attempts import Attempts
from lancelot.routing.context import RequestContext
from lancelot.routing.journey import Attempt, Journey, milliseconds_since
from lancelot.routing.judge import Verdict, judge
from lancelot.routing.lanes import Lane
from lancelot.routing.prepare import Preparer
from lancelot.store.receipts import Latency

__all__ = ["RoutedStream", "pieces"]

Pieces = AsyncGenerator[Journey | Chunk, None]


class RoutedStream:
    """An async iterator of chunks. `await` it first to know lane, receipt and redactions before any chunk.

    Close it (`aclose`) to hang up; the receipt then says cancelled.
    """

    def __init__(self, source: Pieces) -> None:
        self._source = source
        self._journey: Journey | None = None
        self._lock = asyncio.Lock()

    def __await__(self) -> Generator[Any, None, RoutedStream]:
        return self._ready().__await__()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        await self._ready()
        piece = await anext(self._source)
        assert isinstance(piece, Chunk)
        return piece

    async def aclose(self) -> None:
        """Hang up: the upstream is closed and the receipt written. Closing twice, or at the end, changes nothing."""
        await self._source.aclose()

    async def _ready(self) -> RoutedStream:
        async with self._lock:
            if self._journey is None:
                first = await anext(self._source)
                assert isinstance(first, Journey)
                self._journey = first
        return self

    @property
    def journey(self) -> Journey:
        if self._journey is None:
            raise RuntimeError("await the stream before reading its facts")
        return self._journey

    @property
    def request_id(self) -> str:
        return self.journey.request_id

    @property
    def receipt_id(self) -> str:
        return self.journey.last.id

    @property
    def lane(self) -> Lane:
        return self.journey.last.lane

    @property
    def reasons(self) -> list[str]:
        return list(self.journey.last.reasons)

    @property
    def redactions(self) -> dict[str, int]:
        return dict(self.journey.redacted.counts)

    @property
    def model(self) -> str:
        return self.journey.last.model or self.lane.value

    @property
    def provider(self) -> str:
        return self.journey.last.provider

    @property
    def task(self) -> str:
        return self.journey.assessment.task

    @property
    def risk(self) -> str:
        return self.journey.assessment.risk

    @property
    def warning(self) -> str | None:
        return self.journey.warning

    @property
    def usage(self) -> Usage:
        """As far as it is known; complete after the last chunk."""
        return self.journey.last.usage

    @property
    def cost_usd(self) -> Decimal | None:
        """After the last chunk; None is unknown."""
        return self.journey.total_cost()

    @property
    def latency(self) -> Latency:
        return self.journey.latency()


async def pieces(preparer: Preparer, attempts: Attempts, chat: ChatRequest, context: RequestContext) -> Pieces:
    """First the journey (lane and receipt id are known, content is on its way), then the chunks."""
    with attempts.recorder.request():
        journey = await preparer.prepare(chat, context)
        attempts.complaint(journey)
        while True:
            attempt = await attempts.begin(journey)
            attempts.called(journey, attempt)
            run = _Run(journey, attempt, attempts)
            try:
                problem = await run.open()
                if problem is not None:
                    raise problem
                yield journey
                async for chunk in run.rest():
                    yield chunk
                return
            except _Unsatisfied:
                if journey.upcoming is not None:
                    continue
                yield journey  # nothing better to be had: what there is, is the answer
                for chunk in run.held:
                    yield chunk
                return
            except LancelotError:
                if journey.upcoming is None:
                    raise
            except (asyncio.CancelledError, GeneratorExit):
                await attempts.cancelled(journey, attempt)
                raise
            finally:
                await run.close()


class _Unsatisfied(Exception):
    """The stream ended well but without content."""


class _Run:
    """One attempt's stream."""

    def __init__(self, journey: Journey, attempt: Attempt, attempts: Attempts) -> None:
        self._journey = journey
        self._attempt = attempt
        self._attempts = attempts
        self._upstream = attempts.brains.stream(attempt.lane, journey, journey.deadline, limit=attempt.limit)
        raw = attempt.lane is Lane.LOCAL and attempts.brains.sees_raw()
        self._restorer = None if raw else journey.redacted.restorer()
        self._text: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self.held: list[Chunk] = []  # from the finish on, until the receipt is durable
        self._early: list[Chunk] = []  # what came before the first content
        self.opened = False

    async def open(self) -> LancelotError | None:
        """Wait for the first content. Gives back the error when the brain failed before it."""
        try:
            async for chunk in self._timed():
                for ready in self._take(chunk):
                    self._early.append(ready)
                if self._text or self._calls:
                    self.opened = True
                    return None
        except (LancelotError, TimeoutError) as problem:
            return await self._attempts.failed(self._journey, self._attempt, problem)
        if self._attempt.finish_reason is None:
            broken = ProviderMalformed("The stream ended before the answer was complete.")
            return await self._attempts.failed(self._journey, self._attempt, broken)
        await self._finish()
        raise _Unsatisfied

    async def rest(self) -> AsyncIterator[Chunk]:
        """Everything from the first content on."""
        try:
            for chunk in self._early:
                yield chunk
            async for chunk in self._timed():
                for ready in self._take(chunk):
                    yield ready
        except (LancelotError, TimeoutError) as problem:
            raise await self._attempts.failed(self._journey, self._attempt, problem, final=True) from None
        if self._attempt.finish_reason is None:
            broken = ProviderMalformed("The stream ended before the answer was complete.")
            raise await self._attempts.failed(self._journey, self._attempt, broken, final=True)
        await self._finish()
        for chunk in self.held:
            yield chunk

    async def close(self) -> None:
        """Close the connection, whatever happened."""
        closing = getattr(self._upstream, "aclose", None)
        if closing is not None:
            with suppress(LancelotError):
                await closing()

    async def _timed(self) -> AsyncIterator[Chunk]:
        while True:
            async with asyncio.timeout(self._journey.deadline.left() + 1.0):
                try:
                    chunk = await anext(self._upstream)
                except StopAsyncIteration:
                    return
            yield chunk

    def _take(self, chunk: Chunk) -> list[Chunk]:
        """Note what a chunk says; the restored chunks that may be handed on at once."""
        attempt = self._attempt
        attempt.model = chunk.model or attempt.model
        attempt.sent_sha256 = chunk.sent_sha256 or attempt.sent_sha256
        attempt.usage = chunk.usage or attempt.usage
        attempt.finish_reason = chunk.finish_reason or attempt.finish_reason
        content, calls = chunk.delta.get("content"), chunk.delta.get("tool_calls")
        if (content or calls) and attempt.first_token_ms is None:
            attempt.first_token_ms = round(milliseconds_since(attempt.began), 3)
        if content:
            self._text.append(content)
        for call in calls or ():
            self._note(call)
        restored = [chunk] if self._restorer is None else self._restorer.feed(chunk)
        if chunk.finish_reason is None and not self.held and chunk.usage is None:
            return restored
        self.held += restored
        return []

    def _note(self, call: dict[str, Any]) -> None:
        known = self._calls.setdefault(call.get("index", 0), {"function": {"name": "", "arguments": ""}})
        function = call.get("function") or {}
        known["function"]["name"] += function.get("name") or ""
        known["function"]["arguments"] += function.get("arguments") or ""

    async def _finish(self) -> None:
        """The upstream has ended well: judge for the ledger, write the receipt."""
        attempt, journey = self._attempt, self._journey
        if self._restorer is not None:
            self.held += self._restorer.flush()
        attempt.provider_ms = milliseconds_since(attempt.began)
        answer = Answer(
            message={"role": "assistant", "content": "".join(self._text), "tool_calls": list(self._calls.values())},
            finish_reason=attempt.finish_reason or "stop",
            usage=attempt.usage,
            model=attempt.model or "",
        )
        if self._restorer is not None:
            answer = journey.redacted.restore_answer(answer)
        verdict: Verdict = judge(answer, journey.chat)
        await self._attempts.finished(journey, attempt, verdict, final=self.opened)
