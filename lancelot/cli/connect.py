"""One way to the services: over HTTP when a server owns the data folder, in this process when none does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from lancelot.api.app import create_app
from lancelot.errors import LancelotError, NotReady
from lancelot.files import lock_holder
from lancelot.keys import Keys
from lancelot.services import build_services
from lancelot.settings import data_dir

__all__ = ["Connection", "connect", "running_server"]

CALL_TIMEOUT_S = 600.0


class Connection:
    """Calls the control plane and turns its problem bodies back into errors."""

    def __init__(self, client: httpx.AsyncClient, portal: BlockingPortal, token: str, *, here: bool) -> None:
        self._client = client
        self._portal = portal
        self._headers = {"Authorization": f"Bearer {token}"}
        self.here = here  # the services live in this process

    def call(
        self, method: str, path: str, *, json: Any = None, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        """One request; a failure raises the error the server described.

        Raises:
            LancelotError: with the server's code, title and hint.
        """
        known = {name: value for name, value in params.items() if value is not None}

        async def send() -> httpx.Response:
            return await self._client.request(
                method, path, json=json, params=known, headers=self._headers | (headers or {})
            )

        try:
            response = self._portal.call(send)
        except httpx.HTTPError as problem:
            raise NotReady(
                "The running server does not answer.", hint="See its terminal, or stop it and try again."
            ) from problem
        if response.is_error:
            raise described(response)
        return response

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, **params).json()

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, json=body, headers=headers).json()


def described(response: httpx.Response) -> LancelotError:
    """The error a problem body or OpenAI error object describes."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body.get("error", body) if isinstance(body, dict) else {}
    error = LancelotError(body.get("title"), hint=body.get("hint"), code=body.get("code") or "http_error")
    error.status = response.status_code
    return error


def running_server() -> str | None:
    """The base URL of the server that owns the data folder; None when no server does."""
    holder = lock_holder(data_dir())
    address = holder.get("url") if holder else None
    return str(address) if address else None


@contextmanager
def connect() -> Iterator[Connection]:
    """A connection to the running server, or to services opened here and closed afterwards."""
    token = Keys(data_dir()).token()
    address = running_server()
    with start_blocking_portal() as portal:
        if address is not None:
            client = httpx.AsyncClient(base_url=address, timeout=CALL_TIMEOUT_S, trust_env=False)
            try:
                yield Connection(client, portal, token, here=False)
            finally:
                portal.call(client.aclose)
            return
        app = create_app(build_services)
        with portal.wrap_async_context_manager(app.router.lifespan_context(app)):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=CALL_TIMEOUT_S)
            try:
                yield Connection(client, portal, token, here=True)
            finally:
                portal.call(client.aclose)
