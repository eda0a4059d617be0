"""A provider on loopback that misbehaves on demand, and a data folder at READY whose flagship it is."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.harness import NO_NETWORK, lancelot
from tests.loopback import Quiet, listening
from tests.ready import hand_in_weights

__all__ = ["KEY", "Upstream", "onboarded", "upstream"]

KEY = "sk-planted-" + "Zq7" * 12
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}


@dataclass
class Upstream:
    """What it does with the next calls: see MODES. It keeps what it was sent."""

    url: str = ""
    mode: str = "well"
    calls: int = 0
    bodies: list[bytes] = field(default_factory=list)
    presented: set[str] = field(default_factory=set)  # authorization headers
    keep: bool = True
    accepts: set[str] | None = None  # keys; None takes any
    models: list[str] = field(default_factory=lambda: ["mock"])
    let_go: threading.Event = field(default_factory=threading.Event)


def answer(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "mock", "choices": [choice], "usage": USAGE}


def chunks(words: list[str]) -> list[bytes]:
    base = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": f"{word} "} for word in words)]
    events: list[dict[str, Any]] = [
        base | {"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas
    ]
    events.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events.append(base | {"choices": [], "usage": USAGE})
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events] + [b"data: [DONE]\n\n"]


class Handler(Quiet):
    protocol_version = "HTTP/1.1"
    state: Upstream

    def do_GET(self) -> None:
        if not self._let_in():
            return
        self._send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.state.models]})

    def do_POST(self) -> None:
        body = self.body()
        state = self.state
        if not self._let_in():
            return
        state.calls += 1
        state.presented.add(self.headers.get("authorization", ""))
        if state.keep:
            state.bodies.append(body)
        asked = json.loads(body)
        mode = state.mode
        if mode == "flapping":
            mode = "well" if state.calls % 2 else "overloaded"
        if mode == "hanging":
            state.let_go.wait(60)
            return
        if mode == "slow":
            state.let_go.wait(1.5)
        if mode == "hangs up":
            self.close_connection = True
        elif mode == "overloaded":
            self._send(503, {"error": {"message": "overloaded", "type": "server_error"}})
        elif mode == "echoing error":
            echoed = f"cannot process {body.decode()} for {self.headers.get('authorization')}"
            self._send(500, {"error": {"message": echoed, "type": "server_error"}})
        elif mode == "error body with 200":
            self._send(200, {"error": {"message": "no credit", "type": "insufficient_quota"}})
        elif mode == "invalid JSON":
            self._raw(200, b'{"choices": [{"message": {"content": "hel')
        elif mode == "wrong content length":
            content = json.dumps(answer("short")).encode()
            self._raw(200, content, length=len(content) + 500)
            self.close_connection = True
        elif mode == "HTML with 200":
            self._raw(200, b"<html><body>Welcome to the hotel's network</body></html>", kind="text/html")
        elif asked.get("stream"):
            self._stream(half=mode == "half a stream")
        elif mode == "half a stream":
            self._raw(200, json.dumps(answer("half")).encode()[:60], length=400)
            self.close_connection = True
        else:
            self._send(200, answer("Understood."))

    def _let_in(self) -> bool:
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        if self.state.accepts is None or key in self.state.accepts:
            return True
        self._send(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}})
        return False

    def _stream(self, half: bool) -> None:
        events = chunks(["one", "two", "three", "four"])
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events[:3] if half else events:
            self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            self.wfile.flush()
        if half:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, status: int, value: Any) -> None:
        self._raw(status, json.dumps(value).encode())

    def _raw(self, status: int, content: bytes, *, length: int | None = None, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def upstream() -> Iterator[Upstream]:
    """The provider, as long as the block lasts."""
    state = Upstream()
    with listening(Handler, state) as url:
        state.url = f"{url}/v1"
        try:
            yield state
        finally:
            state.let_go.set()


def onboarded(folder: Path, provider: Upstream, local_url: str) -> str:
    """Bring a data folder to READY by the command line, with a local service that runs; returns all it printed."""
    hand_in_weights(folder)
    words = ["onboard", "--provider", "selfhosted", "--base-url", provider.url, "--key-env", "PLANTED_KEY"]
    env = NO_NETWORK | {"PLANTED_KEY": KEY, "LANCELOT_UPKEEP": "off", "LANCELOT_LOCAL_LLM_URL": local_url}
    done = lancelot(folder, *words, "--comms", "local", "--yes", env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


if __name__ == "__main__":  # for looking around by hand
    with upstream() as running:
        print(running.url, os.getpid(), flush=True)
        threading.Event().wait()
