"""The set-up in a real browser: from the first page to READY with the real model and the local channel."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.harness import Console, files_with, lancelot, running_console
from tests.e2e.journey import newest_code, press
from tests.weights import installed_weights

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]
INSTALL_MS = 240_000


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=30_000)  # a repair asks the model known questions first


NO_NETWORK = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
}


@pytest.fixture
def console(data_folder: Path, tmp_path: Path) -> Iterator[Console]:
    """A console on an empty data folder without a network; the model's file lies where the lock's last source looks."""
    weights = installed_weights()
    handed_in = data_folder / "models" / "import"
    handed_in.mkdir(parents=True)
    shutil.copyfile(weights, handed_in / weights.name)
    with running_console(data_folder, tmp_path / "console.log", NO_NETWORK) as running:
        yield running


def to_the_local_model(page: Page, console: Console) -> None:
    page.goto(console.url)
    press(page, "Begin")
    expect(page.get_by_role("heading", name="Flagship")).to_be_visible()
    page.get_by_text("Self-hosted").first.click()
    press(page, "Use this provider")
    press(page, "Go on without a key")
    expect(page.get_by_role("heading", name="Local model")).to_be_visible()


def agree(page: Page) -> None:
    for fact in ("smollm2-135m", "98.4 MB", "Apache-2.0", "QuantFactory"):
        expect(page.get_by_text(fact).first).to_be_visible()
    press(page, "Install")
    expect(page.get_by_text("Without the local model")).to_be_visible()  # no consent, no way on
    page.get_by_text("I agree to install").click()
    press(page, "Install")


def test_from_the_first_page_to_ready(page: Page, console: Console) -> None:
    to_the_local_model(page, console)
    agree(page)
    expect(page.get_by_text(re.compile(r"of 9\d\.\d MB|Ask it known questions")).first).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Channel")).to_be_visible(timeout=INSTALL_MS)
    press(page, "Use this channel")
    press(page, "Show the code there")
    expect(page.get_by_role("heading", name="Code")).to_be_visible()
    code = newest_code(console)
    page.get_by_role("textbox", name="Code").fill(code)
    press(page, "Check the code")
    expect(page.get_by_role("heading", name="Lancelot is ready")).to_be_visible(timeout=180_000)
    assert console.api("GET", "/system/status").json()["onboarding"]["state"] == "READY"
    answer = lancelot(console.data_dir, "status", "--json")
    assert '"READY"' in answer.stdout
    assert files_with(console.data_dir / "onboarding", f'"{code}"') == []
