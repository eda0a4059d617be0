"""The ways through the console that several browser tests share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from playwright.sync_api import ConsoleMessage, Page, Response, TimeoutError, expect

from tests.e2e.harness import Console

INSTALL_MS = 300_000
DRAWN = "[data-testid='stApp'][data-test-script-state='notRunning']"
PROGRESS = re.compile(r"\d+(?:\.\d+)? of \d+(?:\.\d+)? MB|\d+ ?%")


# by these two Streamlit finds out at which path it is served: first below the page's own path, then at the root
PROBE = re.compile(r"http://127\.0\.0\.1:\d+/[a-z-]+/_stcore/(health|host-config)")


@contextmanager
def no_complaints(page: Page) -> Iterator[None]:
    """Nothing in the browser's console, nothing refused or missing, but for Streamlit's own two probes.

    The page is closed at the end, before its server is, which it would rightly complain about.
    """
    said: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type == "error" and not PROBE.fullmatch(message.location.get("url", "")):
            said.append(f"{message.text} ({message.location.get('url')})")

    def answered(response: Response) -> None:
        if response.status >= 400 and not PROBE.fullmatch(response.url):
            said.append(f"{response.status} at {response.url}")

    page.on("console", console)
    page.on("response", answered)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield
    if page.url.startswith("http"):
        no_trouble(page)
    page.close()
    assert not said, said


def no_trouble(page: Page) -> None:
    """No box of an exception, no error that nobody foresaw."""
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text("Something went wrong inside Lancelot")).to_have_count(0)


def open_page(page: Page, console: Console, path: str = "/") -> None:
    """Open a page of the console and wait until Streamlit has drawn it."""
    page.goto(f"{console.url}{path}")
    page.wait_for_selector("h1")


def press(page: Page, name: str) -> None:
    """Press a button by its words."""
    page.get_by_role("button", name=name, exact=True).first.click()


def heading(page: Page, words: str) -> None:
    """Wait for a heading."""
    expect(page.get_by_role("heading", name=words).first).to_be_visible(timeout=90_000)


def recover(page: Page, name: str) -> None:
    """Press one of the commands in the set-up page's recovery panel.

    A panel that was opened while the page was still being drawn may close once more: then it is opened again.
    """
    button = page.get_by_role("button", name=name, exact=True)
    panel = page.get_by_text("Recovery: go back, repair, start over")
    for _ in range(6):
        page.wait_for_selector(DRAWN)
        if not button.is_visible():
            panel.click()
        with suppress(TimeoutError):
            button.wait_for(state="visible", timeout=5_000)
            break
    button.click()


def newest_code(console: Console) -> str:
    """The newest code in the terminal of the server."""
    return re.findall(r"code is (\d{6})", console.log.read_text())[-1]


def enter_code(page: Page, code: str) -> None:
    """Type the six digits and have them checked."""
    page.get_by_role("textbox", name="Code").fill(code)
    press(page, "Check the code")


def offline_to_ready(page: Page, console: Console) -> set[str]:
    """From the first page to READY with our own local service and the local channel; returns the progress seen."""
    open_page(page, console)
    press(page, "Begin")
    heading(page, "Flagship")
    page.get_by_text("Self-hosted").first.click()
    press(page, "Use this provider")
    press(page, "Go on without a key")
    heading(page, "Local model")
    page.get_by_text("I agree to install").click()
    press(page, "Install")
    seen = watch_installation(page)
    press(page, "Use this channel")
    press(page, "Show the code there")
    heading(page, "Code")
    page.get_by_role("textbox", name="Code").fill(console.api("POST", "/onboarding/code").json()["code"])
    press(page, "Check the code")
    heading(page, "Lancelot is ready")
    return seen


def watch_installation(page: Page) -> set[str]:
    """Wait for the installation's end; returns the different figures of progress that the page showed meanwhile."""
    seen: set[str] = set()
    through = page.get_by_role("heading", name="Channel")
    for _ in range(INSTALL_MS // 150):
        if through.count():
            return seen
        seen.update(PROGRESS.findall(page.locator('[data-testid="stMain"]').inner_text()))
        page.wait_for_timeout(150)
    raise AssertionError(f"the installation did not end; the page says:\n{page.locator('body').inner_text()[:2000]}")
