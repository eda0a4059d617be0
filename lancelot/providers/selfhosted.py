"""Any OpenAI-compatible server (llama-server, vLLM, Ollama, our own service): chat completions over httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from lancelot.chat import Answer, ChatRequest, Chunk, Message, Usage
from lancelot.config import AUTO, ModelEntry
from lancelot.errors import ProviderError, ProviderMalformed
from lancelot.providers.base import Deadline
from lancelot.providers.failures import Failure, truncated
from lancelot.providers.reading import count, decoded, text
from lancelot.providers.wire import BaseUrl, Retry, Wire, sealed_chat
from lancelot.redaction.redactor import RedactedRequest

__all__ = ["SelfHosted", "openai_failure"]

# carried word for word; the output limit, model, stream and messages are set below
CARRIED: Final = (
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "stop", "seed", "user", "metadata",
    "reasoning_effort", "verbosity", "service_tier", "safety_identifier", "prompt_cache_key",
)  # fmt: skip
SAMPLING: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
DELTA_FIELDS: Final = ("role", "content", "tool_calls", "refusal", "reasoning_content")
MESSAGE_FIELDS: Final = ("role", "content", "name", "tool_calls", "tool_call_id")
FINISHES: Final = {"stop", "length", "tool_calls", "content_filter"}


class SelfHosted:
    """A Provider over `POST {base_url}/chat/completions`.

    Args:
        base_url: with or without its /v1; a function is asked at every call.
        key: sent as a bearer token when there is one.
        models: what known models refuse; others get everything the request says.
    """

    name = "selfhosted"

    def __init__(
        self,
        *,
        base_url: BaseUrl,
        key: SecretStr | None = None,
        models: Mapping[str, ModelEntry] | None = None,
        client: httpx.AsyncClient | None = None,
        retry: Retry | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {key.get_secret_value().strip()}"} if key else {}
        self._models = models or {}
        self._first_model: dict[str, str] = {}
        self._base_url = _with_version(base_url)
        self._wire = Wire(base_url=self._base_url, headers=headers, explain=openai_failure, client=client, retry=retry)

    async def complete(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> Answer:
        chat = sealed_chat(request)
        model = await self._resolved(model, deadline)
        reply = await self._wire.post(request, "/chat/completions", self._body(chat, model), deadline)
        body = reply.body
        choice = _first_choice(body)
        if choice is None:
            raise self._wire.failed(200, reply.headers, body)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise ProviderMalformed()
        kept = {name: message[name] for name in DELTA_FIELDS if message.get(name) is not None}
        calls = kept.get("tool_calls")
        return Answer(
            message={"role": "assistant", "content": message.get("content")} | kept,
            finish_reason=_finish(choice.get("finish_reason"), calls),
            usage=_usage(body.get("usage")),
            model=text(body.get("model")) or model,
            sent_sha256=reply.sent_sha256,
            first_token_ms=reply.first_byte_ms,
            upstream_id=text(body.get("id")),
        )

    async def stream(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> AsyncIterator[Chunk]:
        chat = sealed_chat(request)
        model = await self._resolved(model, deadline)
        body = self._body(chat, model) | {"stream": True, "stream_options": {"include_usage": True}}
        async with self._wire.stream(request, "/chat/completions", body, deadline) as live:
            finished = called = False
            while (events := await live.events()) is not None:
                for event in events:
                    if event.data == b"[DONE]":
                        if not finished:
                            raise truncated()
                        return
                    piece = decoded(event.data)
                    if "error" in piece and not piece.get("choices"):
                        raise self._wire.failed(200, live.headers, piece)
                    chunk = _chunk(piece, model, live.sent_sha256, called=called)
                    if chunk is None:
                        continue
                    called = called or bool(chunk.delta.get("tool_calls"))
                    finished = finished or chunk.finish_reason is not None
                    yield chunk
            if not finished:
                raise truncated()

    async def list_models(self, *, deadline: Deadline) -> list[str]:
        reply = await self._wire.get("/models", deadline)
        entries = reply.body.get("data") if isinstance(reply.body, dict) else None
        if not isinstance(entries, list):
            raise self._wire.failed(200, reply.headers, reply.body)
        return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and entry.get("id")]

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _body(self, chat: ChatRequest, model: str) -> dict[str, Any]:
        takes = self._models.get(model)
        body: dict[str, Any] = {"model": model, "messages": [_message(message) for message in chat.messages]}
        names = CARRIED if takes and not takes.sampling_params else CARRIED + SAMPLING
        for name in names:
            value = getattr(chat, name)
            if value is not None:
                body[name] = value
        if chat.output_limit is not None:
            body["max_tokens"] = chat.output_limit
        return body

    async def _resolved(self, model: str, deadline: Deadline) -> str:
        """`auto` as the first model the server lists, remembered for each address."""
        if model != AUTO:
            return model
        address = str(self._base_url() if callable(self._base_url) else self._base_url)
        if address not in self._first_model:
            listed = await self.list_models(deadline=deadline)
            if not listed:
                raise ProviderError(
                    "The server lists no model.", code="provider_no_model", hint="Load a model there, or name one."
                )
            self._first_model = {address: listed[0]}
        return self._first_model[address]


def openai_failure(status: int, headers: Mapping[str, str], body: Any) -> Failure:
    """OpenAI's error object, and the plainer ones compatible servers send ({"error": "…"}, {"detail": …})."""
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, dict):
        code, kind = error.get("code"), error.get("type")
        named = code if isinstance(code, str) and code else kind
        message = error.get("message") or error.get("detail") or ""
        return Failure(status, headers, named if isinstance(named, str) else None, str(message))
    return Failure(status, headers, None, error if isinstance(error, str) else "")


