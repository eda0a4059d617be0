"""The gateway: OpenAI's chat completions and models, and the utility tasks, for any program with a base URL to set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lancelot.api.errors import openai_error
from lancelot.api.security import CallerDep, ServicesDep
from lancelot.chat import Chunk, Usage, parse_chat
from lancelot.errors import BadInput, ClientGone, LancelotError
from lancelot.keys import Caller
from lancelot.logs import request_id
from lancelot.routing.context import RequestContext
from lancelot.routing.router import RoutedResponse, RoutedStream
from lancelot.store.receipts import new_id

__all__ = ["MODELS", "router"]

router = APIRouter(prefix="/v1", tags=["gateway"])

MODELS = {
    "lancelot": "routes to the cheapest brain that can do it",
    "lancelot-local": "the local utility model",
    "lancelot-fast": "the flagship's fast lane",
    "lancelot-deep": "the flagship's deep lane",
}
CHAT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["messages"],
                    "properties": {
                        "model": {"type": "string", "enum": list(MODELS), "default": "lancelot"},
                        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                        "stream": {"type": "boolean", "default": False},
                    },
                    "additionalProperties": True,
                }
            }
        },
    }
}
T = TypeVar("T")


@router.get("/models", summary="The models a client may name")
async def models(caller: CallerDep) -> dict[str, Any]:
    """OpenAI's list: `lancelot` routes, the others force a lane."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "lancelot", "description": what}
            for name, what in MODELS.items()
            if name == "lancelot" or name.removeprefix("lancelot-") in caller.lanes
        ],
    }


@router.post("/chat/completions", summary="One chat completion, plain or streamed", openapi_extra=CHAT_BODY)
async def chat_completions(request: Request, caller: CallerDep, services: ServicesDep) -> Response:
    """OpenAI's chat completion. Headers of the answer: x-lancelot-receipt, -request, -lane, -redactions.

    Headers of the request: x-lancelot-conversation (placeholders stay the same across a conversation),
    idempotency-key, x-lancelot-wait (seconds to wait for an approval).
    """
    chat = parse_chat(await read_json(request))
    context = context_of(request, caller)
    route = await services.router_soon()
    async with AsyncExitStack() as place:
        await place.enter_async_context(services.admission.enter(caller.key_id))
        if not chat.stream:
            answered = await until_gone(request, route.handle(chat, context=context))
            return Response(
                orjson.dumps(completion(answered, chat.model)),
                media_type="application/json",
                headers=receipt_headers(answered),
            )
        stream = await until_gone(request, route.stream(chat, context=context))
        include_usage = bool((chat.stream_options or {}).get("include_usage"))
        # the place is held until the stream has ended
        return HeldStream(stream, events(stream, include_usage, chat.model), place.pop_all())


@router.post("/utility/{task}", summary="One task of the local utility model")
async def utility(task: str, request: Request, caller: CallerDep, services: ServicesDep) -> Response:
    """classify, extract, summarize, redact or rewrite; the text never leaves this machine."""
    payload = await read_json(request)
    if not isinstance(payload, dict):
        raise BadInput("The body must be a JSON object.")
    async with services.admission.enter(caller.key_id):
        result = await until_gone(request, services.utility(task, payload, context_of(request, caller)))
    return Response(orjson.dumps(result), media_type="application/json")


async def read_json(request: Request) -> Any:
    """The decoded body.

    Raises:
        BadInput: not UTF-8, or not JSON; the position is said, the content is not.
    """
    body = await request.body()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise BadInput(
            "The body is not valid JSON.",
            code="bad_json",
            hint=f"Look at line {problem.lineno}, column {problem.colno}; the encoding must be UTF-8.",
        ) from None


def context_of(request: Request, caller: Caller) -> RequestContext:
    """What the router needs to know of the caller, from key and headers."""
    headers = request.headers
    return RequestContext(
        request_id=request_id.get() or new_id(),
        key_id=caller.key_id,
        lanes=tuple(caller.lanes) if caller.key else None,
        conversation=headers.get("x-lancelot-conversation"),
        idempotency_key=headers.get("idempotency-key"),
        wait_s=seconds(headers.get("x-lancelot-wait")) or 0.0,
        deadline_s=seconds(headers.get("x-lancelot-deadline")),
    )


def seconds(given: str | None) -> float | None:
    """A header's number of seconds, 0 to 600, or None when it is not there."""
    if given is None:
        return None
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 600:
        raise BadInput("x-lancelot-wait and x-lancelot-deadline take 0 to 600 seconds.")
    return value


async def until_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of work, which is cancelled when the client hangs up (the router then writes a cancelled receipt).

    Raises:
        ClientGone: nobody waits for the answer any more.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(hang_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            raise ClientGone()
        return await task
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()


async def hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def receipt_headers(answered: RoutedResponse | RoutedStream) -> dict[str, str]:
    """The headers that lead from an answer to its receipt."""
    counts = ", ".join(f"{label}={count}" for label, count in sorted(answered.redactions.items()))
    headers = {
        "x-lancelot-receipt": answered.receipt_id,
        "x-lancelot-request": answered.request_id,
        "x-lancelot-lane": str(answered.lane),
        "x-lancelot-model": answered.model,
        "x-lancelot-redactions": counts or "none",
    }
    if answered.warning:
        headers["x-lancelot-warning"] = answered.warning.encode("ascii", "replace").decode()
    return headers


def usage_object(usage: Usage | None) -> dict[str, Any]:
    """OpenAI's usage object; a count the provider did not give is 0 here and unknown in the receipt."""
    usage = usage or Usage()
    tokens_in, tokens_out = usage.input or 0, usage.output or 0
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def completion(answered: RoutedResponse, asked: str) -> dict[str, Any]:
    """OpenAI's chat.completion object; its model is the name asked for and, behind a slash, the one that answered."""
    return {
        "id": f"chatcmpl-{answered.request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{asked}/{answered.model}",
        "choices": [
            {
                "index": 0,
                "message": {"refusal": None} | answered.answer.message,
                "finish_reason": answered.answer.finish_reason,
                "logprobs": None,
            }
        ],
        "usage": usage_object(answered.usage),
    }


class HeldStream(StreamingResponse):
    """A streamed answer that gives back its place and closes the upstream however it ends, also before it began."""

    def __init__(self, stream: RoutedStream, body: AsyncIterator[bytes], place: AsyncExitStack) -> None:
        super().__init__(body, media_type="text/event-stream", headers=receipt_headers(stream))
        self._stream = stream
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._place:
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self._stream.aclose()


async def events(stream: RoutedStream, include_usage: bool, asked: str) -> AsyncIterator[bytes]:
    """Server-sent chunks in OpenAI's form. An error after the first byte arrives as an error event, then the end."""
    base = {
        "id": f"chatcmpl-{stream.request_id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": f"{asked}/{stream.model}",
    }
    usage: Usage | None = None
    try:
        yield event(base | {"choices": [choice({"role": "assistant", "content": ""}, None)]})
        async for chunk in stream:
            usage = chunk.usage or usage
            if said := delta_of(chunk):
                yield event(base | {"choices": [choice(*said)]})
        if include_usage:
            yield event(base | {"choices": [], "usage": usage_object(usage)})
        yield b"data: [DONE]\n\n"
    except LancelotError as problem:
        yield event(openai_error(problem))


def delta_of(chunk: Chunk) -> tuple[dict[str, Any], str | None] | None:
    delta = {name: value for name, value in chunk.delta.items() if name != "role"}
    return (delta, chunk.finish_reason) if delta or chunk.finish_reason else None


def choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
