"""A fixed answer over HTTP, plain or streamed: the upstream of overhead measurements. mock_upstream PORT."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
PLAIN = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
        "usage": USAGE,
    }
).encode()
MODELS = json.dumps({"object": "list", "data": [{"id": "mock", "object": "model"}]}).encode()
CHUNKS = 50


async def chat(request: Request) -> Response:
    body = await request.body()
    if b'"stream":true' in body.replace(b" ", b""):
        return StreamingResponse(pieces(), media_type="text/event-stream")
    return Response(PLAIN, media_type="application/json")


async def pieces() -> AsyncIterator[bytes]:
    for number in range(CHUNKS):
        delta = {"content": f"word{number} "} if number else {"role": "assistant", "content": ""}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
        yield _event(chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    yield _event(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event(chunk | {"choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


def _event(chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def models(request: Request) -> Response:
    return Response(MODELS, media_type="application/json")


app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
