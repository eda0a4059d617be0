"""How long every page takes with a million receipts, beside an empty Streamlit page in the same run.

Two figures a page, each as what it takes more than the empty page does:

- load: from the address to the page's content, with nothing in the browser's cache (median of a few);
- rerun: from pressing R to the end of the script (95th percentile of 20).

    python tests/bench/pages.py [--receipts N] [--data-dir FOLDER]    # a folder whose demo/ is used as it is
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.e2e.harness import CHROMIUM, CHROMIUM_ARGS, free_port  # noqa: E402

LOADS, RERUNS = 5, 20
EMPTY = "import streamlit as st\nst.set_page_config(layout='wide')\nst.title('Empty')\n"
# address -> what must be visible before the page counts as shown; views of one page count as pages
PAGES = {
    "/?demo=1": "Overview",
    "/approvals-queue?demo=1": "Approvals",
    "/decisions?demo=1": "Router",
    "/decisions?demo=1&view=Totals": "Router",
    "/receipts?demo=1": "Receipts",
    "/receipts?demo=1&sort=dearest": "Receipts",
    "/costs?demo=1": "Cost & tokens",
    "/ask": "Ask",
    "/redaction-lab": "Redaction lab",
    "/local-model": "Local model",
    "/settings": "Settings",
    "/setup": None,
}
DONE = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    return app && app.dataset.testScriptState === 'notRunning' && document.querySelector('h1, h2, h3')
        && !document.querySelector('[data-testid="stSkeleton"], [data-testid="stStaleElement"]');
}"""
# presses R and waits for the script's start and end, timed in the page itself
RERUN = """() => new Promise((resolve, reject) => {
    const app = document.querySelector('[data-testid="stApp"]');
    const began = performance.now();
    let started = false;
    const look = new MutationObserver(() => {
        const state = app.dataset.testScriptState;
        if (state === 'running' || state === 'rerunRequested') { started = true; }
        if (started && state === 'notRunning') { look.disconnect(); resolve(performance.now() - began); }
    });
    look.observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
    for (const kind of ['keydown', 'keyup']) {
        document.dispatchEvent(new KeyboardEvent(kind, {key: 'r', code: 'KeyR', keyCode: 82, bubbles: true}));
    }
    setTimeout(() => { look.disconnect(); reject(new Error('no rerun in 30 s')); }, 30000);
})"""


class Figures(NamedTuple):
    """Milliseconds: the median load and the 95th percentile of the reruns."""

    load_ms: float
    rerun_ms: float


def load_ms(browser: Browser, url: str, title: str | None) -> float:
    """From the address to the content, in a context of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    shown(page, title)
    took = (time.perf_counter() - began) * 1000
    context.close()
    return took


def shown(page: Page, title: str | None) -> None:
    """Wait until the script has ended and the title stands."""
    if title is not None:
        page.get_by_role("heading", name=title, exact=True).first.wait_for(timeout=60_000)
    page.wait_for_function(DONE, timeout=60_000, polling=5)


def reruns_ms(browser: Browser, url: str, title: str | None, count: int = RERUNS) -> list[float]:
    """The time of each of `count` reruns of a page that is open."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url)
    shown(page, title)
    page.wait_for_timeout(500)
    page.evaluate(RERUN)
    found = [float(page.evaluate(RERUN)) for _ in range(count)]
    context.close()
    return found


def percentile_95(values: list[float]) -> float:
    """The value that 95 of 100 stay under (of 20 values: the second largest)."""
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


@contextmanager
def served(script: Path | str, folder: Path, cwd: Path) -> Iterator[str]:
    """`streamlit run` of a script; gives its address."""
    port, pause = free_port(), threading.Event()
    words = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    words += ["--server.address", "127.0.0.1", "--server.headless", "true", "--browser.gatherUsageStats", "false"]
    env = os.environ | {"LANCELOT_DATA_DIR": str(folder), "LANCELOT_UPKEEP": "off"}
    child = subprocess.Popen(words, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            assert child.poll() is None, "the server ended at once"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pause.wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(30)


def measure(
    folder: Path, scratch: Path, loads: int = LOADS, reruns: int = RERUNS
) -> tuple[Figures, dict[str, Figures]]:
    """(the empty page, every page by address). The folder has its receipts in demo/."""
    empty = scratch / "empty.py"
    empty.write_text(EMPTY)
    with (
        served(empty, scratch / "none", scratch) as bare,
        served("console", folder, PROJECT) as ours,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        load_ms(browser, bare, "Empty")  # the first of each also warms the servers' own caches
        for address, title in PAGES.items():
            load_ms(browser, f"{ours}{address}", title)
        bare_loads = [load_ms(browser, bare, "Empty") for _ in range(loads)]
        bare_rerun = percentile_95(reruns_ms(browser, bare, "Empty", reruns))
        found = {
            address: Figures(
                statistics.median(load_ms(browser, f"{ours}{address}", title) for _ in range(loads)),
                percentile_95(reruns_ms(browser, f"{ours}{address}", title, reruns)),
            )
            for address, title in PAGES.items()
        }
        browser.close()
    return Figures(statistics.median(bare_loads), bare_rerun), found


def seeded(folder: Path, receipts: int) -> Path:
    """The folder, with that many made-up receipts in demo/."""
    words = [sys.executable, "-m", "lancelot.cli", "demo", "seed", "--receipts", str(receipts)]
    env = os.environ | {"LANCELOT_DATA_DIR": str(folder)}
    subprocess.run(words, cwd=PROJECT, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def as_text(empty: Figures, found: dict[str, Figures]) -> str:
    """The figures as lines."""
    lines = [f"empty page: load {empty.load_ms:,.0f} ms, rerun {empty.rerun_ms:,.0f} ms (95 %)"]
    for address, one in found.items():
        load, rerun = one.load_ms - empty.load_ms, one.rerun_ms - empty.rerun_ms
        lines.append(f"{address:34} load +{load:6,.0f} ms   rerun +{rerun:6,.0f} ms")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=1_000_000)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.data_dir or seeded(Path(scratch) / "data", given.receipts)
        print(as_text(*measure(folder, Path(scratch))))


if __name__ == "__main__":
    main()
