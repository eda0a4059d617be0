"""The gateway in the console's process beside raw httpx, on one mock upstream: `python -m tests.bench.gateway`.

Every prompt is distinct, about 1 KB, with two pieces of personal data; receipts are fsynced. Rows: raw httpx to the
mock; the gateway with rules only; with the name tagger; with rules and local classification, where the request's model
is `lancelot` and the router decides (in the other rows the caller names the fast lane), beside the engine's own time
in these calls (mean); the other rows also with calls as far apart as those.
`--page` keeps the Receipts page open in Chromium meanwhile.
`--peer URL KEY MODEL` measures any other OpenAI-compatible proxy the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from lancelot.settings import config_dir
from tests.bench.router_overhead import prompt
from tests.e2e.harness import (
    CHROMIUM,
    CHROMIUM_ARGS,
    NO_NETWORK,
    PROJECT,
    Console,
    free_port,
    lancelot,
    running_console,
)
from tests.weights import installed_weights

PACED_CALLS, PACE_S = 30, 0.33  # about as far apart as calls that the local model reads
ROWS = {
    "rules only": {"classify": False, "redaction_mode": "rules"},
    "with the name tagger": {"classify": False, "redaction_mode": "fast"},
    # a kilobyte takes the model longer than the 60 ms it is given otherwise; nothing is left to it alone
    "with local classification": {
        "classify": True,
        "classify_budget_ms": 30_000,
        "redaction_mode": "rules",
        "local_answers": [],
    },
}


@contextmanager
def upstream() -> Iterator[str]:
    """The mock: a fixed chat completion, plain or streamed, and a list of one model. Yields its base URL."""
    port = free_port()
    child = subprocess.Popen([sys.executable, "-m", "tests.bench.mock_upstream", str(port)], cwd=PROJECT)
    pause = threading.Event()
    try:
        for _ in range(400):
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=1)
                break
            except httpx.HTTPError:
                pause.wait(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.terminate()
        child.wait(10)


def provision(folder: Path, base_url: str) -> None:
    """A data folder brought to READY with the mock as its flagship."""
    weights = installed_weights()
    handed_in = folder / "models" / "import"
    handed_in.mkdir(parents=True)
    (handed_in / weights.name).hardlink_to(weights)
    words = ["onboard", "--provider", "selfhosted", "--base-url", base_url, "--comms", "local", "--yes"]
    done = lancelot(folder, *words, env=NO_NETWORK)
    assert done.returncode == 0, done.stderr


def configuration(folder: Path, changes: dict[str, Any]) -> Path:
    """The shipped models and prices, and a router.yaml of the defaults and these changes."""
    folder.mkdir()
    for name in ("models.yaml", "prices.yaml"):
        shutil.copyfile(config_dir() / name, folder / name)
    (folder / "router.yaml").write_text(yaml.safe_dump({"version": 1} | changes))
    return folder


async def load(
    url: str, key: str, model: str, count: int, callers: int, first: int, pause_s: float = 0.0
) -> dict[str, float]:
    """`count` calls by `callers` at once: median, mean and p99 in milliseconds, calls a second.

    pause_s: seconds each caller waits before a call. A machine that has been idle for 20 ms takes two to three times as
    long for the same call, so calls that are far apart are compared with calls that are far apart.
    """
    taken: list[float] = []
    numbers = iter(range(first, first + count))
    async with httpx.AsyncClient(timeout=120, trust_env=False) as client:

        async def caller() -> None:
            for number in numbers:
                body = {"model": model, "messages": [{"role": "user", "content": prompt(number)}]}
                await asyncio.sleep(pause_s)
                began = time.perf_counter()
                answer = await client.post(
                    f"{url}/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}
                )
                assert answer.status_code == 200, answer.text
                taken.append((time.perf_counter() - began) * 1000)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        seconds = time.perf_counter() - began
    taken.sort()
    return {
        "p50_ms": round(statistics.median(taken), 2),
        "mean_ms": round(statistics.fmean(taken), 2),
        "p99_ms": round(taken[int(len(taken) * 0.99)], 2),
        "per_s": round(count / seconds, 1),
    }


def measure(
    url: str,
    key: str,
    model: str,
    *,
    alone: int,
    many: int,
    far_apart: int = 0,
    engine: Callable[[], float] | None = None,
) -> dict[str, dict[str, float]]:
    """One caller, then eight; a few calls first to warm up. In a thread: an open page has this one's event loop.

    far_apart: so many calls of one caller with a pause of `PACE_S` before each.
    engine: seconds the local engine has worked; tells what of the single caller's calls was its own.
    """
    with ThreadPoolExecutor(1) as thread:

        def found(count: int, callers: int, first: int, pause_s: float = 0.0) -> dict[str, float]:
            return thread.submit(lambda: asyncio.run(load(url, key, model, count, callers, first, pause_s))).result()

        found(20, 4, 1_000_000)
        before = engine() if engine else 0.0
        table = {"1 caller": found(alone, 1, 2_000_000)}
        if engine:
            table["engine"] = {"ms": (engine() - before) / alone * 1000}
        if far_apart:
            table["far apart"] = found(far_apart, 1, 4_000_000, PACE_S)
        return table | {"8 callers": found(many, 8, 3_000_000)}


def engine_seconds(folder: Path) -> float:
    """Seconds the local engine itself has worked on requests so far."""
    announced = json.loads((folder / "run" / "local-model.json").read_text())
    told = httpx.get(f"{announced['base_url']}/metrics", trust_env=False).text
    lines = [line for line in told.splitlines() if line.startswith("lancelot_local_model_engine_seconds_total")]
    return sum(float(line.split()[-1]) for line in lines)


def classified(console: Console, count: int) -> float:
    """The share of the newest receipts whose request the local model has classified."""
    receipts = console.api("GET", f"/router/receipts?limit={count}&kind=attempt").json()["receipts"]
    return sum("label" in receipt["assessment"]["classification"] for receipt in receipts) / len(receipts)


@contextmanager
def receipts_page(url: str) -> Iterator[None]:
    """The Receipts page open in a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page()
        page.goto(f"{url}/receipts")
        page.wait_for_selector("h1")
        yield
        browser.close()


