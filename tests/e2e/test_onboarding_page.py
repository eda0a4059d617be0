"""The set-up page on a phone, in the dark, by keyboard alone; two tabs show one truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.harness import Console, running_console
from tests.e2e.journey import open_page, press

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def console(data_folder: Path, tmp_path: Path) -> Iterator[Console]:
    expect.set_options(timeout=30_000)
    with running_console(data_folder, tmp_path / "console.log") as running:
        yield running


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control with this name has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        words = page.evaluate("document.activeElement.tagName === 'BUTTON' ? document.activeElement.innerText : ''")
        if words.strip() == name:
            return
    raise AssertionError(f"{name} cannot be reached with the Tab key")


def test_by_keyboard_alone_on_a_phone_in_the_dark(phone: Page, console: Console) -> None:
    open_page(phone, console)
    tab_to(phone, "Begin")
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("heading", name="Flagship")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    tab_to(phone, "Use this provider")
    phone.keyboard.press("Space")
    expect(phone.get_by_role("button", name="Go on without a key")).to_be_visible()
    dark = phone.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert sum(int(part) for part in dark.removeprefix("rgb(").rstrip(")").split(",")[:3]) < 200


def test_a_second_tab_follows_and_repeats_nothing(page: Page, phone: Page, console: Console) -> None:
    open_page(page, console)
    open_page(phone, console)
    press(page, "Begin")
    expect(page.get_by_role("heading", name="Flagship")).to_be_visible()
    expect(phone.get_by_role("heading", name="Flagship")).to_be_visible()
    phone.reload()
    expect(phone.get_by_role("heading", name="Flagship")).to_be_visible()
    press(phone, "Use this provider")
    expect(page.get_by_role("button", name="Go on without a key")).to_be_visible()
