"""OpenAI's chat answers: one object, or server-sent events fed from the engine's thread."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from local_models.engine import Engine
from local_models.errors import ModelError
from local_models.wire import ChatBody, error_body
from local_models.work import Ticket, Timing
from local_models.writing import Written

__all__ = ["chat_reply", "chat_stream"]

FINISH = {"stop": "stop", "length": "length", "loop": "stop"}


def chat_reply(written: Written, timing: Timing, model: str) -> dict[str, Any]:
    """A `chat.completion` object."""
    message = {"role": "assistant", "content": written.text}
    return {
        "id": _id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": FINISH[written.finish], "logprobs": None}],
        "usage": _usage(timing),
    }


async def chat_stream(engine: Engine, body: ChatBody, model: str, *, caller: str, deadline: float | None) -> Response:
    """`chat.completion.chunk` events. Queued before the first byte: a refusal is a status, not an event."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def hand_over(piece: str | None) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    ticket = await asyncio.to_thread(
        engine.chat, body.pairs(), body.options(), on_text=hand_over, caller=caller, deadline=deadline
    )
    ticket.future.add_done_callback(lambda _: hand_over(None))
    wants_usage = bool(body.stream_options and body.stream_options.include_usage)
    return StreamingResponse(_events(ticket, pieces, model, wants_usage), media_type="text/event-stream")


async def _events(
    ticket: Ticket[Written], pieces: asyncio.Queue[str | None], model: str, wants_usage: bool
) -> AsyncIterator[str]:
    base = {"id": _id(), "object": "chat.completion.chunk", "created": int(time.time()), "model": model}

    def event(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _line(base | {"choices": [choice]} | ({"usage": None} if wants_usage else {}))

    try:
        yield event({"role": "assistant", "content": ""})
        while (piece := await pieces.get()) is not None:
            yield event({"content": piece})
        try:
            written = ticket.result(0)
        except ModelError as problem:
            yield _line(error_body(problem))
            return
        yield event({}, FINISH[written.finish])
        if wants_usage:
            yield _line(base | {"choices": [], "usage": _usage(ticket.timing)})
        yield "data: [DONE]\n\n"
    finally:
        ticket.cancel()  # the client may have gone away; a finished ticket does not mind


def _usage(timing: Timing) -> dict[str, Any]:
    prompt = timing.prompt_tokens + timing.cached_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": timing.output_tokens,
        "total_tokens": prompt + timing.output_tokens,
        "prompt_tokens_details": {"cached_tokens": timing.cached_tokens},
    }


def _line(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


def _id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"
