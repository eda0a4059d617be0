"""Approvals, Router, Receipts and Ask in a real browser: content, an action each, no error, no exception box."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.harness import PROJECT, Console, lancelot, running_console
from tests.e2e.journey import no_trouble, open_page, press

pytestmark = pytest.mark.timeout(300)
OFF = {"LANCELOT_UPKEEP": "off"}
RECEIPTS = 400


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decisions") / "data"
    assert lancelot(folder, "demo", "seed", "--receipts", str(RECEIPTS), env=OFF).returncode == 0
    return folder


@pytest.fixture
def console(seeded: Path, tmp_path: Path) -> Iterator[Console]:
    """A console that is not set up yet, with a demonstration; what is asked of a person works without set-up."""
    folder = tmp_path / "data"
    shutil.copytree(seeded, folder)
    with running_console(folder, tmp_path / "console.log", OFF) as started:
        yield started


def ask(console: Console, what: str, **extra: Any) -> dict[str, Any]:
    tools = [{"name": "transfer_money", "arguments": {"to": "anna.berg@example.com", "amount": 40}}]
    body = {"what": what, "who": "agent bookkeeper", "risk": "high", "reasons": ["moves money"], "tools": tools}
    made: dict[str, Any] = console.api("POST", "/approvals", json=body | extra).json()
    return made


def state(console: Console, approval: dict[str, Any]) -> Any:
    return console.api("GET", f"/approvals/{approval['id']}").json()["state"]


def choose_first_row(page: Page) -> None:
    """Tick the first row of the page's first table (drawn on a canvas)."""
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible()
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # the grid measures itself once more after it has appeared
    place = table.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + 16, place["y"] + 52)


def test_an_approval_is_told_edited_and_allowed(strict_page: Page, console: Console) -> None:
    made = ask(console, "Pay **invoice** 7 of anna.berg@example.com ![x](https://evil.example/x.png)")
    open_page(strict_page, console, "/approvals-queue")
    expect(strict_page.get_by_text("Pay **invoice** 7 of <EMAIL_1>")).to_be_visible()
    expect(strict_page.get_by_text("agent bookkeeper", exact=False).first).to_be_visible()
    expect(strict_page.get_by_text("high risk")).to_be_visible()
    assert "anna.berg" not in strict_page.content()
    assert strict_page.locator("img[src*=evil]").count() == 0
    arguments = strict_page.get_by_role("textbox", name="Arguments of transfer_money")
    arguments.fill('{"to": "<EMAIL_1>", "amount": ')
    press(strict_page, "Allow once")
    expect(strict_page.get_by_text("not valid JSON", exact=False)).to_be_visible()
    arguments.fill('{"to": "<EMAIL_1>", "amount": 12}')
    press(strict_page, "Allow once")
    expect(strict_page.get_by_text("Nothing waits")).to_be_visible()
    started = console.api("POST", f"/approvals/{made['id']}/start").json()
    assert started["calls"] == [{"name": "transfer_money", "arguments": {"to": "anna.berg@example.com", "amount": 12}}]
    strict_page.get_by_text("Decided", exact=True).click()
    choose_first_row(strict_page)
    expect(strict_page.get_by_text("as changed by the operator", exact=False)).to_be_visible()


def test_always_looks_back_makes_a_rule_and_the_rule_is_narrowed_and_revoked(
    strict_page: Page, console: Console
) -> None:
    ask(console, "Pay invoice 1")
    ask(console, "Pay invoice 2")
    open_page(strict_page, console, "/approvals-queue")
    press(strict_page, "Allow always…")
    expect(strict_page.get_by_text("calling only transfer_money", exact=False).first).to_be_visible()
    expect(strict_page.get_by_text("would have let 2 through", exact=False)).to_be_visible()
    strict_page.get_by_label("Times it may be used").fill("3")
    press(strict_page, "Make the rule and allow")
    expect(strict_page.get_by_text("1 waits, the oldest", exact=False)).to_be_visible()
    assert ask(console, "Pay invoice 3")["state"] == "allowed"
    strict_page.get_by_text("Standing rules", exact=True).click()
    expect(strict_page.get_by_text("used 1 of 3 times", exact=False)).to_be_visible()
    press(strict_page, "Narrow…")
    strict_page.get_by_label("Times it may be used, all in all").fill("1")
    press(strict_page, "Narrow the rule")
    expect(strict_page.get_by_text("used up", exact=False)).to_be_attached()
    assert ask(console, "Pay invoice 4")["state"] == "pending"


