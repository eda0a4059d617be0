"""The browser of the end-to-end tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, sync_playwright

from tests.e2e.harness import CHROMIUM, CHROMIUM_ARGS, PROJECT, Console, running_console
from tests.e2e.journey import DRAWN, no_complaints
from tests.ready import provisioned_folder

STANDS_STILL_MS = 10_000


@pytest.fixture(autouse=True)
def calm_clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every click waits, as a person does, until the page has been drawn.

    While Streamlit draws, things move up and down; a button that moves between the mouse's down and up is not pressed,
    and Playwright does not notice. A page that is busy for long is clicked all the same.
    """
    at_once = Locator.click

    def click(self: Locator, **kwargs: Any) -> None:
        if self.page.get_by_test_id("stApp").count():
            with suppress(TimeoutError):
                self.page.wait_for_selector(DRAWN, timeout=STANDS_STILL_MS)
        at_once(self, **kwargs)

    monkeypatch.setattr(Locator, "click", click)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Chromium; without it the test is skipped, and with CI=true it fails.

    One a test: Playwright's synchronous form keeps an event loop running in this thread, which later asynchronous
    tests of the same worker could not share.
    """
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing and CI must not skip browser tests")
        pytest.skip("Chromium is not installed (apt-get install chromium, or set LANCELOT_CHROMIUM)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the command line has brought to READY, offline; tests copy it."""
    return provisioned_folder(tmp_path_factory)


@pytest.fixture
def ready_console(ready_folder: Path, tmp_path: Path) -> Iterator[Console]:
    """A console that is READY, on a data folder of the test's own."""
    folder = tmp_path / "ready"
    shutil.copytree(ready_folder, folder)
    with running_console(folder, tmp_path / "console.log", {"LANCELOT_UPKEEP": "off"}) as console:
        console.wait_ready()
        yield console


@pytest.fixture
def console(ready_folder: Path, tmp_path: Path) -> Iterator[Console]:
    """A console that is READY, with data and configuration (`tmp_path`/config) that the test may change."""
    folder, config = tmp_path / "ready", tmp_path / "config"
    shutil.copytree(ready_folder, folder)
    shutil.copytree(PROJECT / "config", config)
    for older in config.glob("*.yaml.*"):
        older.unlink()
    environment = {"LANCELOT_UPKEEP": "off", "LANCELOT_CONFIG_DIR": str(config)}
    with running_console(folder, tmp_path / "console.log", environment) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; the test fails when the page logged an error to the browser's console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors, errors


@pytest.fixture
def strict_page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """The same, and nothing at all in the browser's console, nothing missing or refused."""
    for name in {"console", "ready_console"} & set(request.fixturenames):
        request.getfixturevalue(name)  # before the page, so that it ends after it
    page: Page = request.getfixturevalue("page")
    with no_complaints(page):
        yield page
