"""An OpenAI-compatible server of somebody else (llama-server, vLLM, Ollama), as an httpx transport that records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

__all__ = ["Foreign", "said"]

Reply = Callable[[dict[str, Any]], httpx.Response]


def said(content: str, *, logprobs: list[float] | None = None, **more: Any) -> httpx.Response:
    """A chat completion."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": "stop",
    }
    if logprobs is not None:
        choice["logprobs"] = {"content": [{"token": "x", "logprob": value} for value in logprobs]}
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    return httpx.Response(200, json={"id": "c1", "model": "qwen", "choices": [choice], "usage": usage} | more)


class Foreign:
    """Knows /v1/models and /v1/chat/completions; anything else is 404. `reply` makes the answers."""

    def __init__(self, reply: Reply | str) -> None:
        self._reply = reply if callable(reply) else (lambda _body: said(reply))
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.paths: list[str] = []

    def transport(self) -> httpx.AsyncBaseTransport:
        """A fresh transport on this server."""
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"object": "list", "data": [{"id": "qwen"}, {"id": "other"}]})
        if request.url.path != "/v1/chat/completions":
            return httpx.Response(404, json={"error": {"message": "File Not Found", "type": "not_found_error"}})
        self.raw.append(request.content)
        self.bodies.append(json.loads(request.content))
        return self._reply(self.bodies[-1])
