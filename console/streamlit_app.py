"""The ASGI entry of `streamlit run console`: control plane, gateway and pages in one process.

Streamlit finds the literal `app = FastAPI(…)` by reading this file, so it stays literal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import psutil
from fastapi import FastAPI
from streamlit import config as streamlit_config
from streamlit import secrets as streamlit_secrets
from streamlit.starlette import App

from lancelot.api.app import DESCRIPTION, install
from lancelot.api.trace import under_way
from lancelot.errors import BadConfig, LancelotError
from lancelot.exposure import Exposure, exposure, host_in_url
from lancelot.logs import configure_logs
from lancelot.services import Services, build_services

pages = App("main.py")
pages_lifespan = pages.lifespan()


def opened(host: str, port: int) -> tuple[Services, Exposure]:
    """The services; when they may or can not be opened the process ends in words, not in a stack trace."""
    os.umask(0o077)  # whatever is written is for its owner alone
    try:
        who = exposure(host)
        who.check()
        if who.login == "oidc":
            require_secrets()
        services = build_services(url=f"http://{host_in_url(host)}:{port}")
        configure_logs(services.data_dir)  # now that the folder is ours
        return services, who
    except LancelotError as problem:
        sys.stderr.write(f"\n  Lancelot cannot start.\n  {problem}\n\n")
        sys.stderr.flush()
        os._exit(1)  # nothing is open yet; an exception here would be shown as a server's crash


def require_secrets() -> None:
    """An OIDC login needs its provider named in .streamlit/secrets.toml.

    Raises:
        BadConfig: there is no [auth] section.
    """
    try:
        known = "auth" in streamlit_secrets
    except FileNotFoundError:
        known = False
    if not known:
        raise BadConfig(
            "LANCELOT_LOGIN=oidc, but .streamlit/secrets.toml has no [auth] section.",
            hint="docs/security.md shows what belongs there.",
        )


def send_at_once(port: int) -> None:
    """Set TCP_NODELAY on our listening socket; Linux hands it on to every connection.

    Streamlit binds a socket whose protocol asyncio does not recognise as TCP, so it leaves Nagle's algorithm on, and an
    answer of two writes then waits 40 ms for the client's delayed acknowledgement.
    """
    with suppress(psutil.Error, OSError):
        for found in psutil.Process().net_connections(kind="tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port:
                with socket.socket(fileno=os.dup(found.fd)) as listener:
                    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def end_in_time(app: FastAPI, after_s: float = 8.0) -> None:
    """Once a signal stops the server, cancel what is still under way after some seconds.

    Streamlit's server waits without an end for open requests; a cancelled one is told so and leaves its receipt.
    """
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        for task in list(under_way(app)):
            task.cancel()

    def chained(number: int, frame: FrameType | None, before: Any) -> None:
        loop.call_soon_threadsafe(loop.call_later, after_s, cancel)
        if callable(before):
            before(number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, partial(chained, before=signal.getsignal(number)))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the services, then the pages; close them the other way round."""
    port = int(streamlit_config.get_option("server.port"))
    # without an address Streamlit listens on every interface
    services, app.state.exposure = opened(streamlit_config.get_option("server.address") or "::", port)
    send_at_once(port)
    end_in_time(app)
    async with services:
        app.state.services = services
        async with pages_lifespan(app):
            yield


app = FastAPI(title="Lancelot", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None)
install(app)
app.mount("/", pages)
