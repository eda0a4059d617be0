"""HTTP to an OpenAI-compatible server: one pool per event loop, errors in the house's words, server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from lancelot.errors import BadInput, ContextTooLong, LancelotError, LocalModelError, TooLarge

__all__ = ["LocalModelBusy", "NoSuchRoute", "Transport", "is_loopback"]


class LocalModelBusy(LocalModelError):
    """Its queue is full; retry_after says when to come back."""

    code, status = "local_model_busy", 429
    title = "The local model has more work than it can take."
    hint = "Wait a moment and try again."


class NoSuchRoute(LocalModelError):
    """The server does not know the address (404, 405): it has no utility routes."""

    code = "no_such_route"


@dataclass(frozen=True, slots=True)
class Got:
    """A decoded answer, the SHA-256 of what was sent, and when the answer began (monotonic seconds)."""

    body: dict[str, Any]
    sent_sha256: str
    began: float


class Transport:
    """Sends JSON. Connections are pooled per event loop: an httpx client must not cross loops."""

    def __init__(
        self,
        base_url: Callable[[], str | None],
        *,
        api_key: str | None = None,
        inner: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._inner = inner
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )
        self._sync: httpx.Client | None = None

    def base(self) -> str:
        """The server's address without /v1.

        Raises:
            LocalModelError: there is none at the moment.
        """
        base = self._base_url()
        if not base:
            raise LocalModelError("The local model is not running yet.", retry_after=2.0)
        return base.rstrip("/").removesuffix("/v1")

    async def get(self, path: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
        """(status, JSON body); any status is an answer.

        Raises:
            LocalModelError: it cannot be reached.
        """
        url = self.base() + path
        with _words():
            answer = await self._pool().get(url, headers=self._headers, timeout=timeout_s)
        return answer.status_code, _decoded(answer)

    async def post(self, path: str, body: Mapping[str, Any], timeout_s: float) -> Got:
        """One JSON answer.

        Raises:
            LocalModelError, LocalModelBusy, NoSuchRoute, BadInput, ContextTooLong, TooLarge.
        """
        url, content = self.base() + path, _encoded(body)
        with _words():
            answer = await self._pool().post(url, content=content, headers=self._head(timeout_s), timeout=timeout_s)
        began = asyncio.get_running_loop().time()
        if answer.status_code != 200:
            raise as_error(answer.status_code, _decoded(answer), answer.headers)
        return Got(_decoded(answer), hashlib.sha256(content).hexdigest(), began)

    def post_sync(self, path: str, body: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """As post, for threads without an event loop."""
        url, content = self.base() + path, _encoded(body)
        if self._sync is None:
            self._sync = httpx.Client(trust_env=not is_loopback(url))
        with _words():
            answer = self._sync.post(url, content=content, headers=self._head(timeout_s), timeout=timeout_s)
        if answer.status_code != 200:
            raise as_error(answer.status_code, _decoded(answer), answer.headers)
        return _decoded(answer)

    async def events(self, path: str, body: Mapping[str, Any], timeout_s: float) -> AsyncIterator[dict[str, Any]]:
        """The JSON of each server-sent event up to [DONE]; the first item is {"sent_sha256": …}.

        Raises:
            as post; also when an event carries an error or the stream ends early.
        """
        url, content = self.base() + path, _encoded(body)
        with _words():
            async with self._pool().stream(
                "POST", url, content=content, headers=self._head(timeout_s), timeout=timeout_s
            ) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                    raise as_error(answer.status_code, _decoded(answer), answer.headers)
                yield {"sent_sha256": hashlib.sha256(content).hexdigest()}
                async for line in answer.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line[5:].strip()
                    if data == "[DONE]":
                        return
                    event = _parsed(data)
                    if "error" in event:
                        raise as_error(500, event, answer.headers)
                    yield event
        raise LocalModelError("The local model broke off its answer.", code="stream_cut")

    async def aclose(self) -> None:
        """Close this loop's connections and the synchronous ones."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()
        if self._sync is not None:
            self._sync.close()
            self._sync = None

    def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.is_closed:
            pool = self._pools[loop] = httpx.AsyncClient(
                trust_env=not is_loopback(self.base()),  # a proxy never helps on loopback
                transport=self._inner() if self._inner else None,
                limits=httpx.Limits(max_connections=200, max_keepalive_connections=20, keepalive_expiry=4.0),
            )
        return pool

    def _head(self, timeout_s: float) -> dict[str, str]:
        told = {"Content-Type": "application/json", "X-Lancelot-Deadline-Ms": f"{timeout_s * 1000:.0f}"}
        return told | self._headers


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    host = (urlsplit(url if "//" in url else f"//{url}").hostname or "").lower()
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def as_error(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> LancelotError:
    """The house's error for a refusal. The server's own words are used only where they are our service's."""
    told = body.get("error")
    told = told if isinstance(told, Mapping) else {}
    code, title, hint = (str(told[key]) if told.get(key) else None for key in ("code", "title", "hint"))
    param = {"param": told["param"]} if told.get("param") else {}
    after = headers.get("retry-after", "")
    retry_after = float(after) if after.replace(".", "", 1).isdigit() else None
    said = f"{code} {told.get('message', '')} {told.get('type', '')}".lower()
    if status in (404, 405):
        return NoSuchRoute(title, hint=hint)
    if status == 429:
        return LocalModelBusy(retry_after=retry_after or 1.0)
    if status == 413:
        return TooLarge(title, hint=hint)
    if status in (400, 422):
        if "context" in said and ("length" in said or "long" in said or "exceed" in said):
            return ContextTooLong(title, hint=hint)
        return BadInput(title, hint=hint, **param)
    return LocalModelError(title, hint=hint, retry_after=retry_after)


class _words:
    """Turns httpx's exceptions into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, httpx.TimeoutException):
            raise LocalModelError("The local model did not answer in time.", code="local_model_timeout") from problem
        if isinstance(problem, httpx.HTTPError | httpx.InvalidURL):
            raise LocalModelError("The local model cannot be reached.", retry_after=2.0) from problem


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _decoded(answer: httpx.Response) -> dict[str, Any]:
    return _parsed(answer.content) if answer.content else {}


def _parsed(raw: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
