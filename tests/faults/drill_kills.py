"""SIGKILL of the console and of the local service while clients call: what was acknowledged is there afterwards."""

from __future__ import annotations

import random
import signal
import threading
import time

import httpx

from lancelot.store.ledger import ReceiptStore
from tests.faults.world import CHAT, Section, Served, World

__all__ = ["kills"]

CLIENTS = 8


def load(server: Served, until: threading.Event) -> tuple[set[str], list[threading.Thread]]:
    """Clients that call without a pause; the set fills with the receipts of answers that arrived whole."""
    acknowledged: set[str] = set()
    headers = server.headers()

    def client() -> None:
        with httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False) as http:
            while not until.is_set():
                try:
                    answer = http.post("/v1/chat/completions", json=CHAT)
                    if answer.status_code == 200:
                        acknowledged.add(answer.headers["x-lancelot-receipt"])
                except httpx.HTTPError:
                    until.wait(0.02)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return acknowledged, threads


def kills(world: World, number: int) -> Section:
    """`number` kills of the console; a fifth as many of the local service."""
    section = Section(
        "kills",
        "Killed under load",
        ("killed (SIGKILL)", "times", "acknowledged", "lost", "back after, longest", "good"),
    )
    folder, chance = world.copy("kills"), random.Random(7)
    acknowledged: set[str] = set()
    slowest = 0.0
    for _ in range(number):
        server = Served(folder, world.env())
        slowest = max(slowest, server.start())
        stop = threading.Event()
        said, threads = load(server, stop)
        stop.wait(chance.uniform(0.2, 1.5))
        server.end(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(25)
        acknowledged |= said
    store = ReceiptStore(folder)
    store.flush(120)
    kept = {name for (name,) in store.database.query("SELECT id FROM receipts")}
    whole = store.verify(full=True).ok
    store.close()
    lost = acknowledged - kept
    good = not lost and whole and len(acknowledged) > number
    section.add(good, "console", number, len(acknowledged), len(lost), f"{slowest:.1f} s")
    local_kills(world, section, max(3, number // 5))
    return section


def local_kills(world: World, section: Section, number: int) -> None:
    """The real local service with its supervisor; the console has to answer meanwhile."""
    folder = world.copy("local-kills")
    env = {name: value for name, value in world.env().items() if name != "LANCELOT_LOCAL_LLM_URL"}
    server = Served(folder, env)
    server.start()
    slowest, failed, answered = 0.0, 0, 0
    try:
        for _ in range(number):
            pid = server.call("GET", "/system/status").json()["local_model"]["pid"]
            began = time.monotonic()
            signal_process(pid)
            while True:
                status = server.call("GET", "/system/status").json()["local_model"]
                answer = server.chat()
                answered += answer.status_code == 200
                failed += answer.status_code not in (200, 503)
                if (status["state"] == "ready" and status["pid"] != pid) or time.monotonic() - began > 60:
                    break
                threading.Event().wait(0.05)
            slowest = max(slowest, time.monotonic() - began)
    finally:
        server.end()
    good = failed == 0 and slowest < 60
    section.add(good, "local service", number, f"{answered} answers meanwhile", f"{failed} failed", f"{slowest:.1f} s")


def signal_process(pid: int) -> None:
    import os

    os.kill(pid, signal.SIGKILL)
