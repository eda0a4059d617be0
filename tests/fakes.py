"""Fakes that stand behind the declared seams; shared by all tests. A fake keeps the seam's rules and records its calls.

provider = FakeProvider("hello")                       # every call answers "hello"
provider = FakeProvider(ProviderOverloaded(), "hello")  # first call raises, later ones answer; the last entry repeats
provider = FakeProvider(tool_answer("get_weather", {"city": "<LOCATION_1>"}))
provider = FakeProvider([Chunk(delta={"content": "he"}), ProviderTimeout()])   # a stream that breaks
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from lancelot.chat import Answer, ChatRequest, Chunk, Usage
from lancelot.errors import ProviderTimeout
from lancelot.providers.base import Deadline
from lancelot.redaction.redactor import RedactedRequest, require_redacted

__all__ = ["FakeCall", "FakeProvider", "text_answer", "tool_answer"]

Step = str | Answer | Exception | list[Any] | Callable[["FakeCall"], Any]


def text_answer(text: str, *, model: str = "fake-1", finish_reason: str = "stop", usage: Usage | None = None) -> Answer:
    """An answer of plain text; usage defaults to 10 tokens in, 5 out."""
    message = {"role": "assistant", "content": text}
    return Answer(message=message, finish_reason=finish_reason, usage=usage or Usage(input=10, output=5), model=model)


def tool_answer(name: str, arguments: dict[str, Any], *, call_id: str = "call_1", model: str = "fake-1") -> Answer:
    """An answer that calls one tool."""
    call = {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return Answer(message=message, finish_reason="tool_calls", usage=Usage(input=10, output=5), model=model)


@dataclass(frozen=True)
class FakeCall:
    """One call the fake received: the redacted chat as it would have left, as bytes too."""

    chat: ChatRequest
    model: str
    streamed: bool
    sent: bytes = field(repr=False)

    @property
    def sent_sha256(self) -> str:
        return hashlib.sha256(self.sent).hexdigest()


class FakeProvider:
    """A scripted Provider. Each call takes the next script entry; the last one repeats.

    An entry is a text, an Answer, an exception to raise, a list (a stream: chunks, texts, exceptions in order), or a
    function of the FakeCall that returns one of these.

    Args:
        delay_s: seconds each call waits first (kept inside the deadline, as a real provider would).
        gate: when given, each call waits until it is set: for tests of parallel callers.
    """

    def __init__(
        self,
        *script: Step,
        name: str = "fake",
        models: list[str] | Exception | None = None,
        delay_s: float = 0.0,
        gate: asyncio.Event | None = None,
    ) -> None:
        self.name = name
        self.calls: list[FakeCall] = []
        self.closed = False
        self.streams_closed = 0
        self._script: list[Step] = list(script) or ["ok"]
        self._next = itertools.count()
        self._models = ["fake-1"] if models is None else models
        self._delay_s = delay_s
        self._gate = gate

    async def complete(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> Answer:
        call = self._record(request, model, streamed=False)
        await self._wait(deadline)
        step = self._step(call)
        if isinstance(step, list):
            return replace(_joined(step, model), sent_sha256=call.sent_sha256)
        answer = text_answer(step) if isinstance(step, str) else step
        return replace(answer, model=model, sent_sha256=call.sent_sha256, first_token_ms=1.0)

    async def stream(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> AsyncIterator[Chunk]:
        call = self._record(request, model, streamed=True)
        try:
            await self._wait(deadline)
            step = self._step(call)
            for piece in step if isinstance(step, list) else _pieces(step):
                if isinstance(piece, Exception):
                    raise piece
                chunk = Chunk(delta={"content": piece}) if isinstance(piece, str) else piece
                yield replace(chunk, model=model, sent_sha256=call.sent_sha256)
                await asyncio.sleep(0)
        finally:
            self.streams_closed += 1

    async def list_models(self, *, deadline: Deadline) -> list[str]:
        await self._wait(deadline)
        if isinstance(self._models, Exception):
            raise self._models
        return list(self._models)

    async def aclose(self) -> None:
        self.closed = True

    def _record(self, request: RedactedRequest, model: str, *, streamed: bool) -> FakeCall:
        require_redacted(request)
        sent = orjson.dumps(request.chat.model_dump(exclude_none=True) | {"model": model})
        call = FakeCall(request.chat, model, streamed, sent)
        self.calls.append(call)
        return call

    def _step(self, call: FakeCall) -> Any:
        step: Any = self._script[min(next(self._next), len(self._script) - 1)]
        if callable(step):
            step = step(call)
        if isinstance(step, Exception):
            raise step
        return step

    async def _wait(self, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.left()):
                if self._gate is not None:
                    await self._gate.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
        except TimeoutError:
            raise ProviderTimeout() from None


def _pieces(step: str | Answer) -> list[Chunk]:
    """An answer as a stream: role, words, tool calls cut in two, then finish and usage."""
    answer = text_answer(step) if isinstance(step, str) else step
    chunks = [Chunk(delta={"role": "assistant", "content": ""})]
    words = (answer.message.get("content") or "").split(" ")
    for place, word in enumerate(words):
        piece = word if place == 0 else f" {word}"
        if piece:
            chunks.append(Chunk(delta={"content": piece}))
    for index, call in enumerate(answer.message.get("tool_calls") or []):
        text = call["function"]["arguments"]
        head = {"index": index, "id": call["id"], "type": "function"}
        head["function"] = {"name": call["function"]["name"], "arguments": text[: len(text) // 2]}
        chunks.append(Chunk(delta={"tool_calls": [head]}))
        chunks.append(
            Chunk(delta={"tool_calls": [{"index": index, "function": {"arguments": text[len(text) // 2 :]}}]})
        )
    chunks.append(Chunk(finish_reason=answer.finish_reason))
    chunks.append(Chunk(usage=answer.usage))
    return chunks


def _joined(step: list[Any], model: str) -> Answer:
    """A scripted stream as one answer (texts only)."""
    text, finish, usage = "", "stop", Usage(input=10, output=5)
    for piece in step:
        if isinstance(piece, Exception):
            raise piece
        if isinstance(piece, str):
            text += piece
            continue
        text += piece.delta.get("content") or ""
        finish = piece.finish_reason or finish
        usage = piece.usage or usage
    return text_answer(text, model=model, finish_reason=finish, usage=usage)
