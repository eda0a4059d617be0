"""Settings, recovery, overview and the demonstration in a real browser, on a configuration of the test's own."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.harness import Console
from tests.e2e.journey import no_trouble, open_page, press

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]
PHONE = {"width": 390, "height": 844}


def settings_text(console: Console) -> str:
    return (console.data_dir.parent / "config" / "router.yaml").read_text()


def test_a_budget_from_the_form_to_force_and_back(strict_page: Page, console: Console) -> None:
    page, before = strict_page, settings_text(console)
    open_page(page, console, "/settings")
    page.get_by_role("tab", name="Budgets").click()
    amount = page.get_by_role("spinbutton", name="US dollars a day", exact=True).first
    amount.fill("20")
    amount.press("Tab")
    page.get_by_role("button", name="Show what would change", exact=True).locator("visible=true").click()
    expect(page.get_by_text("daily_usd: 20").first).to_be_visible()
    assert settings_text(console) == before
    press(page, "Save")
    expect(page.get_by_text("saved and in force")).to_be_visible()
    assert "daily_usd: 20" in settings_text(console)
    page.get_by_role("tab", name="Files and history").click()
    press(page, "Undo the last save")
    expect(page.get_by_text("in force again")).to_be_visible()
    assert settings_text(console) == before
    no_trouble(page)
    open_page(page, console, "/")
    expect(page.get_by_text("router.yaml was changed").first).to_be_visible()


def test_a_key_is_made_used_and_revoked(strict_page: Page, console: Console) -> None:
    page = strict_page
    open_page(page, console, "/settings")
    page.get_by_role("tab", name="Application keys").click()
    page.get_by_text("Make a key", exact=True).click()
    page.get_by_label("Name of the application").fill("shop")
    press(page, "Make the key")
    expect(page.get_by_text("Copy its secret now", exact=False)).to_be_visible()
    secret = page.get_by_test_id("stCode").filter(has_text="lk_").first.inner_text().strip()
    assert models(console, secret).status_code == 200
    page.reload()
    page.get_by_role("tab", name="Application keys").click()
    expect(page.get_by_text(secret)).to_have_count(0)
    page.get_by_label("Revoke a key").click()
    page.get_by_role("option", name="shop").click()
    press(page, "Revoke…")
    press(page, "Yes, revoke shop")
    expect(page.get_by_text("shop is revoked")).to_be_visible()
    assert models(console, secret).status_code == 401
    no_trouble(page)


def models(console: Console, secret: str) -> httpx.Response:
    """What the gateway offers to the bearer of a secret."""
    return httpx.get(f"{console.url}/v1/models", headers={"Authorization": f"Bearer {secret}"}, timeout=30)


def test_a_repair_survives_a_closed_tab_and_is_undone(browser: Browser, page: Page, console: Console) -> None:
    key_file = console.data_dir / "credentials.json"
    if not key_file.exists():
        key_file.write_text('{"version": 1, "providers": {}, "comms_url": null}')
    key_file.chmod(0o644)
    other = browser.new_context().new_page()
    other.goto(f"{console.url}/setup")
    other.get_by_role("button", name="Look for faults").click()
    other.get_by_role("button", name="Apply: Key").wait_for(timeout=120_000)
    other.get_by_role("button", name="Apply: Key").click()
    begun = other.get_by_text("Copying, applying, checking again").or_(other.get_by_text("Checked again"))
    begun.first.wait_for(timeout=60_000)
    other.close()

    open_page(page, console, "/setup")
    expect(page.get_by_text("Checked again: passes.")).to_be_visible(timeout=60_000)
    assert key_file.stat().st_mode & 0o777 == 0o600
    page.get_by_role("tab", name="History of repairs").click()
    page.get_by_text(re.compile("repaired · credentials.json")).click()
    expect(page.get_by_text("+mode 0600").first).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("is undone")).to_be_visible()
    assert key_file.stat().st_mode & 0o777 == 0o644
    no_trouble(page)


def test_an_older_set_up_is_restored_and_taken_back(page: Page, console: Console) -> None:
    open_page(page, console, "/setup")
    page.get_by_role("tab", name="Older set-ups").click()
    page.get_by_text(re.compile(r"Revision \d+ · ")).first.click()
    page.get_by_role("button", name="Restore this one").first.click()
    page.get_by_role("button", name="Yes, restore it").click()
    expect(page.get_by_text(re.compile(r"Revision \d+ is back"))).to_be_visible()
    page.get_by_role("tab", name="History of repairs").click()
    page.get_by_text(re.compile("Restored the set-up record")).first.click()
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(page.get_by_role("heading", name="Lancelot is ready")).to_be_visible(timeout=60_000)


def test_the_demonstration_is_made_shown_marked_and_left(page: Page, console: Console) -> None:
    open_page(page, console, "/")
    press(page, "Make demo data")
    page.get_by_text("Demo data", exact=True).click(timeout=120_000)
    expect(page.get_by_text("Demo: these figures are made up")).to_be_visible()
    expect(page.get_by_text("agent invoice-bot", exact=False)).to_be_visible()
    page.get_by_role("link", name="Settings").first.click()
    expect(page.get_by_text("This page shows the real system, not the demo")).to_be_visible()
    page.get_by_role("link", name="Receipts").click()
    expect(page.get_by_text("Demo: these figures are made up")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/receipts\?.*demo=1"))
    elsewhere = page.context.new_page()
    elsewhere.goto(page.url)
    expect(elsewhere.get_by_text("Demo: these figures are made up")).to_be_visible()
    elsewhere.close()
    page.get_by_text("Demo data", exact=True).click()
    expect(page.get_by_text("Demo: these figures are made up")).to_have_count(0)
    no_trouble(page)


def test_a_degraded_part_is_named_with_its_fix_and_all_fits_a_phone(page: Page, console: Console) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    broken = console.data_dir.parent / "config" / "router.yaml"
    broken.write_text(broken.read_text() + "\nno_such_key: 1\n")
    open_page(page, console, "/")
    expect(page.get_by_text("no_such_key").first).to_be_visible(timeout=30_000)
    for path in ("/", "/setup", "/settings"):
        open_page(page, console, path)
        page.wait_for_timeout(500)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 1, path
    open_page(page, console, "/")
    page.get_by_role("link", name="Fix configuration").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.get_by_role("tab", name="Files and history").click()
    expect(page.get_by_text("The newest edit on disk is not in force", exact=False)).to_be_visible()
    no_trouble(page)
