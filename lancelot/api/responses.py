"""The gateway's Responses route: the same routed chat in the form of OpenAI's newer API; nothing is kept in between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from lancelot.api.gateway import HeldStream, context_of, read_json, receipt_headers, until_gone
from lancelot.api.responses_body import chat_of
from lancelot.api.security import CallerDep, ServicesDep
from lancelot.chat import ChatRequest, Chunk, Usage
from lancelot.errors import LancelotError
from lancelot.routing.router import RoutedResponse, RoutedStream

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["gateway"])

ECHOED = ("instructions", "reasoning", "text", "tool_choice", "tools")
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["input"],
                    "properties": {
                        "model": {"type": "string", "default": "lancelot"},
                        "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
                        "instructions": {"type": "string"},
                        "stream": {"type": "boolean", "default": False},
                    },
                    "additionalProperties": True,
                }
            }
        },
    }
}


@router.post("/responses", summary="One response, plain or streamed; nothing is stored", openapi_extra=BODY)
async def responses(request: Request, caller: CallerDep, services: ServicesDep) -> Response:
    """OpenAI's Responses API over the same routing, with the same headers as chat completions.

    Stateless: `previous_response_id`, `conversation`, `store: true` and hosted tools answer 400.
    """
    given = await read_json(request)
    chat = chat_of(given)
    echo = {name: given[name] for name in ECHOED if given.get(name) is not None}
    context = context_of(request, caller)
    route = await services.router_soon()
    async with AsyncExitStack() as place:
        await place.enter_async_context(services.admission.enter(caller.key_id))
        if not chat.stream:
            answered = await until_gone(request, route.handle(chat, context=context))
            body = whole(answered, chat, echo)
            return Response(orjson.dumps(body), media_type="application/json", headers=receipt_headers(answered))
        stream = await until_gone(request, route.stream(chat, context=context))
        return HeldStream(stream, events(stream, chat, echo), place.pop_all())


def whole(answered: RoutedResponse, chat: ChatRequest, echo: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's response object of a complete answer."""
    said = answered.answer.message
    output = []
    if said.get("content") or said.get("refusal") or not said.get("tool_calls"):
        output.append(message_item(answered.request_id, said.get("content") or "", said.get("refusal")))
    for call in said.get("tool_calls") or ():
        function = call.get("function") or {}
        output.append(call_item(call.get("id"), function.get("name"), function.get("arguments")))
    base = response_object(answered.request_id, f"{chat.model}/{answered.model}", chat, echo)
    return base | ending(answered.answer.finish_reason, answered.usage, output)


def response_object(request_id: str, model: str, chat: ChatRequest, echo: dict[str, Any]) -> dict[str, Any]:
    """What all states of a response share; `echo`: fields of the request that come back as they were sent."""
    shared = {
        "id": f"resp_{request_id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": chat.output_limit,
        "metadata": chat.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": chat.parallel_tool_calls is not False,
        "previous_response_id": None,
        "store": False,
        "temperature": chat.temperature,
        "tool_choice": "auto",
        "tools": [],
        "top_p": chat.top_p,
        "usage": None,
    }
    return shared | echo


