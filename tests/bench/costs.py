"""Figures of costs and analysis on a large data folder: rollup beside raw, the page beside an empty one, connect().

`python -m tests.bench.costs [RECEIPTS] [--keep FOLDER]` prints them all; 10,000,000 receipts take 3 GB and four minutes
to make.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lancelot.store.ledger import ReceiptStore
from lancelot.store.rollup import COUNTED, SUMS
from lancelot.store.usage import UsageQueries
from tests.bench.bulk import sealed_backlog
from tests.e2e.harness import CHROMIUM, CHROMIUM_ARGS, PROJECT, running_console

AGGREGATE = """
import json, sys, time
from lancelot import analysis
began = time.perf_counter()
connection = analysis.connect(sys.argv[1])
connected = time.perf_counter()
found = connection.execute("SELECT count(*), sum(cost_usd) FROM receipts").fetchone()
print(json.dumps([connected - began, time.perf_counter() - began, found[0], str(found[1])]))
"""
# what a person would ask the receipts themselves
RAW = {
    "cost and tokens by lane": f"SELECT lane, {{sums}} FROM receipts WHERE {COUNTED} AND time >= ? GROUP BY ALL",
    "by day and lane": (
        f"SELECT CAST(time AS DATE), lane, {{sums}} FROM receipts WHERE {COUNTED} AND time >= ? GROUP BY ALL"
    ),
    "latency by lane": (
        "SELECT lane, quantile_cont(total_us, 0.5), quantile_cont(total_us, 0.95) FROM receipts "
        f"WHERE {COUNTED} AND time >= ? GROUP BY ALL"
    ),
}


def import_s(folder: Path) -> dict[str, float]:
    """Seconds to load a sealed backlog into a new database, and to add it up."""
    began = time.perf_counter()
    store = ReceiptStore(folder)
    loaded = time.perf_counter()
    UsageQueries(store)
    done = time.perf_counter()
    store.close()
    return {"load_s": round(loaded - began, 2), "in_all_s": round(done - began, 2), "receipts": store.replayed}


def bytes_a_receipt(folder: Path, count: int) -> dict[str, float]:
    """Disk after sealing: the Parquet segments alone, and everything in the data folder."""
    parquet = sum(path.stat().st_size for path in folder.glob("journal/*.parquet"))
    whole = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"parquet": round(parquet / count, 1), "in_all": round(whole / count, 1)}


def rollup_beside_raw(store: ReceiptStore, rounds: int = 5) -> dict[str, dict[str, float]]:
    """Median milliseconds of the same questions put to the hourly sums and to the receipts, in turns."""
    usage = UsageQueries(store)
    since = (datetime.now(UTC) - timedelta(days=90)).replace(minute=0, second=0, microsecond=0)
    sums = ", ".join(f"{sum_} AS {name}" for name, sum_ in SUMS.items())
    asked: dict[str, Callable[[], Any]] = {
        "cost and tokens by lane": lambda: usage.grouped(since, None, ["lane"]),
        "by day and lane": lambda: usage.grouped(since, None, ["day", "lane"]),
        "latency by lane": lambda: usage.spreads("total_us", "lane", since),
    }
    table = {}
    for name, ask in asked.items():
        raw = RAW[name].format(sums=sums)
        times: dict[str, list[float]] = {"rollup_ms": [], "raw_ms": []}
        for _ in range(rounds):
            times["rollup_ms"].append(_took(ask))
            times["raw_ms"].append(_took(lambda raw=raw: store.database.query(raw, [since.replace(tzinfo=None)])))
        row = {kind: round(statistics.median(found) * 1000, 1) for kind, found in times.items()}
        table[name] = row | {"times": round(row["raw_ms"] / row["rollup_ms"], 1)}
    return table


def first_aggregate(folder: Path) -> dict[str, Any]:
    """Seconds of `connect()` and of `connect()` with the first aggregate, in a fresh process."""
    said = subprocess.run(
        [sys.executable, "-c", AGGREGATE, folder], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    connected, done, count, cost = json.loads(said.stdout.splitlines()[-1])
    return {"connect_s": round(connected, 2), "with_aggregate_s": round(done, 2), "receipts": count, "cost_usd": cost}


def page_s(folder: Path, log: Path, rounds: int = 3) -> dict[str, float]:
    """Median seconds until the Cost page is whole in a browser, on this folder and on an empty one, in one run."""
    from playwright.sync_api import sync_playwright

    empty = folder.parent / "empty"
    empty.mkdir(exist_ok=True)
    env = {"LANCELOT_UPKEEP": "off"}
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        for name, data, sign in (
            ("empty_s", empty, "text=Nothing spent in this time"),
            ("full_s", folder, "text=Who uses most"),
        ):
            with running_console(data, log, env) as console:
                times = []
                for _ in range(rounds + 1):  # the first one is for warming up
                    page = browser.new_page()
                    times.append(_took(lambda page=page, sign=sign, url=console.url: _open(page, url, sign)))
                    page.close()
                found[name] = round(statistics.median(times[1:]), 2)
        browser.close()
    return found


def _open(page: Any, url: str, sign: str) -> None:
    page.goto(f"{url}/costs")
    page.wait_for_selector(sign, timeout=60_000)
    page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached", timeout=60_000)


def _took(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(folder: Path, count: int, *, page: bool = True) -> dict[str, Any]:
    """All figures of a folder of `count` receipts (made when it is empty)."""
    table: dict[str, Any] = {}
    if not (folder / "journal").exists():
        sealed_backlog(folder, count)
        table["import of a sealed backlog"] = import_s(folder)
    table["bytes a receipt"] = bytes_a_receipt(folder, count)
    table["connect and first aggregate"] = first_aggregate(folder)
    store = ReceiptStore(folder)
    table |= rollup_beside_raw(store)
    store.close()
    if page:
        table["cost page"] = page_s(folder, folder.parent / "console.log")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipts", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder to make the data in, or to use again")
    parser.add_argument("--no-page", action="store_true", help="without the browser")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "data"
        for name, found in measure(folder, options.receipts, page=not options.no_page).items():
            print(f"{name:<32} " + "   ".join(f"{key} {value}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
