"""What a stream costs, the router beside raw httpx: `python -m tests.bench.streaming`. First token, each chunk.

The mock upstream sends 50 chunks at once, so a chunk's figure is processor time, not waiting.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx

from lancelot.store.ledger import ReceiptStore
from tests.bench.gateway import upstream
from tests.bench.router_overhead import prompt, routed

CHUNKS = 50


async def timed(stream: Callable[[int], AsyncIterator[object]], count: int, first: int) -> tuple[float, float]:
    """Medians in milliseconds: to the first chunk with content, and from there a chunk."""
    firsts, rests = [], []
    for number in range(first, first + count):
        began = time.perf_counter()
        seen = None
        async for _ in stream(number):
            seen = seen or time.perf_counter()
        assert seen is not None
        firsts.append((seen - began) * 1000)
        rests.append((time.perf_counter() - seen) * 1000 / CHUNKS)
    return statistics.median(firsts), statistics.median(rests)


async def rows(count: int = 100) -> dict[str, tuple[float, float]]:
    """{"raw httpx" | "router": (first token ms, ms a chunk)} in one run."""
    with upstream() as base, tempfile.TemporaryDirectory() as folder:
        receipts = ReceiptStore(Path(folder))
        router, provider = routed(base.removesuffix("/v1"), receipts, "rules")
        async with httpx.AsyncClient(trust_env=False) as client:

            async def raw(number: int) -> AsyncIterator[object]:
                body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": prompt(number)}]}
                async with client.stream("POST", f"{base}/chat/completions", json=body) as answer:
                    async for line in answer.aiter_lines():
                        if '"content": "word' in line or '"content":"word' in line:
                            yield line

            async def ours(number: int) -> AsyncIterator[object]:
                body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": prompt(number)}]}
                stream = await router.stream(body)
                async for chunk in stream:
                    if chunk.delta.get("content"):
                        yield chunk

            await timed(raw, 10, 0)
            await timed(ours, 10, 1_000)
            found = {"raw httpx": await timed(raw, count, 2_000), "router": await timed(ours, count, 3_000)}
        await provider.aclose()
        receipts.close()
        return found


def main() -> None:
    """Print both rows and what the router adds."""
    found = asyncio.run(rows())
    for name, (first, chunk) in found.items():
        print(f"{name:<12} first token {first:6.2f} ms   a chunk {chunk:6.3f} ms")
    raw, ours = found["raw httpx"], found["router"]
    print(f"adds         first token {ours[0] - raw[0]:6.2f} ms   a chunk {ours[1] - raw[1]:6.3f} ms")


if __name__ == "__main__":
    main()
