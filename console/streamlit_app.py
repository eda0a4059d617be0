"""The ASGI entry of `streamlit run console`: control plane, gateway and pages in one process.

Streamlit finds the literal `app = FastAPI(…)` by reading this file, so it stays literal.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
from fastapi import FastAPI
from streamlit import config as streamlit_config
from streamlit.starlette import App

from lancelot.api.app import DESCRIPTION, install
from lancelot.errors import LancelotError
from lancelot.services import Services, build_services

pages = App("main.py")
pages_lifespan = pages.lifespan()


def opened(url: str) -> Services:
    """The services; when they cannot be opened the process ends in words, not in a stack trace."""
    try:
        return build_services(url=url)
    except LancelotError as problem:
        sys.stderr.write(f"\n  Lancelot cannot start.\n  {problem}\n\n")
        sys.stderr.flush()
        os._exit(1)  # nothing is open yet; an exception here would be shown as a server's crash


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


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the services, then the pages; close them the other way round."""
    address = streamlit_config.get_option("server.address") or "127.0.0.1"
    port = streamlit_config.get_option("server.port")
    send_at_once(int(port))
    async with opened(f"http://{address}:{port}") as services:
        app.state.services = services
        async with pages_lifespan(app):
            yield


app = FastAPI(title="Lancelot", description=DESCRIPTION, lifespan=lifespan)
install(app)
app.mount("/", pages)
