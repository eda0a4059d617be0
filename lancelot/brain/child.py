"""The child process: started with a pipe it watches, found by the address it announces, ended for certain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import httpx
import psutil

__all__ = ["Child", "Probe"]


class Child:
    """One run of the service. Its standard input is a pipe of ours: however we die, it reads the end and leaves."""

    def __init__(self, argv: tuple[str, ...], announce: Path, log: Path) -> None:
        announce.unlink(missing_ok=True)
        announce.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._announce = announce
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 our own command line
                [*argv, "--announce", str(announce), "--log", str(log)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end the child ourselves
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def address(self) -> str | None:
        """The base URL it has announced, if it has."""
        try:
            told = json.loads(self._announce.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return str(told["base_url"]) if told.get("pid") == self.pid else None

    def rss_mb(self) -> float | None:
        """MiB resident, None when it is gone."""
        try:
            return round(psutil.Process(self.pid).memory_info().rss / 2**20, 1)
        except psutil.Error:
            return None

    def end(self, grace_s: float) -> None:
        """Ask it to finish (closing the pipe and SIGTERM), kill it when it does not within grace_s seconds."""
        if self._process.stdin:
            self._process.stdin.close()
        if self._process.poll() is None and grace_s > 0:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait(10)
        self._announce.unlink(missing_ok=True)


class Probe:
    """Asks /health. Loopback only, so proxies of the environment are ignored."""

    def __init__(self, timeout_s: float) -> None:
        self._http = httpx.Client(timeout=timeout_s, trust_env=False)

    def ask(self, base_url: str) -> str:
        """ready, starting, draining, stalled, failed: …, or unreachable."""
        try:
            told = self._http.get(f"{base_url}/health").json()
        except (httpx.HTTPError, ValueError):
            return "unreachable"
        state = str(told.get("status", "unreachable"))
        reason = (told.get("error") or {}).get("title")
        return f"{state}: {reason}" if reason else state

    def close(self) -> None:
        self._http.close()
