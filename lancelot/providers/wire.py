"""The one door to the providers: pooled httpx, hashed bytes, one deadline, retries; only a RedactedRequest passes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from lancelot.chat import ChatRequest
from lancelot.config import checked_base_url
from lancelot.errors import ProviderAuth, ProviderError, ProviderMalformed, ProviderTimeout, ProviderUnreachable
from lancelot.providers.base import Deadline
from lancelot.providers.doors import ClientDoor, Door, Opened, new_door
from lancelot.providers.failures import Failure, http_failure, may_retry, network_failure
from lancelot.providers.reading import encoded
from lancelot.providers.replies import Live, Reply
from lancelot.redaction.redactor import RedactedRequest, require_redacted

__all__ = ["BaseUrl", "Live", "Reply", "Retry", "Wire", "sealed_chat"]

BaseUrl = str | Callable[[], str | None] | None
MAX_ANSWER = 64_000_000  # bytes; more is no chat answer
CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long: up to `times` more calls, waits of base·2ⁿ seconds with jitter, never past the deadline.

    A provider that asks for a longer wait than `patience_s` is not waited for: the router has other lanes.
    """

    times: int = 2
    base_s: float = 0.5
    cap_s: float = 8.0
    patience_s: float = 20.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int, asked: float | None) -> float:
        """Seconds before attempt number `attempt` (from 1) is repeated."""
        jitter = min(self.cap_s, self.base_s * 2.0 ** (attempt - 1)) * (0.5 + self.chance() / 2)
        return jitter if asked is None else asked + jitter * 0.1


def sealed_chat(request: RedactedRequest) -> ChatRequest:
    """The chat of a RedactedRequest; anything else is refused here already (its seal is checked at the door)."""
    if type(request) is not RedactedRequest:
        require_redacted(request)
    return request.chat


