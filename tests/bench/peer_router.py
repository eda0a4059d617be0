"""LiteLLM's Router on the same load: `PYTHON tests/bench/peer_router.py URL ALONE TOGETHER` in its own environment.

PYTHON has `pip install 'litellm[proxy]==1.106.2'`. Prints one JSON object: the median of one caller in milliseconds and
the requests a second of eight. The prompts are those of router_overhead.py: distinct, about 1 KB.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from litellm import Router  # type: ignore[import-not-found]

FILLER = (
    "The quarterly figures of the northern branch arrived later than planned, and the team wants a short note that "
    "tells what changed since spring, which orders moved into the next month and what the warehouse should expect. "
)


def prompt(number: int) -> str:
    """As router_overhead.prompt; this file cannot import it from the other environment."""
    body = (FILLER * 5)[:900]
    return f"Note {number}: write to person{number}@example.com or call +1 415 555 {number % 10_000:04d}. {body}"


async def measure(url: str, alone: int, together: int) -> dict[str, float]:
    """One caller, then eight."""
    params = {"model": "openai/gpt-4o-mini", "api_base": url, "api_key": "none"}
    router = Router(model_list=[{"model_name": "fast", "litellm_params": params}])

    async def call(number: int) -> Any:
        return await router.acompletion(model="fast", messages=[{"role": "user", "content": prompt(number)}])

    for number in range(20):
        await call(number)
    taken = []
    for number in range(alone):
        began = time.perf_counter()
        await call(100 + number)
        taken.append((time.perf_counter() - began) * 1000)
    numbers = iter(range(10_000, 10_000 + together))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(8)))
    return {"median_ms": statistics.median(taken), "per_second": together / (time.perf_counter() - began)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