def test_a_rule_is_revoked(strict_page: Page, console: Console) -> None:
    made = ask(console, "Pay invoice 1")
    console.api("POST", f"/approvals/{made['id']}/decision", json={"decision": "always"})
    open_page(strict_page, console, "/approvals-queue")
    strict_page.get_by_text("Standing rules", exact=True).click()
    press(strict_page, "Revoke")
    expect(strict_page.get_by_text("No standing rules")).to_be_visible()
    assert ask(console, "Pay invoice 2")["state"] == "pending"


def test_the_keyboard_alone_denies_with_a_note(strict_page: Page, console: Console) -> None:
    made = ask(console, "Pay invoice 1")
    open_page(strict_page, console, "/approvals-queue")
    strict_page.get_by_label("Note").focus()
    strict_page.keyboard.type("too much")
    reached = []
    for _ in range(4):
        strict_page.keyboard.press("Tab")
        reached.append(strict_page.evaluate("document.activeElement.innerText").strip().split("\n")[-1])
        if reached[-1] == "Deny":
            break
    assert reached[-3:] == ["Allow once", "Allow always…", "Deny"]
    strict_page.keyboard.press("Enter")
    expect(strict_page.get_by_text("Nothing waits")).to_be_visible()
    found = console.api("GET", f"/approvals/{made['id']}").json()
    assert (found["state"], found["note"]) == ("denied", "too much")


def test_two_operators_at_once_the_second_is_told(strict_page: Page, browser: Browser, console: Console) -> None:
    made = ask(console, "Pay invoice 1")
    open_page(strict_page, console, f"/approvals-queue?id={made['id']}")
    expect(strict_page.get_by_role("button", name="Deny")).to_be_visible()
    answer = console.api("POST", f"/approvals/{made['id']}/decision", json={"decision": "once", "by": "Ann"})
    assert answer.status_code == 200
    press(strict_page, "Deny")
    expect(strict_page.get_by_text("allowed by Ann", exact=False).first).to_be_visible()
    assert state(console, made) == "allowed"


def test_something_new_appears_without_a_reload_and_survives_kill_9(strict_page: Page, console: Console) -> None:
    open_page(strict_page, console, "/approvals-queue")
    expect(strict_page.get_by_text("Nothing waits")).to_be_visible()
    made = ask(console, "Pay invoice 1")
    expect(strict_page.get_by_text("Pay invoice 1")).to_be_visible(timeout=15_000)
    told = f"agent bookkeeper asks: Pay invoice 1 (risk high). Decide under Approvals at {console.url}/approvals-queue"
    assert f"{told}?id={made['id']}" in console.log.read_text()  # the local channel
    strict_page.goto("about:blank")
    console.kill()
    console.start()
    open_page(strict_page, console, "/approvals-queue")
    expect(strict_page.get_by_text("Pay invoice 1")).to_be_visible()
    assert state(console, made) == "pending"


def test_decisions_are_filtered_and_one_is_told_as_a_story(strict_page: Page, console: Console) -> None:
    open_page(strict_page, console, "/decisions?demo=1")
    expect(strict_page.get_by_text("The newest decisions, live", exact=False)).to_be_visible()
    strict_page.get_by_text("Filters", exact=True).click()
    strict_page.get_by_text("Only what needed another brain").click()
    strict_page.wait_for_timeout(300)
    expect(strict_page.get_by_text("The newest decisions, live", exact=False)).to_be_visible()
    choose_first_row(strict_page)
    expect(strict_page.get_by_text("Attempt 1: the", exact=False)).to_be_visible()
    expect(strict_page.get_by_text("Attempt 2: the", exact=False)).to_be_visible()
    expect(strict_page.get_by_text("need for the deep lane", exact=False).first).to_be_visible()
    press(strict_page, "All decisions")
    strict_page.get_by_text("Totals", exact=True).click()
    expect(strict_page.get_by_text("Most frequent reasons")).to_be_visible()


def test_dry_run_and_what_if(strict_page: Page, console: Console) -> None:
    open_page(strict_page, console, "/decisions?demo=1&view=Dry+run")
    strict_page.get_by_label("Text to try").fill("Delete the production database")
    press(strict_page, "Explain")
    expect(strict_page.get_by_text("risk_high", exact=False).first).to_be_visible()
    strict_page.get_by_text("What if", exact=True).click()
    press(strict_page, "See what would have changed")
    expect(strict_page.get_by_text("Nothing differs from what is in force", exact=False)).to_be_visible()
    slider = strict_page.get_by_role("slider", name="Deep from this need on")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowLeft")
    press(strict_page, "See what would have changed")
    expect(strict_page.get_by_text("thresholds.deep_score: 0.5 to 0.3", exact=False)).to_be_visible()
    expect(strict_page.get_by_text("Would have cost more")).to_be_visible()
    strict_page.get_by_text("Edit all of router.yaml").click()
    strict_page.get_by_role("textbox", name="router.yaml, as it would be").fill(
        "version: 1\nthresholds: {depp_score: 0.3}\n"
    )
    press(strict_page, "See what would have changed")
    expect(strict_page.get_by_text("depp_score", exact=False).first).to_be_visible()
    assert "deep_score: 0.3" not in strict_page.get_by_test_id("stMain").inner_text().split("depp_score")[0][-40:]


