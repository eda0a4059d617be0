"""status, serve, token."""

from __future__ import annotations

import socket
from typing import Annotated, Any

import typer
import uvicorn

from lancelot import settings
from lancelot.api.app import create_app
from lancelot.cli.connect import connect
from lancelot.cli.output import Out, command
from lancelot.errors import Conflict
from lancelot.exposure import exposure, host_in_url
from lancelot.keys import Keys
from lancelot.logs import configure_logs
from lancelot.services import build_services

__all__ = ["register"]


def status(out: Out) -> int:
    """What GET /system/status says: every part of the system."""
    with connect() as server:
        found = server.get("/system/status")
    out.result(found, status_lines(found))
    return 0


def status_lines(found: dict[str, Any]) -> list[str]:
    """The status as lines for a person."""
    lines = [f"onboarding    {found['onboarding']['state']}"]
    brain = found["local_model"]
    lines.append(f"local model   {brain['state']}" + (f" ({brain['model_id']})" if brain.get("model_id") else ""))
    flagship = found.get("flagship") or {}
    lines.append(f"flagship      {flagship.get('provider') or 'none'}")
    lines.append(f"data folder   {found['data_dir']}")
    missing = found.get("missing") or []
    lines.append("ready         yes" if not missing else f"ready         no: {'; '.join(missing)}")
    return lines


def listen(host: str, at: int) -> socket.socket:
    """The listening socket; taken before anything else is opened.

    Raises:
        Conflict: somebody listens there already, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that say TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), at))
        listener.listen(2048)
    except OSError as problem:
        listener.close()
        raise Conflict(
            f"Port {at} on {host} cannot be used: {problem.strerror or problem}.",
            code="port_taken",
            hint="Choose another with --port, or stop what listens there.",
        ) from None
    return listener


def serve(
    out: Out,
    port: Annotated[
        int | None, typer.Option(help="Port on this machine.", show_default="LANCELOT_PORT or 8501")
    ] = None,
) -> int:
    """Run control plane and gateway without pages, until Ctrl-C."""
    host, at = settings.host(), port or settings.port()
    who = exposure(host)
    who.check()
    listener = listen(host, at)
    address = f"http://{host_in_url(host)}:{at}"
    services = build_services(url=address)  # a folder in use or a bad file is told before anything runs
    app = create_app(lambda: services)
    app.state.exposure = who
    configure_logs(services.data_dir)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=at, log_level="warning", timeout_graceful_shutdown=8))
    out.note(f"Lancelot listens on {address} (control plane at /docs, gateway at /v1). Ctrl-C stops it.")
    server.run(sockets=[listener])
    if not server.started:
        raise Conflict("The server could not start.", hint="The lines above say why.")
    return 0


def token(out: Out) -> int:
    """Print the operator's bearer token."""
    found = Keys(settings.data_dir()).token()
    out.result({"token": found}, found)
    return 0


def register(app: typer.Typer) -> None:
    for function in (status, serve, token):
        command(app)(function)
