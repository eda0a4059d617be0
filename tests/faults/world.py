"""What the drills share: a served product at READY that can be killed, and a table of what happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.harness import NO_NETWORK, PROJECT, free_port, lancelot
from tests.faults.fake_local import FakeLocal, fake_local
from tests.faults.upstream import KEY, Upstream, onboarded, upstream

__all__ = ["Section", "Served", "World", "at_ready", "told_in_words"]

CHAT = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "What is due this week?"}]}


@dataclass
class Section:
    """One drill's table."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: str = ""

    def add(self, good: bool, *cells: object) -> None:
        """A row; its last cell says whether what should happen did."""
        self.rows.append((*map(str, cells), "yes" if good else "NO"))
        if not good:
            self.wrong.append(" | ".join(map(str, cells)))

    def markdown(self) -> str:
        lines = ["| " + " | ".join(self.head) + " |", "|" + "---|" * len(self.head)]
        lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in self.rows]
        return f"### {self.title}\n\n" + "\n".join(lines) + (f"\n\n{self.notes}" if self.notes else "")


class Served:
    """`lancelot serve` in a process of its own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder.parent / f"{folder.name}.serve.log"

    def start(self, until: str = "/system/ready", patience_s: float = 60) -> float:
        """Seconds until it answered 200 there."""
        began = time.monotonic()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lancelot.cli", "serve", "--port", str(self.port)],
                cwd=PROJECT,
                env=os.environ | NO_NETWORK | self.env | {"LANCELOT_DATA_DIR": str(self.folder)},
                stdout=out,
                stderr=out,
            )
        pause = threading.Event()
        while time.monotonic() - began < patience_s:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            try:
                if httpx.get(self.url + until, timeout=5, trust_env=False).status_code == 200:
                    return time.monotonic() - began
            except httpx.HTTPError:
                pass
            pause.wait(0.05)
        raise AssertionError(f"not at {until} in {patience_s} s: {self.log.read_text()[-2000:]}")

    def end(self, how: int = signal.SIGTERM) -> float:
        """Seconds until it had gone."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        return time.monotonic() - began

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.folder / 'token').read_text().strip()}"}

    def call(self, method: str, path: str, timeout: float = 90, **named: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, headers=self.headers(), timeout=timeout, trust_env=False, **named)

    def chat(self, **extra: Any) -> httpx.Response:
        return self.call("POST", "/v1/chat/completions", json=CHAT | extra)


@dataclass
class World:
    """A data folder at READY with its provider and its local service."""

    home: Path
    provider: Upstream
    local: FakeLocal

    def env(self, **more: str) -> dict[str, str]:
        fixed = {"PLANTED_KEY": KEY, "LANCELOT_LOCAL_LLM_URL": self.local.url, "LANCELOT_UPKEEP": "off"}
        return fixed | more

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.home / "data", self.home / name))

    def lancelot(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return lancelot(folder, *words, env=NO_NETWORK | self.env(), timeout=120)

    @contextmanager
    def served(self, folder: Path, **env: str) -> Iterator[Served]:
        server = Served(folder, self.env(**env))
        server.start()
        try:
            yield server
        finally:
            if server.process is not None and server.process.poll() is None:
                server.end()


@contextmanager
def at_ready() -> Iterator[World]:
    """Everything set up once; drills work on copies of `home/data`."""
    with tempfile.TemporaryDirectory(prefix="drill-") as home, upstream() as provider, fake_local() as local:
        world = World(Path(home), provider, local)
        onboarded(world.home / "data", provider, local.url)
        provider.keep = False
        yield world


def told_in_words(done: subprocess.CompletedProcess[str]) -> bool:
    """A refusal without a stack trace: `code: title (hint)`."""
    said = done.stdout + done.stderr
    return done.returncode != 0 and "Traceback" not in said and ": " in said and "(" in said
