"""A real HTTP server on loopback that misbehaves on demand, and pins that point to it."""

from __future__ import annotations

import hashlib
import http.server
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local_models.consent import Consent
from local_models.fetch_model import FetchSettings
from local_models.lockfile import HttpsSource, PinnedModel, Source
from tests.loopback import Quiet, listening

__all__ = ["CONTENT", "Exchange", "FileServer", "agreed", "make_pin", "quick", "serving"]

CONTENT = random.Random(4).randbytes(6_000_000)
Behaviour = Callable[["Exchange"], None]


class Exchange:
    """One request as a behaviour sees it."""

    def __init__(self, handler: http.server.BaseHTTPRequestHandler, server: FileServer) -> None:
        self.handler, self.server = handler, server
        self.range = handler.headers.get("Range")
        match = re.fullmatch(r"bytes=(\d+)-", self.range or "")
        self.start = int(match[1]) if match else 0

    def head(self, status: int, **headers: Any) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), str(value))
        self.handler.end_headers()

    def body(self, content: bytes) -> None:
        self.handler.wfile.write(content)
        self.handler.wfile.flush()

    def cut(self) -> None:
        """Close the connection at once."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def honest(self, content: bytes | None = None, etag: str | None = '"v1"') -> None:
        """What a good server does: Range, If-Range, ETag."""
        content = self.server.content if content is None else content
        if_range = self.handler.headers.get("If-Range")
        start = 0 if if_range not in (None, etag) else self.start
        if start >= len(content) and start:
            self.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return
        more = {"ETag": etag} if etag else {}
        if start:
            more["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.head(206 if start else 200, Content_Length=len(content) - start, **more)
        self.body(content[start:])

    def first(self, count: int, etag: str | None = '"v1"') -> None:
        """Promise everything, send `count` bytes of it, hang up."""
        content = self.server.content
        more = {"ETag": etag} if etag else {}
        if self.start:
            more["Content_Range"] = f"bytes {self.start}-{len(content) - 1}/{len(content)}"
        self.head(206 if self.start else 200, Content_Length=len(content) - self.start, **more)
        self.body(content[self.start : self.start + count])
        self.cut()


class FileServer:
    """Answers request after request with the next scripted behaviour, the last one for ever; remembers the ranges."""

    def __init__(self, *script: Behaviour, content: bytes = CONTENT) -> None:
        self.script, self.content = list(script) or [Exchange.honest], content
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.url = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        exchange = Exchange(handler, self)
        self.ranges.append(exchange.range)
        self.paths.append(handler.path)
        behaviour = self.script[min(len(self.ranges), len(self.script)) - 1]
        try:
            behaviour(exchange)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True


@contextmanager
def serving(*script: Behaviour, content: bytes = CONTENT) -> Iterator[FileServer]:
    """A FileServer that listens on loopback while the block runs."""
    files = FileServer(*script, content=content)

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            files.answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            files.answer(self)

    with listening(Handler) as url:
        files.url = f"{url}/weights.gguf"
        yield files


def make_pin(*sources: str | Source, content: bytes = CONTENT) -> PinnedModel:
    """A pin for `content` at these addresses."""
    made = tuple(HttpsSource(kind="https", url=one) if isinstance(one, str) else one for one in sources)
    return PinnedModel(
        id="test-model",
        title="Test model",
        publisher="Tests",
        repository="tests/model",
        file="weights.gguf",
        revision="a" * 39 + "b",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0.txt",
        sources=made,
        min_memory_mb=1,
        context=1,
        chat_template="chatml",
        recommended="tests",
    )


def agreed(pin: PinnedModel) -> Consent:
    return Consent.given(pin)


def quick(**changes: Any) -> FetchSettings:
    """Settings that do not wait: sleeps are skipped unless a test records them."""
    settings: dict[str, Any] = {"timeout_s": 5.0, "sleep": lambda _seconds: None, "progress_every_s": 0.0}
    return FetchSettings(**(settings | changes))


def stall(seconds: float) -> Callable[[Exchange], None]:
    """Send a third, then nothing for a while."""

    def behave(exchange: Exchange) -> None:
        content = exchange.server.content
        exchange.head(200, Content_Length=len(content), ETag='"v1"')
        exchange.body(content[: len(content) // 3])
        threading.Event().wait(seconds)
        exchange.cut()

    return behave
