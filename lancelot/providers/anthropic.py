"""Anthropic's Messages API over httpx: the request and answer of OpenAI's form, said in Anthropic's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import orjson
from pydantic import SecretStr

from lancelot.chat import Answer, Chunk, Usage
from lancelot.config import ModelEntry
from lancelot.errors import ProviderMalformed
from lancelot.providers.anthropic_body import anthropic_body
from lancelot.providers.anthropic_thinking import Blocks, Thoughts
from lancelot.providers.base import Deadline
from lancelot.providers.failures import Failure, truncated
from lancelot.providers.reading import count, decoded, objects, stop_list, tool_call
from lancelot.providers.reading import text as said
from lancelot.providers.stops import StopCutter
from lancelot.providers.wire import BaseUrl, Retry, Wire, sealed_chat
from lancelot.redaction.redactor import RedactedRequest

__all__ = ["Anthropic", "anthropic_failure"]

VERSION: Final = "2026-10-21"  # takes no sampling parameters, whatever the model
FINISHES: Final = {
    "end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "tool_use": "tool_calls",
    "max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "content_filter",
}  # fmt: skip


class Anthropic:
    """A Provider over `POST {base_url}/v1/messages`."""

    name = "anthropic"

    def __init__(
        self,
        *,
        base_url: BaseUrl,
        key: SecretStr,
        models: Mapping[str, ModelEntry] | None = None,
        client: httpx.AsyncClient | None = None,
        retry: Retry | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {key.get_secret_value().strip()}", "anthropic-version": VERSION}
        self._models = models or {}
        self._thoughts = Thoughts()
        self._wire = Wire(base_url=base_url, headers=headers, explain=anthropic_failure, client=client, retry=retry)

    async def complete(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> Answer:
        sent, cutter = self._body(request, model)
        reply = await self._wire.post(request, "/v1/messages", sent, deadline)
        body = reply.body
        if not isinstance(body, dict) or body.get("type") != "message":
            raise self._wire.failed(200, reply.headers, body)
        blocks = objects(body.get("content"))
        self._thoughts.keep(sent, blocks)
        calls = [
            tool_call(str(block.get("id")), str(block.get("name")), orjson.dumps(block.get("input") or {}).decode())
            for block in blocks
            if block.get("type") == "tool_use"
        ]
        text = "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")
        text = cutter.feed(text) + cutter.flush()
        message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
        return Answer(
            message=message | ({"tool_calls": calls} if calls else {}),
            finish_reason="stop" if cutter.stopped else FINISHES.get(str(body.get("stop_reason")), "stop"),
            usage=_usage(body.get("usage") or {}),
            model=said(body.get("model")) or model,
            sent_sha256=reply.sent_sha256,
            first_token_ms=reply.first_byte_ms,
            upstream_id=said(body.get("id")),
        )

    async def stream(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> AsyncIterator[Chunk]:
        body, cutter = self._body(request, model)
        body["stream"] = True
        async with self._wire.stream(request, "/v1/messages", body, deadline) as live:
            reading = _Reading(model, live.sent_sha256, cutter)
            while (events := await live.events()) is not None:
                for event in events:
                    piece = decoded(event.data)
                    if piece.get("type") == "error":
                        raise self._wire.failed(200, live.headers, piece)
                    for chunk in reading.read(piece):
                        yield chunk
                    if reading.ended:
                        self._thoughts.keep(body, reading.blocks.content())
                        return
            raise truncated()

    async def list_models(self, *, deadline: Deadline) -> list[str]:
        reply = await self._wire.get("/v1/models?limit=1000", deadline)
        if not isinstance(reply.body, dict) or "data" not in reply.body:
            raise self._wire.failed(200, reply.headers, reply.body)
        return [str(entry["id"]) for entry in objects(reply.body["data"]) if entry.get("id")]

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _body(self, request: RedactedRequest, model: str) -> tuple[dict[str, Any], StopCutter]:
        """The body, and what cuts the answer at stop sequences of white space, which the API refuses."""
        chat = sealed_chat(request)
        body = anthropic_body(chat, model, self._models.get(model))
        self._thoughts.give_back(body)
        return body, StopCutter([stop for stop in stop_list(chat.stop) if stop.isspace()])


class _Reading:
    """One stream's events turned into chunks."""

    def __init__(self, model: str, sent_sha256: str | None, cutter: StopCutter) -> None:
        self.ended = False
        self.blocks = Blocks()
        self._model = model
        self._sent = sent_sha256
        self._cutter = cutter
        self._usage: dict[str, Any] = {}
        self._calls: dict[int, int] = {}  # block index -> tool call index
        self._silent: set[int] = set()  # calls whose arguments have not begun
        self._finish: str | None = None

    def read(self, piece: dict[str, Any]) -> list[Chunk]:
        kind = piece.get("type")
        self.blocks.add(piece)
        if kind == "message_start":
            message = piece.get("message") or {}
            self._model = said(message.get("model")) or self._model
            self._usage = dict(message.get("usage") or {})
            return [self._chunk({"role": "assistant", "content": ""})]
        index = count(piece.get("index")) or 0
        if kind == "content_block_start":
            return self._start(index, piece.get("content_block") or {})
        if kind == "content_block_delta":
            delta = piece.get("delta") or {}
            if delta.get("type") == "text_delta":
                return self._text(str(delta.get("text") or ""))
            if delta.get("type") == "input_json_delta" and delta.get("partial_json"):
                return [self._arguments(index, str(delta["partial_json"]))]
        if kind == "content_block_stop":
            held = self._cutter.flush()
            return (
                [self._arguments(index, "{}")]
                if index in self._silent
                else [self._chunk({"content": held})] * bool(held)
            )
        if kind == "message_delta":
            reason = (piece.get("delta") or {}).get("stop_reason")
            self._finish = FINISHES.get(str(reason), "stop") if reason else self._finish
            self._usage |= {name: value for name, value in (piece.get("usage") or {}).items() if value is not None}
        if kind == "message_stop":
            if self._finish is None:
                raise truncated()
            self.ended = True
            finish = "stop" if self._cutter.stopped else self._finish
            return [Chunk({}, finish, _usage(self._usage), self._model, self._sent)]
        return []

    def _start(self, index: int, block: dict[str, Any]) -> list[Chunk]:
        if block.get("type") == "text" and block.get("text"):
            return self._text(str(block["text"]))
        if block.get("type") != "tool_use":
            return []
        self._calls[index] = len(self._calls)
        self._silent.add(index)
        call = tool_call(str(block.get("id")), str(block.get("name")), "")
        return [self._chunk({"tool_calls": [{"index": self._calls[index]} | call]})]

    def _text(self, text: str) -> list[Chunk]:
        kept = self._cutter.feed(text)
        return [self._chunk({"content": kept})] if kept else []

    def _arguments(self, index: int, text: str) -> Chunk:
        if index not in self._calls:
            raise ProviderMalformed()
        self._silent.discard(index)
        return self._chunk({"tool_calls": [{"index": self._calls[index], "function": {"arguments": text}}]})

    def _chunk(self, delta: dict[str, Any]) -> Chunk:
        return Chunk(delta=delta, model=self._model, sent_sha256=self._sent)


def anthropic_failure(status: int, headers: Mapping[str, str], body: Any) -> Failure:
    """{"type": "error", "error": {"type", "message", "details"?}}"""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return Failure(status, headers)
    kind, details = error.get("type"), error.get("details")
    if isinstance(details, dict) and "spend_limit" in str(details.get("error_code")):
        kind = "billing_error"
    return Failure(status, headers, kind if isinstance(kind, str) else None, str(error.get("message") or ""))


def _usage(usage: dict[str, Any]) -> Usage:
    """Anthropic counts cached input beside `input_tokens`; ours is the sum."""
    fresh = count(usage.get("input_tokens"))
    cached = count(usage.get("cache_read_input_tokens")) or 0
    written = count(usage.get("cache_creation_input_tokens")) or 0
    return Usage(
        input=None if fresh is None else fresh + cached + written,
        output=count(usage.get("output_tokens")),
        cached=cached,
        cache_write=written,
        reasoning=count((usage.get("output_tokens_details") or {}).get("thinking_tokens")) or 0,
    )
