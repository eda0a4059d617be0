"""A console behind an OpenID Connect login, in a real browser: nothing before it, and operators only after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.harness import NO_NETWORK, PROJECT, free_port
from tests.e2e.identity import Identity, identity

pytestmark = [pytest.mark.timeout(180)]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Identity, str]]:
    """The login's provider, and the address of a console on every interface that asks it."""
    port = free_port()
    url = f"http://localhost:{port}"
    with identity() as provider:
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(
            f'[auth]\nredirect_uri = "{url}/oauth2callback"\ncookie_secret = "{"c" * 40}"\nclient_id = "lancelot"\n'
            f'client_secret = "s"\nserver_metadata_url = "{provider.url}/.well-known/openid-configuration"\n'
        )
        words = ["--server.address", "127.0.0.1", "--server.port", str(port), "--secrets.files", str(secrets)]
        login = {"LANCELOT_LOGIN": "oidc", "LANCELOT_OPERATORS": "anna@example.com"}
        with (tmp_path / "console.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "console", *words],
                cwd=PROJECT,
                env=os.environ | NO_NETWORK | login | {"LANCELOT_DATA_DIR": str(tmp_path / "data")},
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(f"{url}/system/health", process, tmp_path / "console.log")
            yield provider, url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until, pause = time.monotonic() + 90, threading.Event()
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pause.wait(0.1)
    raise AssertionError(log.read_text())


def test_operators_come_in_and_others_do_not(guarded: tuple[Identity, str], page: Page) -> None:
    provider, url = guarded
    page.goto(f"{url}/costs")
    button = page.get_by_role("button", name="Log in")
    expect(button).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Cost & tokens")).to_have_count(0)

    provider.email = "eve@example.com"
    button.click()
    expect(page.get_by_role("heading", name="Not an operator")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Welcome")).to_have_count(0)

    provider.email = "anna@example.com"
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").click(timeout=60_000)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible(timeout=60_000)
