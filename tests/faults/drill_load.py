"""Thirty minutes of mixed traffic with 32 clients (LANCELOT_LOAD_S seconds): errors, times, memory, open files."""

from __future__ import annotations

import itertools
import os
import statistics
import threading
import time
from dataclasses import dataclass, field

import httpx
import psutil

from tests.faults.world import CHAT, Section, World

__all__ = ["sustained"]

CLIENTS = 32
SAMPLES = 60
TEXT = "Anna Berg (anna.berg@example.com) wrote that the invoice is due on Friday. "


@dataclass
class Kind:
    """One kind of call, with what came of it."""

    method: str
    path: str
    body: dict[str, object] | None
    times: list[float] = field(default_factory=list)
    held_back: int = 0  # 429: asked to come back later
    wrong: int = 0


def mixture() -> dict[str, Kind]:
    return {
        "chat": Kind("POST", "/v1/chat/completions", dict(CHAT)),
        "chat, streamed": Kind("POST", "/v1/chat/completions", CHAT | {"stream": True}),
        "utility": Kind("POST", "/v1/utility/redact", {"text": TEXT}),
        "receipts": Kind("GET", "/router/receipts?limit=20", None),
        "usage": Kind("GET", "/usage/summary", None),
        "status": Kind("GET", "/system/status", None),
    }


def sustained(world: World, number: int = 0) -> Section:
    lasts = float(os.environ.get("LANCELOT_LOAD_S", "1800"))
    section = Section(
        "load",
        f"{CLIENTS} clients for {lasts / 60:.0f} minutes",
        ("call", "answered", "asked to wait (429)", "failed", "p50", "p99", "none failed"),
    )
    kinds = mixture()
    with world.served(world.copy("load")) as server:
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        stop, guard = threading.Event(), threading.Lock()
        turns = itertools.cycle(kinds)

        def client() -> None:
            with httpx.Client(base_url=server.url, headers=server.headers(), timeout=60, trust_env=False) as http:
                while not stop.is_set():
                    with guard:
                        kind = kinds[next(turns)]
                    began = time.perf_counter()
                    try:
                        status = http.request(kind.method, kind.path, json=kind.body).status_code
                    except httpx.HTTPError:
                        status = 599
                    took = time.perf_counter() - began
                    with guard:
                        if status == 200:
                            kind.times.append(took)
                        elif status == 429:
                            kind.held_back += 1
                        else:
                            kind.wrong += 1

        threads = [threading.Thread(target=client, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        memory, files = [], []
        for _ in range(SAMPLES):
            stop.wait(lasts / SAMPLES)
            memory.append(process.memory_info().rss / 2**20)
            files.append(process.num_fds())
        stop.set()
        for thread in threads:
            thread.join(70)
    for name, kind in kinds.items():
        cuts = statistics.quantiles(kind.times, n=100) if len(kind.times) > 1 else [0.0] * 99
        cells = (len(kind.times), kind.held_back, kind.wrong, f"{cuts[49] * 1000:.0f} ms", f"{cuts[98] * 1000:.0f} ms")
        section.add(kind.wrong == 0 and bool(kind.times), name, *cells)
    middle, last = _thirds(memory)
    steady = last <= middle * 1.10 + 5
    open_middle, open_last = _thirds(files)
    section.add(
        steady,
        "memory, MB",
        f"{memory[0]:.0f} at first",
        f"{middle:.0f} in the middle",
        f"{last:.0f} at the end",
        "-",
        "-",
    )
    closed = open_last <= open_middle + 8
    section.add(
        closed,
        "open files",
        f"{files[0]} at first",
        f"{open_middle:.0f} in the middle",
        f"{open_last:.0f} at the end",
        "-",
        "-",
    )
    return section


def _thirds(values: list[float] | list[int]) -> tuple[float, float]:
    """Medians of the middle and of the last third."""
    third = len(values) // 3
    return statistics.median(values[third : 2 * third]), statistics.median(values[2 * third :])