def test_receipts_by_filter_page_order_and_address(strict_page: Page, console: Console) -> None:
    open_page(strict_page, console, "/receipts?demo=1&lane=deep&sort=dearest")
    expect(strict_page.get_by_text("Page 1, 50 receipts")).to_be_visible()
    press(strict_page, "After")
    expect(strict_page.get_by_text("Page 2,", exact=False)).to_be_visible()
    press(strict_page, "Before")
    expect(strict_page.get_by_text("Page 1, 50 receipts")).to_be_visible()
    choose_first_row(strict_page)
    expect(strict_page.get_by_text("One receipt")).to_be_visible()
    receipt = re.search(r"id=([0-9a-f-]{36})", strict_page.url)
    assert receipt is not None
    open_page(strict_page, console, f"/receipts?demo=1&id={receipt[1]}")
    expect(strict_page.get_by_text(f"Receipt {receipt[1]} ", exact=False).first).to_be_visible()
    press(strict_page, "All receipts")
    find = strict_page.get_by_label("Find a receipt")
    find.fill("nonsense")
    find.press("Enter")
    expect(strict_page.get_by_text("no receipt or request with this id", exact=False)).to_be_visible()
    find.fill(receipt[1])
    find.press("Enter")
    expect(strict_page.get_by_text("One receipt")).to_be_visible()


def test_before_the_set_up_ask_says_what_comes_next(strict_page: Page, console: Console) -> None:
    open_page(strict_page, console, "/ask")
    expect(strict_page.get_by_text("What comes next", exact=False)).to_be_visible()


def test_a_kill_between_decision_and_effect_lets_the_caller_go_on_once(console: Console) -> None:
    """Allowed, then kill -9 before the caller has taken it up: after the start it goes on, exactly once."""
    made = ask(console, "Pay invoice 1")
    console.api("POST", f"/approvals/{made['id']}/decision", json={"decision": "once"})
    console.kill()
    console.start()
    assert state(console, made) == "allowed"
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(console.api("POST", f"/approvals/{made['id']}/start").status_code)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]
    console.kill()
    console.start()
    assert console.api("POST", f"/approvals/{made['id']}/start").status_code == 409
    assert os.path.exists(console.data_dir / "approvals.json")


@pytest.mark.real_model
def test_a_parked_message_is_decided_and_goes_on(strict_page: Page, ready_folder: Path, tmp_path: Path) -> None:
    """Ask, stopped by a rule of router.yaml: decided on its page, then answered where it was asked."""
    folder, config = tmp_path / "ready", tmp_path / "config"
    shutil.copytree(ready_folder, folder)
    shutil.copytree(PROJECT / "config", config)
    router = config / "router.yaml"
    rule = "park: [{ name: everything, reason: the test asks for a person, lanes: [local, fast, deep] }]"
    router.write_text(re.sub(r"(?m)^park:.*$", rule, router.read_text()))
    env = OFF | {"LANCELOT_CONFIG_DIR": str(config)}
    with running_console(folder, tmp_path / "console.log", env) as console:
        console.wait_ready()
        open_page(strict_page, console, "/ask")
        strict_page.get_by_label("Message").fill("Tell anna.berg@example.com hello")
        press(strict_page, "Send")
        expect(strict_page.get_by_text("A person has to allow this first")).to_be_visible(timeout=60_000)
        strict_page.get_by_text("Decide it").click()
        press(strict_page, "Allow once")
        expect(strict_page.get_by_text("allowed by operator", exact=False).first).to_be_visible()
        strict_page.get_by_role("link", name="Ask").click()
        press(strict_page, "Go on")
        expect(strict_page.get_by_text("Why this brain")).to_be_visible(timeout=120_000)
        expect(strict_page.get_by_text("allowed by operator", exact=False).first).to_be_visible()
        no_trouble(strict_page)
        strict_page.goto("about:blank")  # before its console ends
