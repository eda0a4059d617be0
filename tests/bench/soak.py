"""Memory and cost of many requests: `python -m tests.bench.soak --requests 50000`.

The router library on the mock upstream, eight callers, every prompt distinct, receipts fsynced and loaded. After each
block: resident memory, processor time a request. Growth is against the first block (5,000 requests), when caches are
full and code is loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lancelot.store.ledger import ReceiptStore
from tests.bench.router_overhead import prompt, routed, upstream

BLOCK = 5_000
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Block:
    """After so many requests: resident megabytes, microseconds of processor time a request, requests a second."""

    requests: int
    resident_mb: float
    cpu_us: float
    per_second: float


def resident_mb() -> float:
    """This process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


async def blocks(requests: int = 50_000, mode: str = "rules") -> list[Block]:
    """One block after the other."""
    with upstream() as address, tempfile.TemporaryDirectory() as folder:
        receipts = ReceiptStore(Path(folder))
        router, provider = routed(address, receipts, mode)
        found = []
        for start in range(0, requests, BLOCK):
            numbers = iter(range(start, min(start + BLOCK, requests)))

            async def worker(numbers: object = numbers) -> None:
                for number in numbers:  # type: ignore[attr-defined]
                    body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": prompt(number)}]}
                    await router.handle(body)

            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(worker() for _ in range(8)))
            seconds, spent = time.perf_counter() - began, time.process_time() - cpu
            await asyncio.to_thread(receipts.flush, 60)
            gc.collect()
            count = min(BLOCK, requests - start)
            found.append(Block(start + count, resident_mb(), spent / count * 1e6, count / seconds))
            print(found[-1], flush=True)
        await provider.aclose()
        receipts.close()
        return found


def main() -> None:
    """Print the blocks and what grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--mode", choices=("rules", "fast"), default="rules")
    given = parser.parse_args()
    found = asyncio.run(blocks(given.requests, given.mode))
    first, last = found[0], found[-1]
    print(
        f"memory {last.resident_mb / first.resident_mb - 1:+.1%}, processor time {last.cpu_us / first.cpu_us - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
