"""What the router library adds to raw httpx: `python -m tests.bench.router_overhead`.

One mock upstream on loopback; every prompt is distinct, about 1 KB, with two pieces of personal data; receipts are
fsynced. Rows: raw httpx; the router with detectors alone; the router with the tagger too. Medians of one caller,
requests a second of eight; all in one run. `--peer PYTHON` adds LiteLLM's Router, run by that interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lancelot.config import load_config
from lancelot.providers.profiles import build_provider, profile
from lancelot.redaction.redactor import Redactor
from lancelot.routing.router import ModelRouter
from lancelot.settings import config_dir
from lancelot.store.ledger import ReceiptStore

ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
}
FILLER = (
    "The quarterly figures of the northern branch arrived later than planned, and the team wants a short note that "
    "tells what changed since spring, which orders moved into the next month and what the warehouse should expect. "
)


def prompt(number: int) -> str:
    """About 1 KB, distinct, with an address and a telephone number."""
    body = (FILLER * 5)[:900]
    return f"Note {number}: write to person{number}@example.com or call +1 415 555 {number % 10_000:04d}. {body}"


@dataclass(frozen=True)
class Row:
    """Milliseconds of one caller (median), requests a second of eight."""

    name: str
    median_ms: float
    per_second: float


def serve(port: Any) -> None:
    """The mock upstream's process: a fixed chat completion; tells its port."""
    body = json.dumps(ANSWER).encode()

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
    # with the protocol named, or asyncio leaves Nagle's delay on and every answer waits 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port.put(listening.getsockname()[1])
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


@contextmanager
def upstream() -> Iterator[str]:
    """The address of a mock upstream in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    port = spawn.Queue()
    process = spawn.Process(target=serve, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=60)}"
    finally:
        process.terminate()
        process.join(10)


class Settled:
    """One configuration, never reloaded."""

    def __init__(self, current: Any) -> None:
        self.current = current


def routed(address: str, receipts: ReceiptStore, mode: str) -> tuple[ModelRouter, Any]:
    """A router whose flagship is the mock."""
    config = load_config(config_dir())
    router = config.router.model_copy(update={"redaction_mode": mode, "classify": False})
    config = type(config)(models=config.models, router=router, prices=config.prices)
    chosen = replace(profile(config, "selfhosted").at(f"{address}/v1"), fast="gpt-4o-mini", deep="gpt-4o-mini")
    provider = build_provider(chosen, None, base_url=f"{address}/v1")
    made = ModelRouter(
        redactor=Redactor(router.redaction.policies),
        brain=None,
        provider=provider,
        profile=chosen,
        config=Settled(config),
        receipts=receipts,
    )
    return made, provider


async def measure(name: str, call: Callable[[str], Awaitable[Any]], alone: int, together: int, first: int) -> Row:
    """One caller, then eight."""
    for number in range(20):
        await call(prompt(first + number))
    taken = []
    for number in range(alone):
        began = time.perf_counter()
        await call(prompt(first + 20 + number))
        taken.append((time.perf_counter() - began) * 1000)
    numbers = iter(range(first + 20 + alone, first + 20 + alone + together))

    async def worker() -> None:
        for number in numbers:
            await call(prompt(number))

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(8)))
    return Row(name, statistics.median(taken), together / (time.perf_counter() - began))


async def rows(alone: int = 200, together: int = 400, peer: str | None = None) -> list[Row]:
    """All rows, measured one after the other in one run; the peer's last, where its interpreter is given."""
    with upstream() as address, tempfile.TemporaryDirectory() as folder:
        receipts = ReceiptStore(Path(folder))
        found = []
        async with httpx.AsyncClient() as client:

            async def raw(text: str) -> None:
                body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
                (await client.post(f"{address}/v1/chat/completions", json=body)).json()

            found.append(await measure("raw httpx", raw, alone, together, 0))
        for place, mode in enumerate(("rules", "fast"), 1):
            router, provider = routed(address, receipts, mode)

            async def ours(text: str, router: ModelRouter = router) -> None:
                await router.handle({"model": "lancelot-fast", "messages": [{"role": "user", "content": text}]})

            name = "router, detectors alone" if mode == "rules" else "router, with the tagger"
            found.append(await measure(name, ours, alone, together, place * 100_000))
            await provider.aclose()
        receipts.close()
        if peer is not None:
            found.append(await asyncio.to_thread(litellm, peer, address, alone, together))
        return found


def litellm(python: str, address: str, alone: int, together: int) -> Row:
    """LiteLLM's Router on the same mock, in an environment of its own."""
    script = Path(__file__).with_name("peer_router.py")
    words = [python, str(script), f"{address}/v1", str(alone), str(together)]
    env = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=600, env=env)
    measured = json.loads(done.stdout.splitlines()[-1])
    return Row("LiteLLM Router", measured["median_ms"], measured["per_second"])


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", type=int, default=300)
    parser.add_argument("--together", type=int, default=800)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has litellm")
    given = parser.parse_args()
    found = asyncio.run(rows(given.alone, given.together, given.peer))
    print("| | median, one caller | adds | requests/s, eight callers |\n|---|---|---|---|")
    for row in found:
        adds = row.median_ms - found[0].median_ms
        print(f"| {row.name} | {row.median_ms:.2f} ms | {adds:+.2f} ms | {row.per_second:.0f} |")


if __name__ == "__main__":
    main()
