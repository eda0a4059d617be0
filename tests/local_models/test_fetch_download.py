"""Installing from addresses that truncate, stall, lie, refuse or change: the right bytes arrive, or a clear reason."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local_models.consent import read_consent
from local_models.errors import FetchFailed, NoSpace
from local_models.fetch_model import (
    FetchEvent,
    FetchSettings,
    Progress,
    Ready,
    Replacing,
    Retrying,
    SourceFailed,
    Started,
    Verified,
    ensure_model,
    verify_model,
    weights_path,
)
from local_models.lockfile import FileSource, PinnedModel
from tests.local_models.fetch_server import CONTENT, Exchange, agreed, make_pin, quick, serving, stall

HALF = len(CONTENT) // 2


def install(pin: PinnedModel, folder: Path, settings: FetchSettings | None = None) -> list[FetchEvent]:
    return list(ensure_model(pin, folder, consent=agreed(pin), settings=settings or quick()))


def of(kind: type, events: Sequence[FetchEvent]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def assert_installed(pin: PinnedModel, folder: Path) -> None:
    path = weights_path(pin, folder)
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert verify_model(pin, folder)
    left_over = {one.name for one in path.parent.iterdir()} - {path.name, "consent.json", ".lock"}
    assert not left_over


def test_a_good_server_is_read_once_and_the_file_is_read_only(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert server.ranges == [None]
    assert of(Started, events) == [Started(len(CONTENT), "https 127.0.0.1:" + server.url.split(":")[2].split("/")[0])]
    done = [event.done for event in of(Progress, events)]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    assert all(event.total == len(CONTENT) and event.rate > 0 for event in of(Progress, events))
    assert isinstance(events[-2], Verified)
    assert events[-1] == Ready(weights_path(pin, tmp_path))
    kept = read_consent(tmp_path / pin.id)
    assert kept is not None
    assert (kept.licence, kept.model_id) == ("Apache-2.0", "test-model")
    assert kept.source.startswith("https 127.0.0.1")


def test_a_second_start_downloads_nothing(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
        events = install(pin, tmp_path)
    assert len(server.ranges) == 1
    assert not of(Started, events)
    assert isinstance(events[-1], Ready)


def test_a_truncated_answer_is_continued_where_it_stopped(tmp_path: Path) -> None:
    with serving(lambda e: e.first(HALF), Exchange.honest) as server:
        pin = make_pin(server.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert [event.resumed_from for event in of(Started, events)] == [0, HALF]


def test_a_server_that_keeps_cutting_off_still_delivers(tmp_path: Path) -> None:
    with serving(lambda e: e.first(1_100_000)) as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert len(server.ranges) == 6


def test_a_stalled_server_is_left_after_the_time_limit(tmp_path: Path) -> None:
    with serving(stall(3.0), Exchange.honest) as server:
        pin = make_pin(server.url)
        events = install(pin, tmp_path, quick(timeout_s=0.3))
    assert_installed(pin, tmp_path)
    assert [event.reason for event in of(Retrying, events)] == ["silent for 0.3 s"]


def test_a_server_that_only_drips_is_given_up(tmp_path: Path) -> None:
    dripping = threading.Event()
    now = [0.0]

    def clock() -> float:
        now[0] += 30.0 if dripping.is_set() else 0.0  # half a minute passes between two reads
        return now[0]

    def drip(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(CONTENT))
        dripping.set()
        for at in range(0, 400_000, 100):  # until the client has had enough
            exchange.body(CONTENT[at : at + 100])
            threading.Event().wait(0.001)

    def good(exchange: Exchange) -> None:
        dripping.clear()
        exchange.honest()

    with serving(drip) as slow, serving(good) as server:
        pin = make_pin(slow.url, server.url)
        events = install(pin, tmp_path, quick(clock=clock))
    assert_installed(pin, tmp_path)
    assert of(SourceFailed, events)[0].reason == "is too slow"


@pytest.mark.parametrize("size", [10, len(CONTENT) - 1, len(CONTENT) + 1, 10**12])
def test_a_wrong_length_is_refused_before_a_byte_is_read(tmp_path: Path, size: int) -> None:
    with serving(lambda e: e.head(200, Content_Length=size)) as liar, serving() as good:
        pin = make_pin(liar.url, good.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert of(SourceFailed, events)[0].reason == f"offers {size} bytes instead of {len(CONTENT)}"


def chunked(content: bytes) -> Any:
    def behave(exchange: Exchange) -> None:
        exchange.head(200, Transfer_Encoding="chunked")
        for at in range(0, len(content), 500_000):
            part = content[at : at + 500_000]
            exchange.body(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        exchange.body(b"0\r\n\r\n")

    return behave


def test_an_answer_without_a_length_is_accepted_when_the_bytes_are_right(tmp_path: Path) -> None:
    with serving(chunked(CONTENT)) as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)


def test_an_answer_without_a_length_is_stopped_when_it_runs_over(tmp_path: Path) -> None:
    with serving(chunked(CONTENT + b"more")) as liar, serving() as good:
        pin = make_pin(liar.url, good.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert of(SourceFailed, events)[0].reason == "sends more bytes than it should"
    assert good.ranges == [None]


def test_a_server_that_ignores_range_is_read_from_the_start(tmp_path: Path) -> None:
    def ignorant(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(CONTENT))
        exchange.body(CONTENT)

    with serving(lambda e: e.first(HALF), ignorant) as server:
        pin = make_pin(server.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert [event.resumed_from for event in of(Started, events)] == [0, 0]


def test_a_server_that_sends_another_range_is_started_over(tmp_path: Path) -> None:
    def shifted(exchange: Exchange) -> None:
        total = len(CONTENT)
        exchange.head(206, Content_Length=total - 5, Content_Range=f"bytes 5-{total - 1}/{total}", ETag='"v1"')
        exchange.body(CONTENT[5:])

    with serving(lambda e: e.first(HALF), shifted, Exchange.honest) as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-", None]


def test_416_starts_over(tmp_path: Path) -> None:
    with serving(lambda e: e.first(HALF), lambda e: e.head(416, Content_Length=0), Exchange.honest) as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-", None]


def test_429_is_waited_for_as_long_as_the_server_asks(tmp_path: Path) -> None:
    waits: list[float] = []
    with serving(lambda e: e.head(429, Retry_After=7, Content_Length=0), Exchange.honest) as server:
        pin = make_pin(server.url)
        events = install(pin, tmp_path, quick(sleep=waits.append))
    assert_installed(pin, tmp_path)
    assert waits == [7.0]
    assert of(Retrying, events)[0].reason == "answers 429 and asks to wait 7 s"


def test_503_for_an_hour_goes_to_the_next_mirror(tmp_path: Path) -> None:
    waits: list[float] = []
    with serving(lambda e: e.head(503, Retry_After=3600, Content_Length=0)) as busy, serving() as good:
        pin = make_pin(busy.url, good.url)
        events = install(pin, tmp_path, quick(sleep=waits.append))
    assert_installed(pin, tmp_path)
    assert waits == []
    assert of(SourceFailed, events)[0].reason == "answers 503 and asks to wait 3600 s"


def test_503_without_end_is_tried_a_few_times_with_growing_waits(tmp_path: Path) -> None:
    waits: list[float] = []
    with serving(lambda e: e.head(503, Content_Length=0)) as server:
        pin = make_pin(server.url)
        with pytest.raises(FetchFailed):
            install(pin, tmp_path, quick(sleep=waits.append))
    assert waits == [0.5, 1.0, 2.0]
    assert len(server.ranges) == 4


def test_404_goes_to_the_next_mirror_at_once_and_both_reasons_are_kept(tmp_path: Path) -> None:
    with (
        serving(lambda e: e.head(404, Content_Length=0)) as one,
        serving(lambda e: e.head(403, Content_Length=0)) as two,
    ):
        pin = make_pin(one.url, two.url)
        with pytest.raises(FetchFailed) as failed:
            install(pin, tmp_path)
    assert [source["reason"] for source in failed.value.extra["sources"]] == ["answers 404", "answers 403"]
    assert failed.value.code == "fetch_failed"
    assert not weights_path(pin, tmp_path).exists()


def test_an_unreachable_host_is_a_reason_and_not_a_crash(tmp_path: Path) -> None:
    with serving() as good:
        pin = make_pin("http://weights.invalid/file", good.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert of(SourceFailed, events)[0].source == "https weights.invalid"


def test_a_file_that_changes_midway_is_read_anew(tmp_path: Path) -> None:
    old = bytes(len(CONTENT))

    def old_half(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(old), ETag='"old"')
        exchange.body(old[:HALF])
        exchange.cut()

    with serving(old_half, Exchange.honest) as server:  # honours If-Range: the new file comes whole
        pin = make_pin(server.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)


def test_a_changed_file_is_noticed_although_the_server_ignores_if_range(tmp_path: Path) -> None:
    def old_half(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(CONTENT), ETag='"old"')
        exchange.body(bytes(HALF))
        exchange.cut()

    def new_rest(exchange: Exchange) -> None:
        total = len(CONTENT)
        more = {"Content_Range": f"bytes {exchange.start}-{total - 1}/{total}"} if exchange.start else {}
        exchange.head(206 if more else 200, Content_Length=total - exchange.start, ETag='"new"', **more)
        exchange.body(CONTENT[exchange.start :])

    with serving(old_half, new_rest) as server:
        pin = make_pin(server.url)
        events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert "the file changed since the last attempt; starting over" in [event.reason for event in of(Retrying, events)]


def test_a_changed_file_without_any_validator_is_caught_by_the_hash(tmp_path: Path) -> None:
    def old_half(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(CONTENT))
        exchange.body(bytes(HALF))
        exchange.cut()

    with serving(old_half, lambda e: e.honest(etag=None)) as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-", None]


def test_a_mirror_goes_on_where_another_one_stopped(tmp_path: Path) -> None:
    with serving(lambda e: e.first(HALF), lambda e: e.head(404, Content_Length=0)) as one, serving() as two:
        pin = make_pin(one.url, two.url)
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert two.ranges == [f"bytes={HALF}-"]


def test_the_wrong_file_is_never_published(tmp_path: Path) -> None:
    with serving(content=bytes(len(CONTENT))) as server:
        pin = make_pin(server.url)
        with pytest.raises(FetchFailed, match="SHA-256 differs"):
            install(pin, tmp_path)
    assert not weights_path(pin, tmp_path).exists()
    assert len(server.ranges) == 1  # a whole fresh download with a bad hash is not asked for again


def test_compressed_answers_are_refused(tmp_path: Path) -> None:
    with serving(lambda e: e.head(200, Content_Encoding="gzip", Content_Length=3)) as server:
        pin = make_pin(server.url)
        with pytest.raises(FetchFailed, match="compressed"):
            install(pin, tmp_path)


def test_the_disk_is_checked_before_the_download(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        with pytest.raises(NoSpace) as full:
            install(pin, tmp_path, quick(free_bytes=lambda _folder: len(CONTENT) - 1))
    assert full.value.code == "disk_full"
    assert "MB are free" in full.value.title
    assert not weights_path(pin, tmp_path).exists()


def test_an_unwritable_folder_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    pin = make_pin("http://127.0.0.1:9/none")
    with pytest.raises(Exception, match="folder of the weights cannot be used"):
        install(pin, tmp_path / "file")


def test_a_damaged_installed_file_is_replaced(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        install(pin, tmp_path)
        path = weights_path(pin, tmp_path)
        os.chmod(path, 0o644)
        path.write_bytes(CONTENT[:-1] + b"?")
        assert not verify_model(pin, tmp_path)
        events = install(pin, tmp_path)
    assert of(Replacing, events)
    assert_installed(pin, tmp_path)


def test_a_file_source_is_copied_and_checked(tmp_path: Path) -> None:
    (tmp_path / "import").mkdir()
    (tmp_path / "import" / "weights.gguf").write_bytes(CONTENT)
    pin = make_pin(
        FileSource(kind="file", path="import/missing.gguf"), FileSource(kind="file", path="import/weights.gguf")
    )
    events = install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert of(SourceFailed, events) == [SourceFailed("file missing.gguf", "is not there")]


def test_a_file_source_with_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.gguf").write_bytes(bytes(len(CONTENT)))
    pin = make_pin(FileSource(kind="file", path="weights.gguf"))
    with pytest.raises(FetchFailed, match="SHA-256 differs"):
        install(pin, tmp_path)


def test_the_operators_proxy_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.rsplit("/", 1)[0])
        pin = make_pin("http://weights.invalid/some/file.gguf")
        install(pin, tmp_path)
    assert_installed(pin, tmp_path)
    assert proxy.paths == ["http://weights.invalid/some/file.gguf"]


def test_a_disk_that_fills_up_midway_is_told_as_such(tmp_path: Path) -> None:
    def full(_folder: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with serving() as server, pytest.raises(NoSpace) as told:
        install(make_pin(server.url), tmp_path, quick(free_bytes=full))
    assert told.value.status == 507
