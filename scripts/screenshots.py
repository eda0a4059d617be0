"""Takes the pictures of docs/images from a running console: screenshots.py URL [PAGE…]. Light and dark."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
PAGES = {
    "overview": "/",
    "approvals": "/approvals-queue",
    "router": "/decisions",
    "receipts": "/receipts",
    "costs": "/costs",
    "local-model": "/local-model",
    "redaction-lab": "/redaction-lab",
    "ask": "/ask",
}
QUESTION = "Mail the invoice to billing@example.com and call +1 415 555 0132"
LAB = (
    "Hello Maria Lopez, please write to m.lopez@example.org or call +1 415 555 0132. IBAN DE89 3702 0501 0000 5432 10."
)


def act(page: Page, name: str) -> None:
    """What makes a page worth a picture."""
    if name == "ask":
        page.get_by_label("Message").fill(QUESTION)
        page.get_by_role("button", name="Send").click()
        page.get_by_text("redacted:", exact=False).first.wait_for(timeout=120_000)
    if name == "redaction-lab":
        page.get_by_label("Text", exact=True).fill(LAB)
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_text("redacted:", exact=False).first.wait_for(timeout=60_000)


def main(url: str, wanted: list[str]) -> None:
    """Writes NAME.png and NAME-dark.png for each wanted page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name in wanted or list(PAGES):
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                page.goto(url + PAGES[name])
                page.wait_for_selector("h1")
                act(page, name)
                page.wait_for_timeout(2500)
                page.screenshot(path=FOLDER / (f"{name}.png" if scheme == "light" else f"{name}-dark.png"))
                context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