def run(*, alone: int = 200, many: int = 600, page: bool = False, peer: list[str] | None = None) -> dict[str, Any]:
    """All rows in one run."""
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as kept, upstream() as mock:
        folder = Path(kept) / "data"
        provision(folder, mock)
        table["raw httpx"] = measure(mock, "none", "mock", alone=alone, many=many, far_apart=PACED_CALLS)
        for number, (row, changes) in enumerate(ROWS.items()):
            config = configuration(Path(kept) / f"config{number}", changes)
            env = {"LANCELOT_UPKEEP": "off", "LANCELOT_CONFIG_DIR": str(config)}
            with running_console(folder, Path(kept) / "console.log", env) as console:
                console.wait_ready()
                local = bool(changes["classify"])
                model, calls = ("lancelot", (alone // 2, many // 4)) if local else ("lancelot-fast", (alone, many))
                with receipts_page(console.url) if page else nullcontext():
                    table[f"gateway, {row}"] = found = measure(
                        f"{console.url}/v1",
                        console.token(),
                        model,
                        alone=calls[0],
                        many=calls[1],
                        far_apart=0 if local else PACED_CALLS,
                        engine=partial(engine_seconds, folder) if local else None,
                    )
                if local:
                    found["engine"]["classified"] = classified(console, calls[1])
        if peer:
            table["peer"] = measure(peer[0], peer[1], peer[2], alone=alone, many=many)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alone", type=int, default=200, help="calls of a single caller")
    parser.add_argument("--many", type=int, default=600, help="calls of eight callers together")
    parser.add_argument("--page", action="store_true", help="keep the Receipts page open in Chromium")
    parser.add_argument("--peer", nargs=3, metavar=("URL", "KEY", "MODEL"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = run(alone=options.alone, many=options.many, page=options.page, peer=options.peer)
    if options.json:
        print(json.dumps(table))
        return
    for row, found in table.items():
        one, eight = found["1 caller"], found["8 callers"]
        alone = f"p50 {one['p50_ms']:>7.2f} ms   p99 {one['p99_ms']:>7.2f} ms"
        told = ""
        if engine := found.get("engine"):
            means = f"mean {one['mean_ms']:.2f} ms, engine's mean {engine['ms']:.2f} ms"
            told = f"   {means}; {engine['classified']:.0%} classified"
        if paced := found.get("far apart"):
            told = f"   a call every {PACE_S} s: mean {paced['mean_ms']:.2f} ms"
        print(f"{row:<36} {alone}   8 callers {eight['per_s']:>7.1f}/s{told}")


if __name__ == "__main__":
    main()
