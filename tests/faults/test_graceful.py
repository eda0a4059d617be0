"""SIGTERM: what can finish finishes, what cannot is told so, and the server is gone within ten seconds."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.harness import NO_NETWORK, Console
from tests.faults.world import CHAT, Served, World, at_ready

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(300), pytest.mark.xdist_group("graceful")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with at_ready() as made:
        yield made


class Running:
    """`lancelot serve` or the console, at READY, and requests on their way to it."""

    def __init__(self, world: World, kind: str) -> None:
        self.world, self.folder = world, world.copy(f"{kind}-{time.monotonic_ns()}")
        self.answers: dict[str, httpx.Response] = {}
        self.threads: list[threading.Thread] = []
        if kind == "serve":
            served = Served(self.folder, world.env())
            served.start()
            self.url, self.process = served.url, served.process
        else:
            console = Console(self.folder, world.home / "console.log", NO_NETWORK | world.env())
            console.start()
            console.wait_ready()
            self.url, self.process = console.url, console._process

    def ask(self, mode: str) -> None:
        """Begin a request in front of a provider of that mood; returns once the provider has it."""
        self.world.provider.mode, before = mode, self.world.provider.calls
        headers = {"Authorization": f"Bearer {(self.folder / 'token').read_text().strip()}"}

        def call() -> None:
            url = f"{self.url}/v1/chat/completions"
            self.answers[mode] = httpx.post(url, headers=headers, json=CHAT, timeout=60, trust_env=False)

        thread = threading.Thread(target=call)
        self.threads.append(thread)
        thread.start()
        until, pause = time.monotonic() + 20, threading.Event()
        while self.world.provider.calls == before and time.monotonic() < until:
            pause.wait(0.02)
        assert self.world.provider.calls > before

    def stop(self) -> float:
        """Seconds from SIGTERM to the end of the process."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
        for thread in self.threads:
            thread.join(20)
        return time.monotonic() - began


@pytest.mark.parametrize("kind", ["serve", "console"])
def test_slow_requests_finish_and_endless_ones_are_told(kind: str, world: World) -> None:
    running = Running(world, kind)
    running.ask("slow")
    running.ask("hanging")
    took = running.stop()
    assert took < 12, f"{took:.1f} s"  # 10 s, and what a busy machine adds
    assert running.answers["slow"].status_code == 200
    assert running.answers["hanging"].status_code == 503
    assert running.answers["hanging"].json()["error"]["code"] == "stopping"


@pytest.mark.parametrize("kind", ["serve", "console"])
def test_nothing_under_way_is_gone_at_once(kind: str, world: World) -> None:
    assert Running(world, kind).stop() < 6
    assert Path(world.home).is_dir()