class Wire:
    """Sends what one provider says and hands back what it answers.

    Args:
        base_url: the provider's address, or a function that is asked at every call.
        headers: the headers of every call (the key among them); built once.
        explain: reads kind, message and wait out of an error body: (status, headers, decoded body or None) -> Failure.
        client: used instead of one of our own, and left open.
    """

    def __init__(
        self,
        *,
        base_url: BaseUrl,
        headers: Mapping[str, str],
        explain: Callable[[int, Mapping[str, str], Any], Failure],
        client: httpx.AsyncClient | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._base_url = base_url
        self._headers = _checked_headers(headers)
        self._explain = explain
        self._retry = retry or Retry()
        self._door: Door | None = None if client is None else ClientDoor(client)
        self._own = client is None
        self._urls: dict[str, httpx.URL] = {}

    async def post(self, request: RedactedRequest, path: str, body: dict[str, Any], deadline: Deadline) -> Reply:
        """Send a redacted request and read the whole JSON answer.

        Raises:
            ProviderError: or one of its kin; besides, what require_redacted raises, and BadInput for no text.
        """
        content = encoded(body)
        opened, began = await self._call("POST", path, content, request, deadline, stream=False)
        return await self._whole(opened, began, deadline, len(content))

    async def get(self, path: str, deadline: Deadline) -> Reply:
        """Read a JSON document; no body is sent."""
        opened, began = await self._call("GET", path, b"", None, deadline, stream=False)
        return await self._whole(opened, began, deadline, 0)

    @asynccontextmanager
    async def stream(
        self, request: RedactedRequest, path: str, body: dict[str, Any], deadline: Deadline
    ) -> AsyncIterator[Live]:
        """Send a redacted request, read its answer as server-sent events; leaving the block closes the connection."""
        opened, began = await self._call("POST", path, encoded(body), request, deadline, stream=True)
        try:
            live = Live(opened, deadline)
            kind = live.headers.get("content-type", "")
            if "json" in kind or "html" in kind:  # an error, or a page of somebody in between
                reply = await self._whole(opened, began, deadline, 0)
                raise self.failed(200, reply.headers, reply.body)
            yield live
        finally:
            await opened.close()

    def failed(self, status: int, headers: Mapping[str, str], body: Any) -> ProviderError:
        """The error in a body; a body of status 200 that holds no error is malformed."""
        failure = self._explain(status, headers, body)
        if status == 200 and failure.kind is None and not failure.message:
            return ProviderMalformed(upstream_status=status)
        return http_failure(failure)

    async def aclose(self) -> None:
        if self._own and self._door is not None:
            await self._door.aclose()
            self._door = None

    async def _call(
        self, method: str, path: str, content: bytes, guard: Any, deadline: Deadline, *, stream: bool
    ) -> tuple[Opened, float]:
        """One call with its retries; the answer's headers are there, its body is not read yet."""
        attempt = 0
        while True:
            attempt += 1
            headers: Mapping[str, str] = {}
            began = time.perf_counter()
            try:
                opened = await self._once(method, path, content, guard, deadline, stream=stream)
                if opened.status == 200:
                    return opened, began
                headers = opened.headers
                problem = self.failed(opened.status, headers, await _error_body(opened, deadline))
            except ProviderError as failure:
                problem = failure
            if attempt > self._retry.times or not may_retry(problem, headers):
                raise problem
            wait = self._retry.wait_s(attempt, problem.retry_after)
            if wait > self._retry.patience_s or wait >= deadline.left():
                raise problem
            await self._retry.sleep(wait)

    async def _once(
        self, method: str, path: str, content: bytes, guard: Any, deadline: Deadline, *, stream: bool
    ) -> Opened:
        left = deadline.left()
        if left <= 0:
            raise ProviderTimeout()
        if self._door is None:
            self._door = new_door()
        headers = dict(self._headers)
        if content:
            headers["content-type"] = "application/json"
        if stream:
            headers["accept"] = "text/event-stream"
        timeouts = {"connect": min(CONNECT_S, left), "read": left, "write": left, "pool": left}
        try:
            async with asyncio.timeout(left):
                return await self._door.send(method, self._url(path), headers, content, guard, timeouts)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as problem:
            raise network_failure(problem) from None

    async def _whole(self, opened: Opened, began: float, deadline: Deadline, sent: int) -> Reply:
        first_byte_ms = (time.perf_counter() - began) * 1000
        content = await _read(opened, deadline, MAX_ANSWER)
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise ProviderMalformed(upstream_status=opened.status) from None
        return Reply(body, opened, sent, first_byte_ms)

    def _url(self, path: str) -> httpx.URL:
        base = self._base_url() if callable(self._base_url) else self._base_url
        if base is None:
            raise ProviderUnreachable(
                "The local service is not running.", hint="See Local model, or run `lancelot model status`."
            )
        address = base + path
        url = self._urls.get(address)
        if url is None:
            try:
                url = httpx.URL(checked_base_url(base) + path)
            except (ValueError, httpx.InvalidURL) as problem:
                raise network_failure(httpx.InvalidURL(str(problem))) from None
            if len(self._urls) > 100:  # a service that comes back on ever new ports
                self._urls.clear()
            self._urls[address] = url
        return url


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {"accept": "application/json", "accept-encoding": "gzip, deflate", "user-agent": "lancelot"}
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ProviderAuth("The key holds characters no key has.", hint="Enter the key again, without line breaks.")
        checked[name] = value
    return checked


async def _read(opened: Opened, deadline: Deadline, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(deadline.left()):
            async for piece in opened.body:
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise ProviderMalformed("The provider's answer is far too large.")
    except (TimeoutError, httpx.HTTPError) as problem:
        raise network_failure(problem, answered=True) from None
    finally:
        await opened.close()
    return b"".join(pieces)


async def _error_body(opened: Opened, deadline: Deadline) -> Any:
    """The decoded body of an error answer; None when it is no JSON (an HTML page, say) or broke off."""
    try:
        return orjson.loads(await _read(opened, deadline, 1_000_000))
    except (ProviderError, orjson.JSONDecodeError):
        return None
