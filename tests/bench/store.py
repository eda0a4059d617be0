"""Figures of the receipt store: a durable receipt alone and under 32 callers, and its cost as receipts grow."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Latency, Receipt, new_id


def receipt() -> Receipt:
    """A receipt as the router writes it."""
    return Receipt(
        request_id=new_id(),
        task="question",
        lane="fast",
        provider="openai",
        model="some-model",
        reasons=["a short question", "low risk", "the fast lane suffices"],
        assessment={"task": "question", "score": 0.213, "words": 150, "known": True, "signals": ["short"]},
        risk="low",
        deep_score=0.213,
        complexity=0.2,
        tokens_in=312,
        tokens_out=97,
        cost_usd=Decimal("0.00071"),
        price_version="2026-11-22",
        latency=Latency(redaction_ms=0.412, decision_ms=0.052, provider_ms=812.5, total_ms=813.9),
        redactions={"EMAIL": 1, "PHONE": 1},
        policy="default",
        sent_sha256=new_id().replace("-", "") * 2,
        sent_bytes=1180,
        egress="remote",
    )


def alone_ms(store: ReceiptStore, count: int = 500) -> float:
    """Median milliseconds of one durable receipt, one caller."""
    times = []
    for written in [receipt() for _ in range(count)]:
        began = time.perf_counter()
        store.write(written)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def alone_async_ms(store: ReceiptStore, count: int = 500) -> float:
    """The same from an event loop."""

    async def measure() -> float:
        times = []
        for written in [receipt() for _ in range(count)]:
            began = time.perf_counter()
            await store.awrite(written)
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1000

    return asyncio.run(measure())


def by_threads(store: ReceiptStore, callers: int = 32, each: int = 500) -> float:
    """Durable receipts a second, that many threads, each writing one after another."""
    batches = [[receipt() for _ in range(each)] for _ in range(callers)]

    def write(batch: Sequence[Receipt]) -> None:
        for written in batch:
            store.write(written)

    threads = [threading.Thread(target=write, args=(batch,)) for batch in batches]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return callers * each / (time.perf_counter() - began)


def by_tasks(store: ReceiptStore, callers: int = 32, each: int = 500) -> float:
    """Durable receipts a second, that many tasks of one event loop."""
    batches = [[receipt() for _ in range(each)] for _ in range(callers)]

    async def write(batch: Sequence[Receipt]) -> None:
        for written in batch:
            await store.awrite(written)

    async def measure() -> float:
        began = time.perf_counter()
        await asyncio.gather(*[write(batch) for batch in batches])
        return callers * each / (time.perf_counter() - began)

    return asyncio.run(measure())


def fsync_ms(folder: Path, count: int = 300) -> float:
    """Median milliseconds of a bare write and fsync of one line: the floor on this disk."""
    folder.mkdir(parents=True, exist_ok=True)
    times = []
    with (folder / "floor").open("ab", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(b"x" * 900)
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def whole_cost_us(store: ReceiptStore, count: int = 2_000) -> float:
    """Microseconds of processor time a receipt costs in all: written one by one, loaded, sealed when due."""
    batch = [receipt() for _ in range(count)]
    began = time.process_time()
    for written in batch:
        store.write(written)
    store.flush(60)
    return (time.process_time() - began) / count * 1e6


def grow(store: ReceiptStore, count: int) -> None:
    """Add a backlog."""
    for start in range(0, count, 10_000):
        store.write_many([receipt() for _ in range(min(10_000, count - start))])
        store.flush(600)
