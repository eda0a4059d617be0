"""Another tier in a real browser: picked in the set-up, changed on the Local model page while requests go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from local_models.lockfile import load_lock
from tests.e2e.harness import NO_NETWORK, Console, running_console
from tests.e2e.journey import no_trouble, open_page, press
from tests.two_tiers import OTHER, two_tiers

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(300)]


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Path]:
    """Two installable tiers; the second one's mirror is on this machine."""
    with two_tiers(tmp_path) as path:
        yield path


@pytest.fixture
def console(ready_folder: Path, tmp_path: Path, lock: Path) -> Iterator[Console]:
    folder = Path(shutil.copytree(ready_folder, tmp_path / "ready"))
    environment = NO_NETWORK | {"LANCELOT_UPKEEP": "off", "LANCELOT_MODELS_LOCK": str(lock)}
    with running_console(folder, tmp_path / "console.log", environment) as running:
        running.wait_ready()
        yield running


def in_use(console: Console) -> str:
    return str(console.api("GET", "/system/model").json()["service"]["model_id"])


def test_another_tier_takes_over_on_the_page(strict_page: Page, console: Console) -> None:
    page, title = strict_page, load_lock().default_model.title
    open_page(page, console, "/local-model")
    main = page.get_by_test_id("stMain")
    take = main.get_by_role("button", name="Install and use it", exact=True)
    expect(take).to_be_disabled()
    main.get_by_text(f"I agree to install {OTHER}").click()
    take.click()
    expect(main.get_by_text(f"{OTHER} by QuantFactory")).to_be_visible(timeout=90_000)
    assert in_use(console) == OTHER
    assert console.api("GET", "/system/status").json()["onboarding"]["state"] == "READY"
    expect(main.get_by_role("combobox", name="Another model")).to_have_attribute("value", title, timeout=30_000)
    no_trouble(page)
    page.reload()
    press(page, "Use it")
    expect(main.get_by_text(f"{load_lock().default} by QuantFactory")).to_be_visible(timeout=90_000)


def test_the_set_up_installs_the_tier_that_was_picked(
    browser: Browser, data_folder: Path, tmp_path: Path, lock: Path
) -> None:
    environment = NO_NETWORK | {"LANCELOT_UPKEEP": "off", "LANCELOT_MODELS_LOCK": str(lock)}
    with running_console(data_folder, tmp_path / "console.log", environment) as console:
        page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        page.set_default_timeout(60_000)
        open_page(page, console)
        press(page, "Begin")
        press(page, "Use this provider")
        press(page, "Go on without a key")
        page.get_by_test_id("stRadio").get_by_text("The other tier", exact=True).click()
        page.get_by_text(f"I agree to install {OTHER}").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        press(page, "Install")
        expect(page.get_by_role("heading", name="Channel").first).to_be_visible(timeout=90_000)
        assert in_use(console) == OTHER
        no_trouble(page)
        page.close()
