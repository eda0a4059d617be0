"""Who may come in: bearer tokens on the routes that need them, and limits on every request's body."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lancelot.api.errors import error_response
from lancelot.errors import Forbidden, NotAllowed, TooLarge
from lancelot.keys import Caller
from lancelot.services import Services

__all__ = ["API_PREFIXES", "BodyLimit", "CallerDep", "OperatorDep", "ServicesDep", "bearer_caller", "services_of"]

API_PREFIXES = ("/v1/", "/system/", "/onboarding", "/recovery", "/router/", "/usage/", "/approvals", "/metrics")


# dependencies are coroutines although they never wait: plain functions would each cost a thread's round trip
async def services_of(request: Request) -> Services:
    """The process's services, put on the application by its lifespan."""
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]


def bearer_caller(request: Request, services: Services) -> Caller | None:
    """Whom the request's bearer token belongs to; None without a token or with a wrong one.

    Raises:
        TooMany: too many wrong tokens came from this address.
    """
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented.strip():
        return None
    return services.keys.check(presented.strip(), request.client.host if request.client else None)


async def _caller(request: Request, services: ServicesDep) -> Caller:
    if "authorization" not in request.headers:
        raise NotAllowed(code="token_missing")
    caller = bearer_caller(request, services)
    if caller is None:
        raise NotAllowed("This token is not valid.", code="token_invalid")
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


async def _operator(caller: CallerDep) -> Caller:
    if caller.key is not None:
        raise Forbidden("This route is the operator's.", hint="Use the token that `lancelot token` prints.")
    return caller


OperatorDep = Annotated[Caller, Depends(_operator)]


class BodyLimit:
    """Refuse bodies over router.yaml's `gateway.max_body_bytes` before they are read whole. Streams pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API_PREFIXES):
            await self.app(scope, receive, send)
            return
        services = cast(Services, scope["app"].state.services)
        limit = services.config.current.router.gateway.max_body_bytes
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = TooLarge(f"The body is larger than {limit:,} bytes.")
        if not declared.isdigit() or int(declared) > limit:
            await error_response(scope["path"], too_large, {"Connection": "close"})(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise too_large
            return message

        await self.app(scope, counted, send)
