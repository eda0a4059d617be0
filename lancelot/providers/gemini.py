"""Google's Gemini API (generateContent) over httpx: the request and answer of OpenAI's form, said in Gemini's."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import orjson
from pydantic import SecretStr

from lancelot.chat import Answer, Chunk, Usage
from lancelot.config import ModelEntry
from lancelot.errors import ContentFiltered, ProviderError, ProviderMalformed
from lancelot.providers.base import Deadline
from lancelot.providers.carried import Carried
from lancelot.providers.failures import Failure, truncated
from lancelot.providers.gemini_body import gemini_body
from lancelot.providers.reading import count, decoded, objects, tool_call
from lancelot.providers.reading import text as said
from lancelot.providers.wire import BaseUrl, Retry, Wire, sealed_chat
from lancelot.redaction.redactor import RedactedRequest

__all__ = ["Gemini", "gemini_failure"]

FILTERED: Final = {
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
}  # fmt: skip
BROKEN: Final = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"}
DELAY: Final = re.compile(r"(\d+(?:\.\d+)?)s")


class Gemini:
    """A Provider over `POST {base_url}/v1/models/{model}:generateContent`."""

    name = "gemini"

    def __init__(
        self,
        *,
        base_url: BaseUrl,
        key: SecretStr,
        models: Mapping[str, ModelEntry] | None = None,
        client: httpx.AsyncClient | None = None,
        retry: Retry | None = None,
    ) -> None:
        headers = {"x-goog-api-key": key.get_secret_value().strip()}
        self._models = models or {}
        self._carried = Carried()
        self._wire = Wire(base_url=base_url, headers=headers, explain=gemini_failure, client=client, retry=retry)

    async def complete(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> Answer:
        chat = sealed_chat(request)
        body = gemini_body(chat, self._models.get(model), self._carried)
        reply = await self._wire.post(request, f"{_path(model)}:generateContent", body, deadline)
        if not isinstance(reply.body, dict) or not ("candidates" in reply.body or "promptFeedback" in reply.body):
            raise self._wire.failed(200, reply.headers, reply.body)
        reading = _Reading(model, reply.sent_sha256, self._carried)
        chunks = reading.read(reply.body)
        if reading.finish is None:
            raise truncated()
        text = "".join(chunk.delta.get("content") or "" for chunk in chunks)
        calls = [
            {name: value for name, value in call.items() if name != "index"}
            for chunk in chunks
            for call in chunk.delta.get("tool_calls") or []
        ]
        message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
        return Answer(
            message=message | ({"tool_calls": calls} if calls else {}),
            finish_reason=reading.finish,
            usage=reading.usage,
            model=reading.model,
            sent_sha256=reply.sent_sha256,
            first_token_ms=reply.first_byte_ms,
            upstream_id=said(reply.body.get("responseId")),
        )

    async def stream(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> AsyncIterator[Chunk]:
        chat = sealed_chat(request)
        body = gemini_body(chat, self._models.get(model), self._carried)
        async with self._wire.stream(request, f"{_path(model)}:streamGenerateContent?alt=sse", body, deadline) as live:
            reading = _Reading(model, live.sent_sha256, self._carried)
            while (events := await live.events()) is not None:
                for event in events:
                    piece = decoded(event.data)
                    if "error" in piece:
                        raise self._wire.failed(200, live.headers, piece)
                    for chunk in reading.read(piece):
                        yield chunk
            if reading.finish is None:
                raise truncated()
            yield Chunk({}, reading.finish, reading.usage, reading.model, live.sent_sha256)

    async def list_models(self, *, deadline: Deadline) -> list[str]:
        reply = await self._wire.get("/v1/models?pageSize=1000", deadline)
        if not isinstance(reply.body, dict) or "models" not in reply.body:
            raise self._wire.failed(200, reply.headers, reply.body)
        names = [str(entry.get("name") or "") for entry in objects(reply.body["models"])]
        return [name.removeprefix("models/") for name in names if name]

    async def aclose(self) -> None:
        await self._wire.aclose()


class _Reading:
    """One answer, whole or in pieces (each a GenerateContentResponse), turned into chunks."""

    def __init__(self, model: str, sent_sha256: str | None, carried: Carried) -> None:
        self.model = model
        self.finish: str | None = None
        self.usage = Usage()
        self._sent = sent_sha256
        self._carried = carried
        self._calls = 0

    def read(self, piece: dict[str, Any]) -> list[Chunk]:
        self.model = said(piece.get("modelVersion")) or self.model
        if "usageMetadata" in piece:
            self.usage = _usage(piece["usageMetadata"])
        candidates = objects(piece.get("candidates"))
        if not candidates:
            if (piece.get("promptFeedback") or {}).get("blockReason"):
                raise ContentFiltered(upstream_status=200)
            return []
        content = candidates[0].get("content") or {}
        chunks = [chunk for part in objects(content.get("parts")) if (chunk := self._part(part)) is not None]
        reason = candidates[0].get("finishReason")
        if reason in BROKEN:
            raise ProviderMalformed("The model called a tool in a form that cannot be read.", upstream_code=reason)
        if reason == "MISSING_THOUGHT_SIGNATURE":
            raise ProviderError(code="provider_refused", upstream_code=reason)
        if reason:
            self.finish = self._finish(str(reason))
        return chunks

    def _part(self, part: dict[str, Any]) -> Chunk | None:
        if part.get("thought"):
            return None
        if isinstance(part.get("text"), str) and part["text"]:
            return self._chunk({"content": part["text"]})
        call = part.get("functionCall")
        if not isinstance(call, dict):
            return None
        call_id = said(call.get("id")) or f"call_{uuid.uuid4().hex[:24]}"
        if signature := said(part.get("thoughtSignature")):
            self._carried.keep(call_id, signature, len(signature))
        index, self._calls = self._calls, self._calls + 1
        raw = orjson.dumps(call.get("args") or {}).decode()
        return self._chunk({"tool_calls": [{"index": index} | tool_call(call_id, str(call.get("name")), raw)]})

    def _finish(self, reason: str) -> str:
        if reason in FILTERED:
            return "content_filter"
        if reason == "MAX_TOKENS":
            return "length"
        return "tool_calls" if self._calls else "stop"

    def _chunk(self, delta: dict[str, Any]) -> Chunk:
        return Chunk(delta=delta, model=self.model, sent_sha256=self._sent)


def gemini_failure(status: int, headers: Mapping[str, str], body: Any) -> Failure:
    """{"error": {"code", "message", "status", "details"}}, at times inside a list; details name reason and wait."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return Failure(status, headers)
    kind, wait = said(error.get("status")), None
    for detail in objects(error.get("details")):
        if detail.get("reason") == "API_KEY_INVALID":
            kind = "api_key_invalid"
        delay = DELAY.fullmatch(str(detail.get("retryDelay") or ""))
        wait = float(delay.group(1)) if delay else wait
    return Failure(count(error.get("code")) or status, headers, kind, str(error.get("message") or ""), wait)


def _path(model: str) -> str:
    return f"/v1/models/{quote(model.removeprefix('models/'), safe='')}"


def _usage(usage: Any) -> Usage:
    """Gemini counts thoughts beside the answer; ours is the sum. Cached tokens are part of the prompt in both."""
    if not isinstance(usage, dict):
        return Usage()
    prompt, answer = count(usage.get("promptTokenCount")), count(usage.get("candidatesTokenCount"))
    thoughts = count(usage.get("thoughtsTokenCount")) or 0
    tools = count(usage.get("toolUsePromptTokenCount")) or 0
    return Usage(
        input=None if prompt is None else prompt + tools,
        output=None if answer is None and not thoughts and prompt is None else (answer or 0) + thoughts,
        cached=count(usage.get("cachedContentTokenCount")) or 0,
        reasoning=thoughts,
    )
