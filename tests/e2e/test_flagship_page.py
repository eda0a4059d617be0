"""Settings, in a real browser: another key, another provider, each tried out first; and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.harness import Console, files_with
from tests.e2e.journey import no_trouble, open_page, press
from tests.faults.upstream import Upstream, upstream

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]
FIRST, SECOND, WRONG = ("sk-planted-" + letter * 30 for letter in "abw")
CHAT = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "What is due this week?"}]}


@pytest.fixture
def provider() -> Iterator[Upstream]:
    """A server on this machine that takes one key at a time."""
    with upstream() as running:
        running.accepts = {FIRST}
        yield running


def try_key(page: Page, key: str) -> None:
    """Choose to enter a key, enter it, and have it tried out."""
    page.get_by_role("combobox", name=re.compile("Its key")).click()
    page.get_by_role("option", name="A new key").click()
    page.get_by_label("Key", exact=True).fill(key)
    press(page, "Try it out and show what would change")


def answered_with(console: Console, provider: Upstream) -> str:
    """The key that a request to the fast lane presents."""
    provider.presented.clear()
    assert console.api("POST", "/v1/chat/completions", json=CHAT).status_code == 200
    (seen,) = provider.presented
    return seen.removeprefix("Bearer ")


def test_a_server_a_key_another_key_and_back(strict_page: Page, console: Console, provider: Upstream) -> None:
    page = strict_page
    open_page(page, console, "/settings")
    expect(page.get_by_role("heading", name="Our own local service")).to_be_visible()
    page.get_by_label("Address of your server").fill(provider.url)
    page.get_by_role("combobox", name=re.compile("Its key")).click()
    page.get_by_role("option", name="A new key").click()
    page.get_by_label("Address of your server").fill(provider.url)
    try_key(page, WRONG)
    expect(page.get_by_text("does not accept this key (401)")).to_be_visible()
    expect(page.get_by_role("button", name="Put in force")).to_have_count(0)
    assert console.api("GET", "/system/flagship").json()["flagship"]["own_service"] is True

    page.get_by_label("Address of your server").fill(provider.url)
    try_key(page, FIRST)
    expect(page.get_by_text("+key: ••••aaaa")).to_be_visible()
    assert console.api("GET", "/system/flagship").json()["flagship"]["own_service"] is True
    press(page, "Put in force")
    expect(page.get_by_text("What it replaced can be brought back.")).to_be_visible()
    assert answered_with(console, provider) == FIRST

    provider.accepts = {FIRST, SECOND}
    try_key(page, SECOND)
    expect(page.get_by_text("-key: ••••aaaa")).to_be_visible()
    press(page, "Put in force")
    # the trial shows the new key's end, too: it is in force when there is nothing left to put in force
    expect(page.get_by_role("button", name="Put in force")).to_have_count(0)
    expect(page.get_by_text("••••bbbb").first).to_be_visible()
    assert answered_with(console, provider) == SECOND
    page.goto("about:blank")
    console.kill()
    console.start()
    console.wait_ready()
    assert answered_with(console, provider) == SECOND

    open_page(page, console, "/settings")
    page.get_by_text("The flagship became", exact=False).first.click()
    press(page, "Bring back what it replaced")
    expect(page.get_by_text("again, with the key it had")).to_be_visible()
    assert answered_with(console, provider) == FIRST
    no_trouble(page)
    assert files_with(console.data_dir, WRONG) == []
    assert {path.name for path in files_with(console.data_dir, FIRST)} <= {
        "credentials.json",
        "credentials.json.1",
        "1",
    }
    open_page(page, console, "/")
    expect(page.get_by_text("The flagship became").first).to_be_visible()


def test_another_provider_and_its_models(
    strict_page: Page, console: Console, provider: Upstream, tmp_path: Path
) -> None:
    page, models = strict_page, tmp_path / "config" / "models.yaml"
    models.write_text(models.read_text().replace("https://api.openai.com/v1", provider.url))
    provider.models = ["gpt-6-luna"]
    open_page(page, console, "/settings")
    page.get_by_role("combobox", name=re.compile("^Provider|Provider$")).first.click()
    page.get_by_role("option", name="OpenAI", exact=True).click()
    page.get_by_label("Key", exact=True).fill(FIRST)
    press(page, "Try it out and show what would change")
    expect(page.get_by_text("+provider: openai")).to_be_visible()
    expect(page.get_by_text("the other lane stands in", exact=False)).to_be_visible()
    press(page, "Put in force")
    expect(page.get_by_role("heading", name="OpenAI", exact=True)).to_be_visible()
    assert console.api("GET", "/system/status").json()["flagship"]["provider"] == "openai"

    model = page.get_by_role("combobox", name=re.compile("Model of the fast lane"))
    model.fill("gpt-6-astra")
    model.press("Enter")
    page.get_by_role("button", name="Show what would change", exact=True).locator("visible=true").click()
    expect(page.get_by_text("does not offer this key gpt-6-astra or")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    no_trouble(page)
