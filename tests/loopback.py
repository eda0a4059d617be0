"""A small HTTP server on loopback, as long as a block lasts: what tests need that answer something themselves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Quiet", "listening"]


class Quiet(BaseHTTPRequestHandler):
    """A handler that logs nothing. `state` is what `listening` was given."""

    state: Any = None

    def body(self) -> bytes:
        """The request's body; empty where none was announced."""
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def say(self, content: bytes = b"", status: int = 200, kind: str = "application/json") -> None:
        """A whole answer with its length."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def say_json(self, value: Any, status: int = 200) -> None:
        self.say(json.dumps(value).encode(), status)

    def log_message(self, format: str, *args: Any) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # callers that are killed hang up in the middle of an answer


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], state: Any = None) -> Iterator[str]:
    """The address of a server with this handler on a free port; `state` becomes the handler's attribute."""
    server = _Server(("127.0.0.1", 0), type("Bound", (handler,), {"state": state}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
