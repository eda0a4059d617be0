"""The HTTP face: control plane and gateway on one FastAPI application, with or without the console's pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Request

from lancelot.api import (
    approvals,
    docs,
    errors,
    flagship,
    gateway,
    model,
    onboarding,
    receipts,
    recovery,
    responses,
    system,
    usage,
)
from lancelot.api.doors import Doors
from lancelot.api.security import BodyLimit
from lancelot.api.trace import Trace
from lancelot.errors import NotFound
from lancelot.services import Services

__all__ = ["DESCRIPTION", "create_app", "install"]

DESCRIPTION = """\
Lancelot's control plane and gateway. Routes marked with a lock take `Authorization: Bearer …`: the operator's token
(`lancelot token`) everywhere, an application key (`lancelot keys add`) under /v1. Errors are RFC 9457 problem details
with code, title and hint; under /v1 they are OpenAI's error object with the same three fields.
"""

# the gateway first: its routes are matched far more often than all others
ROUTERS = (
    gateway.router,
    responses.router,
    system.router,
    model.router,
    flagship.router,
    onboarding.router,
    recovery.router,
    receipts.router,
    usage.router,
    approvals.router,
)
CLOSED_PREFIXES = ("/v1", "/system", "/onboarding", "/recovery", "/router", "/usage", "/approvals")


def install(app: FastAPI) -> None:
    """Put routes, limits and error handlers on an application; whatever is mounted at "/" comes after."""
    for part in (BodyLimit, Doors, Trace):  # the last one is the first to see a request
        app.add_middleware(part)
    errors.install(app)
    docs.install(app)
    for router in ROUTERS:
        app.include_router(router)

    async def nothing(request: Request) -> None:
        raise NotFound(f"There is nothing at {request.url.path}.")

    # pages live at "/": without these an unknown API path would be answered with a page
    for prefix in CLOSED_PREFIXES:
        app.add_api_route(
            prefix + "/{rest:path}",
            nothing,
            methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            include_in_schema=False,
        )


def lifespan(build: Callable[[], Services]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan that opens the services, puts them on `app.state.services` and closes them."""

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        services = build()
        async with services:
            app.state.services = services
            yield

    return run


def create_app(build: Callable[[], Services]) -> FastAPI:
    """Control plane and gateway without pages (`lancelot serve`, and the command line in its own process)."""
    app = FastAPI(title="Lancelot", description=DESCRIPTION, lifespan=lifespan(build), docs_url=None, redoc_url=None)
    install(app)
    return app
