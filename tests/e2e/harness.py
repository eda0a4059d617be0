"""A real console in a process of its own, and a real browser in front of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("LANCELOT_CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


NO_NETWORK = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
}


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Console:
    """`streamlit run console` on a data folder; can be killed and started again on the same port."""

    def __init__(self, data_dir: Path, log: Path, env: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.log = log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = os.environ | {"LANCELOT_DATA_DIR": str(data_dir)} | (env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, patience_s: float = 90.0) -> None:
        """Start and wait until the process answers."""
        output = self.log.open("ab")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "console"),
                *("--server.address", "127.0.0.1", "--server.port", str(self.port), "--server.headless", "true"),
            ],
            cwd=PROJECT,
            env=self._env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.close()
        until = time.monotonic() + patience_s
        pause = threading.Event()
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise AssertionError(f"the console ended at once:\n{self.log.read_text()[-3000:]}")
            try:
                if httpx.get(f"{self.url}/system/health", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pause.wait(0.1)
        raise AssertionError(f"the console did not answer in {patience_s} s:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after 15 seconds."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(15)
        self._process = None

    def wait_ready(self, patience_s: float = 120.0) -> None:
        """Wait until requests would be carried out."""
        until, pause = time.monotonic() + patience_s, threading.Event()
        while time.monotonic() < until:
            found = httpx.get(f"{self.url}/system/ready", timeout=10)
            if found.status_code == 200:
                return
            pause.wait(0.2)
        raise AssertionError(f"not ready in {patience_s} s: {found.text}")

    def token(self) -> str:
        """The operator's token of this data folder."""
        return (self.data_dir / "token").read_text().strip()

    def api(self, method: str, path: str, **kwargs: object) -> httpx.Response:
        """One call to the control plane with the operator's token."""
        return httpx.request(
            method,
            f"{self.url}{path}",
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=120,
            **kwargs,  # type: ignore[arg-type]
        )


@contextmanager
def running_console(data_dir: Path, log: Path, env: dict[str, str] | None = None) -> Iterator[Console]:
    """A console that is started, and stopped afterwards whatever happens."""
    console = Console(data_dir, log, env)
    console.start()
    try:
        yield console
    finally:
        console.stop()


def lancelot(
    data_dir: Path, *words: str, stdin: str | None = None, timeout: float = 300, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line on a data folder; standard output and error as text."""
    return subprocess.run(
        [sys.executable, "-m", "lancelot.cli", *words],
        cwd=PROJECT,
        env=os.environ | {"LANCELOT_DATA_DIR": str(data_dir)} | (env or {}),
        input=stdin,
        text=True,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def files_with(folder: Path, needle: str) -> list[Path]:
    """The files under a folder in which a text occurs, as UTF-8, UTF-16 or JSON-escaped bytes."""
    forms = {needle.encode(), needle.encode("utf-16-le"), needle.encode("unicode_escape")}
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".gguf") and any(form in path.read_bytes() for form in forms)
    ]
