"""One id a request, from its first byte to receipt and log; and the last net under every failure."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lancelot.api.doors import is_api
from lancelot.api.errors import error_response
from lancelot.errors import LancelotError, NotReady
from lancelot.logs import request_id
from lancelot.store.receipts import new_id

__all__ = ["Trace", "under_way"]

log = logging.getLogger(__name__)
QUIET = frozenset({"/system/health", "/system/ready", "/system/status", "/metrics"})  # asked every few seconds


def under_way(app: Any) -> set[asyncio.Task[Any]]:
    """The requests an application is carrying out; whoever stops it cancels what takes too long."""
    tasks: set[asyncio.Task[Any]] | None = getattr(app.state, "under_way", None)
    if tasks is None:
        tasks = app.state.under_way = set()
    return tasks


class Stopping(NotReady):
    code = "stopping"
    title = "Lancelot is being stopped."
    hint = "Send the request again once it runs."


class Trace:
    """Gives each API request an id (header x-lancelot-request, receipts, log) and logs it in one line: never its text.

    A caller's own X-Request-ID, when it is a plain word, is logged beside ours. A failure nobody expected is answered
    with code, title and hint, and logged by kind and place; nothing of it reaches a server's own log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own, tasks, task = new_id(), under_way(scope["app"]), asyncio.current_task()
        if task is not None:
            tasks.add(task)
        token = request_id.set(own)
        began, status, told = time.perf_counter(), 0, is_api(scope["path"])
        answer: dict[str, str] = {}

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                if told:
                    headers.setdefault("x-lancelot-request", own)
                    for name in ("x-lancelot-receipt", "x-lancelot-lane"):
                        if name in headers:
                            answer[name.removeprefix("x-lancelot-")] = headers[name]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:  # the server stops and has waited long enough
            if status:
                raise
            await error_response(scope["path"], Stopping(request_id=own))(scope, receive, noted)
        except Exception:
            log.exception("a request failed in a way nobody expected")
            if status:
                raise ConnectionAbortedError from None  # the answer has begun: all that is left is to cut it off
            await error_response(scope["path"], LancelotError(request_id=own))(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")  # its pattern: an address may hold anything
            services = getattr(scope["app"].state, "services", None)
            if told and services is not None:
                services.metrics.answered(route, status, time.perf_counter() - began)
            if told and (status >= 500 or scope["path"] not in QUIET):
                took = round((time.perf_counter() - began) * 1000, 1)
                line = {"method": scope["method"], "route": route, "status": status, "took_ms": took} | answer
                if named := caller_id(scope):
                    line["caller_request_id"] = named
                log.info("request", extra={"facts": line})
            request_id.reset(token)
            if task is not None:
                tasks.discard(task)


def caller_id(scope: Scope) -> str | None:
    """The caller's X-Request-ID, when it is a word of at most 64 plain characters."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
    plain = all(sign.isascii() and (sign.isalnum() or sign in "-_.") for sign in given)
    return given if given and plain and len(given) <= 64 else None
