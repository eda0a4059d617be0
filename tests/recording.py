"""A recording loopback server on raw sockets: it keeps every byte it was sent and answers what the test scripted."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from lancelot.chat import ChatRequest
from lancelot.redaction.redactor import RedactedRequest, Redactor

__all__ = ["NoNames", "Recorded", "RecordingServer", "Scripted", "json_answer", "redacted", "sse_answer"]


@dataclass
class Recorded:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Scripted:
    """One answer. After `cut` bytes of the body the connection closes; `stall` never answers; `drop` hangs up."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False
    drop: bool = False
    pieces: list[bytes] | None = None
    raw: list[bytes] | None = None  # written as it stands, in place of status, headers and body


def json_answer(value: Any, status: int = 200, **headers: str) -> Scripted:
    return Scripted(
        orjson.dumps(value),
        status,
        {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()},
    )


def sse_answer(*events: Any, named: bool = False, done: bool = False, cut: int | None = None) -> Scripted:
    """Events as a stream; named: each with its `type` as event name."""
    text = b""
    for event in events:
        if named:
            text += b"event: " + event["type"].encode() + b"\n"
        text += b"data: " + (event if isinstance(event, bytes) else orjson.dumps(event)) + b"\n\n"
    if done:
        text += b"data: [DONE]\n\n"
    return Scripted(text, 200, {"content-type": "text/event-stream"}, cut=cut)


class RecordingServer:
    """HTTP/1.1 on 127.0.0.1; one thread a connection, answers in the order of the script, the last one repeats."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.on_hang_up: Callable[[], None] = lambda: None
        self._tls = tls
        self.requests: list[Recorded] = []
        self.script: list[Scripted] = [Scripted()]
        self.connections = 0
        self._lock = threading.Lock()
        self._given = 0
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def answers(self, *script: Scripted) -> None:
        with self._lock:
            self.script = list(script)
            self._given = 0

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in [self._accepting, *self._threads]:
            thread.join(5)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._talk(connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True))
        except OSError:  # a handshake that the other side refused
            connection.close()
        self.on_hang_up()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            held = b""
            while True:
                try:
                    recorded, held = _read_request(connection, held)
                except OSError:
                    return
                if recorded is None:
                    return
                with self._lock:
                    self.requests.append(recorded)
                    scripted = self.script[min(self._given, len(self.script) - 1)]
                    self._given += 1
                if scripted.stall:
                    self._closing.wait(30)
                    return
                if scripted.drop or not _answer(connection, scripted):
                    return


def _read_request(connection: socket.socket, held: bytes) -> tuple[Recorded | None, bytes]:
    while b"\r\n\r\n" not in held:
        piece = connection.recv(65536)
        if not piece:
            return None, b""
        held += piece
    head, _, rest = held.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body = b""
    if "chunked" in headers.get("transfer-encoding", ""):
        raw_start = rest
        while b"0\r\n\r\n" not in raw_start:
            raw_start += connection.recv(65536)
        remaining = raw_start
        while True:
            size, _, remaining = remaining.partition(b"\r\n")
            length = int(size, 16)
            if not length:
                break
            body, remaining = body + remaining[:length], remaining[length + 2 :]
        return Recorded(method, path, headers, body, head + b"\r\n\r\n" + body), b""
    length = int(headers.get("content-length", "0"))
    while len(rest) < length:
        rest += connection.recv(65536)
    body, rest = rest[:length], rest[length:]
    return Recorded(method, path, headers, body, head + b"\r\n\r\n" + body), rest


def _answer(connection: socket.socket, scripted: Scripted) -> bool:
    """Send an answer; False when the connection is to be closed."""
    if scripted.raw is not None:
        try:
            for piece in scripted.raw:
                connection.sendall(piece)
        except OSError:
            return False
        return scripted.cut is None
    headers = {"content-length": str(len(scripted.body))} | scripted.headers
    head = f"HTTP/1.1 {scripted.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        if scripted.pieces is not None:
            head = head.replace(f"content-length: {len(scripted.body)}\r\n", "transfer-encoding: chunked\r\n")
            connection.sendall(head.encode("latin-1") + b"\r\n")
            for piece in scripted.pieces:
                connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            if scripted.cut is not None:
                return False
            connection.sendall(b"0\r\n\r\n")
            return True
        body = scripted.body if scripted.cut is None else scripted.body[: scripted.cut]
        connection.sendall(head.encode("latin-1") + b"\r\n" + body)
    except OSError:
        return False
    return scripted.cut is None


def redacted(**fields: Any) -> RedactedRequest:
    """A RedactedRequest of a chat in OpenAI's form; messages default to one short question."""
    fields.setdefault("messages", [{"role": "user", "content": "What is the capital of France?"}])
    return Redactor(tagger=NoNames()).redact_request(ChatRequest.model_validate(fields), mode="rules")


class NoNames:
    """In place of the tagger: finds nothing, loads nothing."""

    def find(self, text: str) -> list[Any]:
        return []
