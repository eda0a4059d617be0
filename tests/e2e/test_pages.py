"""Every page in a real browser: its content, one action, no error in the browser's console, no exception box."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.harness import Console
from tests.e2e.journey import no_complaints, no_trouble, open_page, press

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]

TITLES = {
    "/": "Overview",
    "/approvals-queue": "Approvals",
    "/decisions": "Router",
    "/receipts": "Receipts",
    "/costs": "Cost & tokens",
    "/local-model": "Local model",
    "/setup": "Lancelot is ready",
    "/ask": "Ask",
    "/redaction-lab": "Redaction lab",
}


def test_every_page_shows_itself_and_does_its_work(strict_page: Page, ready_console: Console) -> None:
    page = strict_page
    for path, title in TITLES.items():
        open_page(page, ready_console, path)
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        no_trouble(page)

    open_page(page, ready_console, "/redaction-lab")
    page.get_by_label("Text", exact=True).fill("Write to anna.berg@example.com")
    press(page, "Show")
    expect(page.get_by_text("1 item was redacted", exact=False)).to_be_visible()
    expect(page.get_by_text("<EMAIL_1>").first).to_be_visible()

    open_page(page, ready_console, "/decisions?view=Dry+run")
    page.get_by_label("Text to try").fill("Delete the production database")
    press(page, "Explain")
    expect(page.get_by_text("risk_high", exact=False).first).to_be_visible()

    made = ready_console.api("POST", "/approvals", json={"what": "Send the report", "risk": "high"}).json()
    open_page(page, ready_console, "/approvals-queue")
    expect(page.get_by_text("Send the report")).to_be_visible()
    press(page, "Allow once")
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    assert ready_console.api("GET", f"/approvals/{made['id']}").json()["state"] == "allowed"

    open_page(page, ready_console, "/ask")
    page.get_by_label("Message").fill("Hello")
    press(page, "Send")
    expect(page.get_by_text(re.compile("Receipt [0-9a-f-]{36}"))).to_be_visible(timeout=120_000)
    no_trouble(page)

    open_page(page, ready_console, "/costs")
    expect(page.get_by_text("Requests").first).to_be_visible()
    no_trouble(page)


def test_pages_fit_a_phone(strict_page: Page, ready_console: Console) -> None:
    page = strict_page
    page.set_viewport_size({"width": 390, "height": 844})
    for path in TITLES:
        open_page(page, ready_console, path)
        page.wait_for_timeout(300)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 1, f"{path} scrolls sideways"
        no_trouble(page)


def test_dark_mode_is_dark(page: Page, ready_console: Console) -> None:
    page.emulate_media(color_scheme="dark")
    open_page(page, ready_console)
    colour = page.get_by_test_id("stApp").evaluate("element => getComputedStyle(element).backgroundColor")
    assert max(int(part) for part in re.findall(r"\d+", colour)[:3]) < 60, colour


def test_what_is_missing_or_broken_is_complained_about(page: Page, ready_console: Console) -> None:
    """A control: the eye that found nothing above sees a missing file, a refusal and an error in the console."""
    acts = {
        "fetch('/router/no-such-route')": "404",
        "fetch('/usage/summary')": "401",
        "void console.error('broken')": "broken",
        "void setTimeout(() => { throw Error('nobody caught it') })": "nobody caught it",
    }
    for act, said in acts.items():
        tab = page.context.new_page()
        with pytest.raises(AssertionError, match=said):
            look_on(tab, ready_console, act)


def look_on(page: Page, console: Console, act: str) -> None:
    with no_complaints(page):
        open_page(page, console)
        page.evaluate(act)
        page.wait_for_timeout(200)
