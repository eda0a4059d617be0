"""HTTP/1.1 as bytes (RFC 9112): a request written out, a response's head read, its body cut out of the stream. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import httpx

__all__ = ["Body", "Head", "encode_request", "parse_head"]

STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: ([^\x00\r\n]*))?")
NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
METHOD: Final = re.compile(r"[A-Z]+")
CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
FORBIDDEN: Final = re.compile(rb"[\x00\r\n]")
TARGET: Final = re.compile(rb"[\x21-\x7e]+")
MAX_LINE: Final = 16_384


class Head(NamedTuple):
    """Status, reason and headers of a response, and its minor HTTP version."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    minor: int


def encode_request(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The request as one piece.

    Raises:
        httpx.LocalProtocolError: something in it would end a line early.
    """
    lines = [f"{method} ".encode("ascii", "replace") + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in headers]
    if (
        not METHOD.fullmatch(method)
        or not TARGET.fullmatch(target)
        or any(FORBIDDEN.search(line) for line in lines)
        or not all(NAME.fullmatch(name) for name, _ in headers)
    ):
        raise httpx.LocalProtocolError("a header holds characters that no header may hold")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def parse_head(text: bytes) -> Head:
    """A head without its empty line.

    Raises:
        httpx.RemoteProtocolError: it is no HTTP/1.x head.
    """
    first, *rest = text.split(b"\r\n")
    status = STATUS.fullmatch(first)
    if status is None:
        raise httpx.RemoteProtocolError("the answer is not HTTP")
    headers = []
    for line in rest:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not NAME.fullmatch(name) or FORBIDDEN.search(value):
            raise httpx.RemoteProtocolError("the answer has a broken header")
        headers.append((name, value))
    return Head(int(status.group(2)), status.group(3) or b"", headers, int(status.group(1)))


class Body:
    """Cuts a body out of the bytes that follow a head.

    Attributes:
        ended: the body is complete.
        reusable: the connection may carry another request after it.
    """

    __slots__ = ("_held", "_left", "_state", "ended", "reusable")

    def __init__(self, head: Head, method: str) -> None:
        lengths: set[bytes] = set()
        codings: list[bytes] = []
        connection = b""
        for name, value in head.headers:
            lowered = name.lower()
            if lowered == b"content-length":
                lengths.update(part.strip() for part in value.split(b","))
            elif lowered == b"transfer-encoding":
                codings += [part.strip().lower() for part in value.split(b",")]
            elif lowered == b"connection":
                connection += b"," + value.lower()
        tokens = {token.strip() for token in connection.split(b",")}
        self.reusable = b"close" not in tokens and (head.minor == 1 or b"keep-alive" in tokens)
        self._held = b""
        self._left = 0
        if method == "HEAD" or head.status in (204, 304):
            self._state = "done"
        elif codings:
            if codings != [b"chunked"]:
                raise httpx.RemoteProtocolError("the answer comes in a form that was not asked for")
            self._state = "size"
            self.reusable = self.reusable and not lengths  # two lengths: nothing after this can be trusted
        elif lengths:
            if len(lengths) != 1 or not (length := lengths.pop()).isdigit() or len(length) > 15:
                raise httpx.RemoteProtocolError("the answer has no clear length")
            self._left = int(length)
            self._state = "length" if self._left else "done"
        else:
            self._state = "until close"
            self.reusable = False
        self.ended = self._state == "done"

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body in data; bytes after the body's end make the connection useless.

        Raises:
            httpx.RemoteProtocolError: the chunks are broken.
        """
        if self._state == "length":
            return self._counted(data)
        if self._state == "until close":
            return [data]
        return self._chunks(data)

    def close(self) -> list[bytes]:
        """The peer has closed.

        Raises:
            httpx.RemoteProtocolError: before the body's end.
        """
        if self._state != "until close":
            raise httpx.RemoteProtocolError("the server closed the connection inside an answer")
        self.ended = True
        return []

    def _counted(self, data: bytes) -> list[bytes]:
        piece = data[: self._left]
        self._left -= len(piece)
        if not self._left:
            self.ended = True
            self.reusable = self.reusable and len(piece) == len(data)
        return [piece]

    def _chunks(self, data: bytes) -> list[bytes]:
        data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            if self._state == "data":
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._state = "data" if self._left else "data end"
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._held = data[at:]
                if len(self._held) > MAX_LINE:
                    raise httpx.RemoteProtocolError("the answer has an endless line")
                break
            line, at = data[at:end], end + 2
            if self._line(line):
                self.ended = True
                self.reusable = self.reusable and at == len(data)
                break
        return pieces

    def _line(self, line: bytes) -> bool:
        """One line between chunks; True after the last."""
        if self._state == "data end":
            if line:
                raise httpx.RemoteProtocolError("a chunk is longer than it said")
            self._state = "size"
        elif self._state == "size":
            size = CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise httpx.RemoteProtocolError("a chunk has no clear size")
            self._left = int(size.group(1), 16)
            self._state = "data" if self._left else "trailer"
        else:
            return not line
        return False
