"""The door to the providers: nothing passes without a RedactedRequest, and the bytes that pass are hashed here.

Two of a kind: the lean one over our own transport, and httpx's client for proxies and for clients handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.request import getproxies

import httpx

from lancelot.providers.line import LineTransport
from lancelot.redaction.redactor import require_redacted

__all__ = ["ClientDoor", "Door", "LineDoor", "Opened", "new_door"]

GUARD: Final = "lancelot_redacted"
SEAL: Final = "lancelot_sent_sha256"
RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer whose head is there and whose body is still to come.

    Attributes:
        status: HTTP status.
        raw: the headers as they came.
        body: the decoded body, piece by piece.
        close: gives the connection back, or drops it when bytes are left.
        sent_sha256: hex SHA-256 of the bytes that were sent; None when there were none.
    """

    status: int
    raw: RawHeaders
    body: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]
    sent_sha256: str | None

    @property
    def headers(self) -> httpx.Headers:
        """The headers, by name in any case."""
        return httpx.Headers(list(self.raw))


class Door(Protocol):
    """Sends one request; raises httpx's errors, and what require_redacted raises."""

    async def send(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes,
        guard: object,
        timeouts: Mapping[str, float],
    ) -> Opened: ...

    async def aclose(self) -> None: ...


def sealed(method: str, content: bytes, guard: object) -> str | None:
    """The hash of a body that may leave; None where there is none to hash.

    Raises:
        RedactionFailed: it has not come from redaction.
    """
    if method == "GET" and not content:
        return None
    require_redacted(guard)
    return hashlib.sha256(content).hexdigest()


class LineDoor:
    """Our own transport, without httpx's request and response objects: a third of a call's processor time."""

    def __init__(self, line: LineTransport | None = None) -> None:
        self._line = line or LineTransport()

    async def send(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes,
        guard: object,
        timeouts: Mapping[str, float],
    ) -> Opened:
        raw = [(b"host", url.netloc)]
        raw += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        if content or method != "GET":
            raw.append((b"content-length", b"%d" % len(content)))
        sent = sealed(method, content, guard)
        head, stream = await self._line.exchange(method, url, raw, content, timeouts)
        if any(name.lower() == b"content-encoding" for name, _ in head.headers):
            response = httpx.Response(head.status, headers=head.headers, stream=stream)
            return Opened(head.status, head.headers, response.aiter_bytes(), stream.aclose, sent)
        return Opened(head.status, head.headers, stream.__aiter__(), stream.aclose, sent)

    async def aclose(self) -> None:
        await self._line.aclose()


class ClientDoor:
    """httpx's client, with the guard and the hash inside it: whoever else uses the client meets them, too."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        hooks = client.event_hooks
        if _seal not in hooks["request"]:
            client.event_hooks = {**hooks, "request": [*hooks["request"], _seal]}

    async def send(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes,
        guard: object,
        timeouts: Mapping[str, float],
    ) -> Opened:
        extensions: dict[str, Any] = {"timeout": dict(timeouts), GUARD: guard}
        request = httpx.Request(method, url, headers=headers, content=content or None, extensions=extensions)
        response = await self._client.send(request, stream=True, follow_redirects=False)
        sent = response.request.extensions.get(SEAL)
        return Opened(response.status_code, response.headers.raw, response.aiter_bytes(), response.aclose, sent)

    async def aclose(self) -> None:
        await self._client.aclose()


async def _seal(request: httpx.Request) -> None:
    """Runs inside httpx for every request just before it goes to the transport."""
    sent = sealed(request.method, request.content, request.extensions.get(GUARD))
    if sent is not None:
        request.extensions[SEAL] = sent


def new_door() -> Door:
    """Pooled connections, TLS verified, redirects never followed; proxies and CA bundle from the environment."""
    if any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0)
        return ClientDoor(httpx.AsyncClient(limits=limits, follow_redirects=False, trust_env=True))
    return LineDoor()
