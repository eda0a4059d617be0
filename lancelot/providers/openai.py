"""OpenAI's Responses API over httpx (docs/decisions tell why not Chat Completions): stateless, nothing stored there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import orjson
from pydantic import SecretStr

from lancelot.chat import Answer, Chunk, Usage
from lancelot.config import ModelEntry
from lancelot.errors import ProviderMalformed
from lancelot.providers.base import Deadline
from lancelot.providers.carried import Carried
from lancelot.providers.failures import truncated
from lancelot.providers.openai_body import openai_body
from lancelot.providers.reading import count, decoded, objects, tool_call
from lancelot.providers.reading import text as said
from lancelot.providers.selfhosted import openai_failure
from lancelot.providers.stops import StopCutter
from lancelot.providers.wire import BaseUrl, Retry, Wire, sealed_chat
from lancelot.redaction.redactor import RedactedRequest

__all__ = ["OpenAI"]

ENDED: Final = {"completed", "incomplete"}
LENGTH: Final = {"max_output_tokens", "max_tokens"}


class OpenAI:
    """A Provider over `POST {base_url}/responses`."""

    name = "openai"

    def __init__(
        self,
        *,
        base_url: BaseUrl,
        key: SecretStr,
        models: Mapping[str, ModelEntry] | None = None,
        client: httpx.AsyncClient | None = None,
        retry: Retry | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {key.get_secret_value().strip()}"}
        self._models = models or {}
        self._carried = Carried()
        self._wire = Wire(base_url=base_url, headers=headers, explain=openai_failure, client=client, retry=retry)

    async def complete(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> Answer:
        chat = sealed_chat(request)
        body = openai_body(chat, model, self._models.get(model), self._carried)
        reply = await self._wire.post(request, "/responses", body, deadline)
        response = reply.body
        if not isinstance(response, dict) or response.get("status") not in ENDED:
            raise self._wire.failed(200, reply.headers, response)
        items = objects(response.get("output"))
        remember(self._carried, items)
        content = [part for item in items if item.get("type") == "message" for part in objects(item.get("content"))]
        text = "".join(str(part.get("text") or "") for part in content if part.get("type") == "output_text")
        refusal = "".join(str(part.get("refusal") or "") for part in content if part.get("type") == "refusal")
        calls = [
            tool_call(str(item.get("call_id")), str(item.get("name")), str(item.get("arguments") or "{}"))
            for item in items
            if item.get("type") == "function_call"
        ]
        cutter = StopCutter(chat.stop)
        text = cutter.feed(text) + cutter.flush()
        message: dict[str, Any] = {"role": "assistant", "content": text if text or not (calls or refusal) else None}
        if calls:
            message["tool_calls"] = calls
        if refusal:
            message["refusal"] = refusal
        return Answer(
            message=message,
            finish_reason="stop" if cutter.stopped else _finish(response, bool(calls)),
            usage=_usage(response.get("usage")),
            model=said(response.get("model")) or model,
            sent_sha256=reply.sent_sha256,
            first_token_ms=reply.first_byte_ms,
            upstream_id=said(response.get("id")),
        )

    async def stream(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> AsyncIterator[Chunk]:
        chat = sealed_chat(request)
        body = openai_body(chat, model, self._models.get(model), self._carried) | {"stream": True}
        async with self._wire.stream(request, "/responses", body, deadline) as live:
            reading = _Reading(model, live.sent_sha256, StopCutter(chat.stop), self._carried)
            while (events := await live.events()) is not None:
                for event in events:
                    piece = decoded(event.data)
                    if piece.get("type") == "error":
                        # the event itself is the error object, or wraps one
                        raise self._wire.failed(200, live.headers, {"error": piece.get("error") or piece})
                    if piece.get("type") == "response.failed":
                        raise self._wire.failed(200, live.headers, piece.get("response"))
                    for chunk in reading.read(piece):
                        yield chunk
                    if reading.ended:
                        return
            raise truncated()

    async def list_models(self, *, deadline: Deadline) -> list[str]:
        reply = await self._wire.get("/models", deadline)
        if not isinstance(reply.body, dict) or "data" not in reply.body:
            raise self._wire.failed(200, reply.headers, reply.body)
        return [str(entry["id"]) for entry in objects(reply.body["data"]) if entry.get("id")]

    async def aclose(self) -> None:
        await self._wire.aclose()


class _Reading:
    """One stream's events turned into chunks."""

    def __init__(self, model: str, sent_sha256: str | None, cutter: StopCutter, carried: Carried) -> None:
        self.ended = False
        self._model = model
        self._sent = sent_sha256
        self._cutter = cutter
        self._carried = carried
        self._calls: dict[int, int] = {}  # output index -> tool call index

    def read(self, piece: dict[str, Any]) -> list[Chunk]:
        kind = piece.get("type")
        if kind == "response.output_text.delta":
            text = self._cutter.feed(str(piece.get("delta") or ""))
            return [self._chunk({"content": text})] if text else []
        if kind == "response.function_call_arguments.delta":
            index = self._calls.get(count(piece.get("output_index")) or 0)
            if index is None:
                raise ProviderMalformed()
            call = {"index": index, "function": {"arguments": str(piece.get("delta") or "")}}
            return [self._chunk({"tool_calls": [call]})]
        if kind == "response.output_item.added":
            return self._item(piece)
        if kind == "response.refusal.delta":
            return [self._chunk({"refusal": str(piece.get("delta") or "")})]
        if kind == "response.created":
            self._model = said((piece.get("response") or {}).get("model")) or self._model
            return [self._chunk({"role": "assistant", "content": ""})]
        if kind in ("response.completed", "response.incomplete"):
            return self._end(piece.get("response") or {})
        return []

    def _item(self, piece: dict[str, Any]) -> list[Chunk]:
        item = piece.get("item") or {}
        if item.get("type") != "function_call":
            return []
        index = self._calls[count(piece.get("output_index")) or 0] = len(self._calls)
        call = tool_call(str(item.get("call_id")), str(item.get("name")), str(item.get("arguments") or ""))
        return [self._chunk({"tool_calls": [{"index": index} | call]})]

    def _end(self, response: dict[str, Any]) -> list[Chunk]:
        self.ended = True
        remember(self._carried, objects(response.get("output")))
        finish = "stop" if self._cutter.stopped else _finish(response, bool(self._calls))
        rest = self._cutter.flush()
        chunks = [self._chunk({"content": rest})] if rest else []
        return [*chunks, Chunk({}, finish, _usage(response.get("usage")), self._model, self._sent)]

    def _chunk(self, delta: dict[str, Any]) -> Chunk:
        return Chunk(delta=delta, model=self._model, sent_sha256=self._sent)


def remember(carried: Carried, items: list[dict[str, Any]]) -> None:
    """Keep the encrypted reasoning before each tool call: it goes back with the call's result."""
    pending: list[dict[str, Any]] = []
    for item in items:
        if item.get("type") == "reasoning" and item.get("encrypted_content"):
            pending.append(
                {
                    "type": "reasoning",
                    "summary": item.get("summary") or [],
                    "encrypted_content": item["encrypted_content"],
                }
            )
        elif item.get("type") == "function_call" and pending:
            carried.keep(str(item.get("call_id")), pending, len(orjson.dumps(pending)))
            pending = []


def _finish(response: dict[str, Any], called: bool) -> str:
    reason = (response.get("incomplete_details") or {}).get("reason")
    if reason == "content_filter":
        return "content_filter"
    if reason in LENGTH or response.get("status") == "incomplete":
        return "length"
    return "tool_calls" if called else "stop"


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    into, out = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return Usage(
        input=count(usage.get("input_tokens")),
        output=count(usage.get("output_tokens")),
        cached=count(into.get("cached_tokens")) or 0,
        cache_write=count(into.get("cache_write_tokens")) or 0,
        reasoning=count(out.get("reasoning_tokens")) or 0,
    )