def _with_version(base_url: BaseUrl) -> BaseUrl:
    if callable(base_url):
        ask: Callable[[], str | None] = base_url
        return lambda: _versioned(ask())
    return _versioned(base_url)


def _versioned(address: str | None) -> str | None:
    """A bare host gets the /v1 every compatible server answers under; an address with a path is left alone."""
    if address is None:
        return None
    address = address.strip().rstrip("/")
    return address if urlsplit(address).path else f"{address}/v1"


def _message(message: Message) -> dict[str, Any]:
    sent = {name: value for name in MESSAGE_FIELDS if (value := getattr(message, name)) is not None}
    if message.role == "developer":
        sent["role"] = "system"  # compatible servers know only the older name
    elif message.role == "assistant":
        sent.setdefault("content", None)
    return sent


def _first_choice(body: Any) -> dict[str, Any] | None:
    choices = body.get("choices") if isinstance(body, dict) else None
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None


def _chunk(piece: dict[str, Any], model: str, sent_sha256: str | None, *, called: bool) -> Chunk | None:
    choice = _first_choice(piece) or {}
    delta = choice.get("delta") or {}
    if not isinstance(delta, dict):
        raise ProviderMalformed()
    kept = {name: delta[name] for name in DELTA_FIELDS if delta.get(name) is not None}
    finish = choice.get("finish_reason")
    usage = piece.get("usage")
    if not kept and finish is None and usage is None:
        return None
    return Chunk(
        delta=kept,
        finish_reason=None if finish is None else _finish(finish, called or kept.get("tool_calls")),
        usage=None if usage is None else _usage(usage),
        model=text(piece.get("model")) or model,
        sent_sha256=sent_sha256,
    )


def _finish(reason: Any, calls: Any) -> str:
    """OpenAI's four reasons; servers that say `stop` after a tool call, or nothing at all, are understood."""
    if calls and reason in (None, "stop", "tool_calls", "function_call"):
        return "tool_calls"
    return reason if reason in FINISHES else "stop"


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    into, out = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return Usage(
        input=count(usage.get("prompt_tokens")),
        output=count(usage.get("completion_tokens")),
        cached=count(into.get("cached_tokens")) or 0,
        cache_write=count(into.get("cache_write_tokens")) or 0,
        reasoning=count(out.get("reasoning_tokens")) or 0,
    )