def ending(finish: str | None, usage: Usage | None, output: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields an ended response has more."""
    cut = INCOMPLETE.get(finish or "")
    return {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": cut} if cut else None,
        "output": output,
        "usage": usage_object(usage or Usage()),
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's; a count the provider did not give is 0 here and unknown in the receipt."""
    tokens_in, tokens_out = usage.input or 0, usage.output or 0
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": tokens_in + tokens_out,
    }


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(request_id: str, text: str, refusal: str | None = None, status: str = "completed") -> dict[str, Any]:
    content = [{"type": "refusal", "refusal": refusal}] if refusal else [text_part(text)]
    return {"id": f"msg_{request_id}", "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(call_id: Any, name: Any, arguments: Any, status: str = "completed") -> dict[str, Any]:
    ident = str(call_id or "")
    called = {"id": f"fc_{ident}", "type": "function_call", "status": status, "call_id": ident}
    return called | {"name": str(name or ""), "arguments": str(arguments or "")}


async def events(stream: RoutedStream, chat: ChatRequest, echo: dict[str, Any]) -> AsyncIterator[bytes]:
    """The response's server-sent events, in OpenAI's order. A failure after the first byte ends it as failed."""
    writer = Writer(stream.request_id, response_object(stream.request_id, f"{chat.model}/{stream.model}", chat, echo))
    usage: Usage | None = None
    finish: str | None = None
    try:
        for piece in writer.begin():
            yield piece
        async for chunk in stream:
            usage, finish = chunk.usage or usage, chunk.finish_reason or finish
            for piece in writer.take(chunk):
                yield piece
        for piece in writer.end(finish, usage):
            yield piece
    except LancelotError as problem:
        yield writer.failed(problem)


class Writer:
    """Turns chunks into events: each item is added, grows, and is done before the next begins."""

    def __init__(self, request_id: str, base: dict[str, Any]) -> None:
        self._request_id = request_id
        self._base = base
        self._number = 0
        self._done: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None  # the item that grows
        self._call: int | None = None  # its place among the tool calls

    def begin(self) -> list[bytes]:
        return [self._event(f"response.{state}", response=self._base) for state in ("created", "in_progress")]

    def take(self, chunk: Chunk) -> list[bytes]:
        found: list[bytes] = []
        for field, kind in (("content", "output_text"), ("refusal", "refusal")):
            if said := chunk.delta.get(field):
                found += self._grow_message(kind, said)
        for call in chunk.delta.get("tool_calls") or ():
            found += self._grow_call(call)
        return found

    def end(self, finish: str | None, usage: Usage | None) -> list[bytes]:
        found = self._close()
        if not self._done:
            found += [*self._grow_message("output_text", ""), *self._close()]
        last = self._base | ending(finish, usage, self._done)
        return [*found, self._event(f"response.{last['status']}", response=last)]

    def failed(self, problem: LancelotError) -> bytes:
        error = {"code": problem.code, "message": f"{problem.title} {problem.hint}"}
        return self._event("response.failed", response=self._base | {"status": "failed", "error": error})

    def _grow_message(self, kind: str, said: str) -> list[bytes]:
        found: list[bytes] = []
        field = "text" if kind == "output_text" else "refusal"
        if self._open is None or self._call is not None:
            found += self._close()
            empty = message_item(self._request_id, "", status="in_progress") | {"content": []}
            part = text_part("") if kind == "output_text" else {"type": "refusal", "refusal": ""}
            found.append(self._add(empty, None))
            found.append(self._part_event("response.content_part.added", part=part))
            empty["content"] = [part]
        assert self._open is not None
        part = self._open["content"][0]
        if part["type"] != kind:  # a refusal after some text: told as text, so that nothing is lost
            kind, field = part["type"], "text" if part["type"] == "output_text" else "refusal"
        part[field] += said
        if said:
            extra: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
            found.append(self._part_event(f"response.{kind}.delta", delta=said, **extra))
        return found

    def _grow_call(self, call: dict[str, Any]) -> list[bytes]:
        found: list[bytes] = []
        function, place = call.get("function") or {}, call.get("index", 0)
        if self._open is None or self._call != place:
            found += self._close()
            found.append(self._add(call_item(call.get("id"), function.get("name"), "", "in_progress"), place))
        assert self._open is not None
        if more := function.get("arguments"):
            self._open["arguments"] += more
            found.append(self._item_event("response.function_call_arguments.delta", delta=more))
        return found

    def _close(self) -> list[bytes]:
        """The item that grew is done."""
        item, call = self._open, self._call
        if item is None:
            return []
        found: list[bytes] = []
        if call is not None:
            said = {"name": item["name"], "arguments": item["arguments"]}
            found.append(self._item_event("response.function_call_arguments.done", **said))
        else:
            part = item["content"][0]
            if part["type"] == "output_text":
                found.append(self._part_event("response.output_text.done", text=part["text"], logprobs=[]))
            else:
                found.append(self._part_event("response.refusal.done", refusal=part["refusal"]))
            found.append(self._part_event("response.content_part.done", part=part))
        item["status"] = "completed"
        found.append(self._event("response.output_item.done", output_index=len(self._done), item=item))
        self._done.append(item)
        self._open = self._call = None
        return found

    def _add(self, item: dict[str, Any], call: int | None) -> bytes:
        self._open, self._call = item, call
        return self._event("response.output_item.added", output_index=len(self._done), item=item)

    def _part_event(self, kind: str, **facts: Any) -> bytes:
        return self._item_event(kind, content_index=0, **facts)

    def _item_event(self, kind: str, **facts: Any) -> bytes:
        assert self._open is not None
        return self._event(kind, item_id=self._open["id"], output_index=len(self._done), **facts)

    def _event(self, kind: str, **facts: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._number} | facts
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
