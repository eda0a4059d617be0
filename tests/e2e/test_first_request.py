"""From an empty folder to one answered request, in a real browser, with real inference; and nothing private on disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

import duckdb
import orjson
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.harness import files_with, running_console
from tests.e2e.journey import offline_to_ready, open_page, press

ADDRESS, NUMBER = "billing@example.com", "+1 415 555 0132"
MESSAGE = f"Mail the invoice to {ADDRESS} and call {NUMBER}"

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("LANCELOT_REAL_MODEL") != "1", reason="set LANCELOT_REAL_MODEL=1"),
]


def test_from_consent_to_an_answer_with_nothing_private_on_disk(page: Page, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running_console(data_dir, tmp_path / "console.log", {"LANCELOT_UPKEEP": "off"}) as console:
        progress = offline_to_ready(page, console)
        assert progress, "the installation showed no live progress"

        open_page(page, console, "/ask")
        page.get_by_label("Message").fill(MESSAGE)
        press(page, "Send")
        expect(page.get_by_text("2 items were redacted", exact=False)).to_be_visible(timeout=120_000)
        link = page.get_by_text(re.compile(r"Receipt [0-9a-f-]{36}"))
        expect(link).to_be_visible()
        receipt_id = link.inner_text().split()[-1]
        shown = page.locator('[data-testid="stMain"]').inner_text()
        assert "1 e-mail address" in shown
        assert "1 phone number" in shown

        page.get_by_text(f"Receipt {receipt_id}").click()
        expect(page.get_by_text("Attempt 1: the", exact=False)).to_be_visible()
        found = console.api("GET", f"/router/receipts/{receipt_id}").json()["receipt"]
        assert found["redactions"] == {"EMAIL": 1, "PHONE": 1}
        # the positive control: a marker that is meant to be found, written where the product writes
        (data_dir / "logs" / "marker.txt").write_text("planted-marker-91c2")

    assert files_with(data_dir, "planted-marker-91c2")
    assert files_with(data_dir, receipt_id)
    for private in (ADDRESS, NUMBER, "4155550132", "billing@"):
        assert files_with(data_dir, private) == []
    with duckdb.connect(str(data_dir / "lancelot.duckdb"), read_only=True) as database:
        row = database.execute("SELECT redactions, sent_sha256 FROM receipts WHERE id = ?", [receipt_id]).fetchone()
    assert row is not None
    assert orjson.loads(row[0]) == {"EMAIL": 1, "PHONE": 1}
    assert len(row[1]) == 64
