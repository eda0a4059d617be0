"""Takes the pictures of docs/images from the demonstration's database, light and dark.

python scripts/screenshots.py                       # sets a console up in a temporary folder, seeds, takes all
python scripts/screenshots.py --url URL [PAGE…]     # from a running console that is READY and has demo data
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "images"
CHROMIUM = os.environ.get("LANCELOT_CHROMIUM", "/usr/bin/chromium")
# address, height in pixels
PAGES = {
    "overview": ("/?demo=1", 1000),
    "approvals": ("/approvals-queue?demo=1", 1000),
    "router": ("/decisions?demo=1", 1000),
    "receipts": ("/receipts?demo=1", 900),
    "costs": ("/costs?demo=1", 1000),
    "local-model": ("/local-model", 900),
    "setup": ("/setup", 1000),
    "settings": ("/settings", 900),
    "redaction-lab": ("/redaction-lab", 900),
    "ask": ("/ask", 900),
}
QUESTION = "Mail the invoice to billing@example.com and call +1 415 555 0132"
LAB = (
    "Hello Maria Lopez, please write to m.lopez@example.org or call +1 415 555 0132. IBAN DE89 3702 0501 0000 5432 10."
)
RECEIPTS = 20_000
PATIENCE_S = 240.0


def act(page: Page, name: str) -> None:
    """What makes a page worth a picture."""
    if name == "ask":
        page.get_by_label("Message").fill(QUESTION)
        page.get_by_role("button", name="Send").click()
        page.get_by_text("redacted:", exact=False).first.wait_for(timeout=120_000)
    if name == "redaction-lab":
        page.get_by_label("Text", exact=True).fill(LAB)
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_text("redacted:", exact=False).first.wait_for(timeout=60_000)
    if name == "settings":
        page.get_by_role("tab", name="Budgets").click()
        page.get_by_role("spinbutton", name="US dollars a day", exact=True).first.fill("20")
        page.get_by_role("button", name="Show what would change", exact=True).locator("visible=true").click()
        page.get_by_text("What would change in").first.wait_for()
        page.get_by_role("button", name="Save", exact=True).first.scroll_into_view_if_needed()


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn everything: no run under way, no skeleton left, fonts loaded."""
    page.wait_for_selector("h1")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    page.evaluate("() => document.fonts.ready")
    page.wait_for_timeout(2_500)  # charts grow in


def picture(browser: Browser, url: str, name: str, scheme: str) -> None:
    """One page in one scheme, as NAME.png or NAME-dark.png."""
    address, height = PAGES[name]
    context = browser.new_context(
        viewport={"width": 1280, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url + address)
    settled(page)
    act(page, name)
    settled(page)
    if page.get_by_test_id("stException").count():
        raise SystemExit(f"{name} shows an exception")
    page.screenshot(path=FOLDER / (f"{name}.png" if scheme == "light" else f"{name}-dark.png"))
    context.close()


@contextmanager
def own_console() -> Iterator[str]:
    """A console on a temporary folder: set up without a key, seeded, and stopped afterwards; its address."""
    folder = Path(tempfile.mkdtemp(prefix="lancelot-pictures-"))
    shutil.copytree(PROJECT / "config", folder / "config")
    environment = os.environ | {
        "LANCELOT_DATA_DIR": str(folder / "data"),
        "LANCELOT_CONFIG_DIR": str(folder / "config"),
        "LANCELOT_UPKEEP": "off",
    }
    lancelot = [sys.executable, "-m", "lancelot.cli"]
    subprocess.run(  # noqa: S603 - our own commands
        [*lancelot, "onboard", "--provider", "selfhosted", "--comms", "local", "--yes"],
        env=environment, cwd=PROJECT, check=True,
    )  # fmt: skip
    seed = [*lancelot, "demo", "seed", "--receipts", str(RECEIPTS)]
    subprocess.run(seed, env=environment, cwd=PROJECT, check=True)  # noqa: S603
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", "console", *address]
    server = subprocess.Popen(command, env=environment, cwd=PROJECT)  # noqa: S603
    try:
        wait_ready(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def wait_ready(url: str) -> None:
    """Wait until requests would be carried out."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/system/ready", timeout=5):  # noqa: S310 - our own loopback address
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the console at {url} did not become ready")


def take(url: str, wanted: list[str]) -> None:
    """Both pictures of every wanted page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name in wanted or list(PAGES):
            for scheme in ("light", "dark"):
                picture(browser, url, name, scheme)
                print(name, scheme)
        browser.close()


def main() -> None:
    """Reads the command line; see the top of this file."""
    parser = argparse.ArgumentParser(description="Takes the pictures of docs/images, light and dark.")
    parser.add_argument("pages", nargs="*", help=f"which: {', '.join(PAGES)}; all when none is named")
    parser.add_argument("--url", help="a running console that is READY and has demo data")
    given = parser.parse_args()
    unknown = [name for name in given.pages if name not in PAGES]
    if unknown:
        parser.error(f"no such page: {', '.join(unknown)}")
    if given.url:
        take(given.url.rstrip("/"), given.pages)
        return
    with own_console() as url:
        take(url, given.pages)


if __name__ == "__main__":
    main()
