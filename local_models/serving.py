"""The service as a process: the engine while it loads, the socket, the announcement, the watch over the parent."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import logging.handlers
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from local_models.engine import Engine
from local_models.errors import EngineFailed, ModelError

__all__ = ["Holder", "announce", "log_to", "refuse_exposure", "serve", "watch_parent"]

STALLED_AFTER = 30.0  # seconds without a forward pass while there is work
log = logging.getLogger("local_models.service")


class Holder:
    """The engine while it loads, works, or has failed to load. Loading runs on a thread of its own."""

    def __init__(self, load: Callable[[], Engine], *, model_id: str = "local", weight_format: str = "as-is") -> None:
        self.model_id, self.weight_format = model_id, weight_format
        self.problem: ModelError | None = None
        self.started = time.time()
        self.draining = False
        self._load = load
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begin loading."""
        self._thread.start()

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            self._engine = self._load()
            log.info("model %s ready after %.2f s", self.model_id, time.monotonic() - begun)
        except ModelError as problem:
            self.problem = problem
            log.error("model not loaded: %s", problem)
        except Exception as problem:  # noqa: BLE001 thread boundary: health has to say why there is no model
            self.problem = EngineFailed(f"The model could not be loaded ({type(problem).__name__}).")
            log.error("model not loaded: %s", type(problem).__name__)

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            ModelError: it is still loading, or could not be loaded.
        """
        if self._engine is None:
            raise self.problem or EngineFailed("The local model is starting.", code="starting", retry_after=1.0)
        return self._engine

    @property
    def state(self) -> str:
        """starting, ready, stalled, draining or failed."""
        if self._engine is None:
            return "failed" if self.problem else "starting"
        if self.draining:
            return "draining"
        if not self._engine.alive:
            return "failed"
        return "stalled" if self._engine.stalled_for > STALLED_AFTER else "ready"

    def drain(self, timeout: float) -> None:
        """Finish what is under way, at most timeout seconds, then free the model."""
        self.draining = True
        self._thread.join(timeout)
        if self._engine is not None:
            self._engine.drain(timeout)
            self._engine.close()
        log.info("stopped")


def announce(path: Path, address: str) -> None:
    """Tell the supervisor where we are: {"base_url", "pid"}, written in one go."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps({"base_url": address, "pid": os.getpid()}), encoding="utf-8")
    temporary.replace(path)


def watch_parent(leave: Callable[[], None], grace_s: float = 5.0) -> None:
    """End with the parent: it holds the other end of our standard input, and its death closes it, however it died."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            continue
        log.info("the parent has gone")
        leave()
        time.sleep(grace_s)
        os._exit(0)  # a hung decode cannot be joined

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def log_to(path: Path | None) -> None:
    """Log to a file of at most 1 MB with two older ones, or to standard error. No text of a request is ever logged."""
    handler: logging.Handler = logging.StreamHandler()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=1_000_000, backupCount=2)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def refuse_exposure(host: str) -> None:
    """The service asks nobody who they are, so it listens on this machine, or where the environment says that only a
    private network arrives (LANCELOT_PRIVATE_NETWORK=1, as in the compose file).

    Raises:
        ModelError: other machines would reach it.
    """
    try:
        alone = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        alone = False
    if not alone and os.environ.get("LANCELOT_PRIVATE_NETWORK", "").lower() not in ("1", "true", "yes", "on"):
        raise ModelError(
            f"Listening on {host} would let other machines use the local model, which asks for no token.",
            code="private_network_needed",
            hint="Stay on 127.0.0.1, or set LANCELOT_PRIVATE_NETWORK=1 where only a private network reaches it.",
        )


def serve(app: Any, *, host: str, port: int, announce_to: Path | None, watch: bool) -> None:
    """Run an ASGI app until a signal or the parent's death; announces its address once the socket listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that say TCP; with it, each answer would wait 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)

    def leave() -> None:
        server.should_exit = True

    if watch:
        watch_parent(leave)
    log.info("listening on %s", address)
    if announce_to is not None:
        announce(announce_to, address)
    asyncio.run(server.serve(sockets=[listener]))
