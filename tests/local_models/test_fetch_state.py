"""Consent, partial files, parallel starts, a killed download, the command line: what installing leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_models.consent import Consent, read_consent, record_consent
from local_models.errors import ConsentNeeded, NotInstallable
from local_models.fetch_events import to_dict
from local_models.fetch_model import (
    FetchEvent,
    Progress,
    Ready,
    SourceFailed,
    Started,
    Waiting,
    ensure_model,
    main,
    verify_model,
    weights_path,
)
from local_models.files import Disk, publish, sha256_of, write_atomic
from local_models.lockfile import PinnedModel, load_lock
from local_models.partial import Partial
from tests.local_models.fetch_server import CONTENT, Exchange, agreed, make_pin, quick, serving

HALF = len(CONTENT) // 2


def test_nothing_happens_without_consent(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        with pytest.raises(ConsentNeeded):
            ensure_model(pin, tmp_path / "weights", consent=None)
        other = Consent(at=datetime.now(UTC), licence="MIT", source="any", model_id=pin.id)
        with pytest.raises(ConsentNeeded):
            ensure_model(pin, tmp_path / "weights", consent=other)
    assert server.ranges == []
    assert not (tmp_path / "weights").exists()


def test_a_candidate_cannot_be_installed_even_with_consent(tmp_path: Path) -> None:
    candidates = [model for model in load_lock().models if model.candidate]
    assert candidates
    for pin in candidates:
        with pytest.raises(NotInstallable, match="revision"):
            ensure_model(pin, tmp_path, consent=agreed(pin))


def test_consent_is_read_back_as_it_was_given(tmp_path: Path) -> None:
    pin = make_pin("http://127.0.0.1:9/x")
    given = agreed(pin)
    kept = record_consent(given, tmp_path, delivered_by="https example")
    assert read_consent(tmp_path) == kept
    assert (kept.at, kept.source) == (given.at, "https example")
    (tmp_path / "consent.json").write_text("[]")
    assert read_consent(tmp_path) is None


def part_of(folder: Path, pin: PinnedModel) -> Path:
    return folder / pin.id / f".{pin.file}.part"


def leave_half(pin: PinnedModel, folder: Path) -> None:
    """Start a download and walk away in the middle, as a closed process would."""
    events = ensure_model(pin, folder, consent=agreed(pin), settings=quick())
    for event in events:
        if isinstance(event, Progress) and event.done >= HALF:
            break
    events.close()  # type: ignore[attr-defined]


def test_walking_away_keeps_the_partial_and_frees_the_lock(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        leave_half(pin, tmp_path)
        kept = part_of(tmp_path, pin).stat().st_size
        assert kept >= HALF
        events = list(ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()))
    assert isinstance(events[-1], Ready)
    assert server.ranges == [None, f"bytes={kept}-"] or kept == len(CONTENT)


def test_a_corrupt_partial_is_noticed_before_anything_is_asked(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        leave_half(pin, tmp_path)
        part = part_of(tmp_path, pin)
        content = bytearray(part.read_bytes())
        content[1000] ^= 1
        part.write_bytes(bytes(content))
        list(ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()))
    assert verify_model(pin, tmp_path)
    assert server.ranges == [None, None]


def test_bytes_after_the_checkpoint_are_not_trusted(tmp_path: Path) -> None:
    part = Partial(tmp_path / "x.part")
    part.resume()
    part.append(CONTENT[:HALF])
    part.close()
    with (tmp_path / "x.part").open("ab") as file:
        file.write(b"torn write of a power cut")
    again = Partial(tmp_path / "x.part")
    assert again.resume() == HALF
    again.append(CONTENT[HALF:])
    again.close()
    assert (tmp_path / "x.part").read_bytes() == CONTENT


def test_a_partial_with_lost_notes_starts_over(tmp_path: Path) -> None:
    part = Partial(tmp_path / "x.part")
    part.resume()
    part.append(CONTENT[:HALF])
    part.close()
    (tmp_path / "x.part.json").write_text("{")
    assert Partial(tmp_path / "x.part").resume() == 0


def test_a_partial_of_other_bytes_is_restarted_when_the_hash_is_wrong(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        part = Partial(part_of(tmp_path, pin))
        part.path.parent.mkdir(parents=True)
        part.resume()
        part.append(bytes(HALF))  # intact on disk, but never part of this file
        part.close()
        list(ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()))
    assert verify_model(pin, tmp_path)
    assert server.ranges == [f"bytes={HALF}-", None]


def test_parallel_starts_download_once(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(exchange: Exchange) -> None:
        gate.wait(10)
        exchange.honest()

    results: list[list[FetchEvent]] = []

    def start(pin: PinnedModel) -> None:
        events: list[FetchEvent] = []
        for event in ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()):
            events.append(event)
            if isinstance(event, Waiting):
                gate.set()
        results.append(events)

    with serving(slow) as server:
        pin = make_pin(server.url)
        threads = [threading.Thread(target=start, args=(pin,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.ranges) == 1
    assert all(isinstance(events[-1], Ready) for events in results)
    assert sum(any(isinstance(event, Waiting) for event in events) for events in results) == 2


KILLED = """
import sys, json
from pathlib import Path
from local_models.consent import Consent
from local_models.fetch_model import ensure_model
from local_models.lockfile import PinnedModel
pin = PinnedModel.model_validate_json(sys.argv[1])
for event in ensure_model(pin, Path(sys.argv[2]), consent=Consent.given(pin)):
    print(type(event).__name__, flush=True)
"""


def test_a_killed_download_goes_on_at_its_last_checkpoint(tmp_path: Path) -> None:
    content = CONTENT * 4  # three checkpoints of 8 MiB fit in
    release = threading.Event()

    def first_most(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(content), ETag='"v1"')
        exchange.body(content[:20_000_000])
        release.wait(30)
        exchange.cut()

    with serving(first_most, Exchange.honest, content=content) as server:
        pin = make_pin(server.url, content=content)
        command = [sys.executable, "-c", KILLED, pin.model_dump_json(), str(tmp_path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        notes = part_of(tmp_path, pin).with_name(f".{pin.file}.part.json")
        assert child.stdout is not None
        for _ in child.stdout:
            if notes.exists() and json.loads(notes.read_text())["size"] >= 16_000_000:
                break
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        release.set()
        assert not weights_path(pin, tmp_path).exists()
        events = list(ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()))
    assert verify_model(pin, tmp_path)
    resumed = [event.resumed_from for event in events if isinstance(event, Started)]
    assert resumed[0] >= 16_000_000
    assert server.ranges[1] == f"bytes={resumed[0]}-"


class Recording(Disk):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def fsync(self, descriptor: int) -> None:
        self.calls.append("fsync")
        super().fsync(descriptor)

    def chmod(self, path: Path, mode: int) -> None:
        self.calls.append(f"chmod {mode:o}")
        super().chmod(path, mode)

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append("rename")
        super().rename(source, target)

    def fsync_folder(self, folder: Path) -> None:
        self.calls.append("fsync_folder")
        super().fsync_folder(folder)


def test_publishing_is_durable_in_this_order(tmp_path: Path) -> None:
    disk = Recording()
    (tmp_path / "part").write_bytes(b"x")
    publish(tmp_path / "part", tmp_path / "whole", disk=disk)
    assert disk.calls == ["chmod 444", "fsync", "rename", "fsync_folder"]
    disk.calls.clear()
    write_atomic(tmp_path / "small", b"y", disk=disk)
    assert disk.calls == ["chmod 600", "fsync", "rename", "fsync_folder"]
    assert (tmp_path / "small").read_bytes() == b"y"


def test_a_failed_small_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    class Broken(Disk):
        def rename(self, source: Path, target: Path) -> None:
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        write_atomic(tmp_path / "small", b"y", disk=Broken())
    assert list(tmp_path.iterdir()) == []


def test_the_hash_reports_its_progress(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    seen: list[int] = []
    pin = make_pin("http://127.0.0.1:9/x")
    assert sha256_of(tmp_path / "x", seen.append) == pin.sha256
    assert seen[-1] == len(CONTENT)


def test_events_are_json_and_show_no_folder(tmp_path: Path) -> None:
    with serving(lambda e: e.head(404, Content_Length=0), Exchange.honest) as server:
        pin = make_pin(server.url, server.url)
        events = list(ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()))
    shown = [to_dict(event) for event in events]
    assert str(tmp_path) not in json.dumps(shown)
    assert shown[-1] == {"event": "ready", "path": "weights.gguf"}
    failed = next(event for event in events if isinstance(event, SourceFailed))
    assert to_dict(failed)["event"] == "source_failed"


def test_an_address_with_a_password_is_never_shown(tmp_path: Path) -> None:
    pin = make_pin("http://user:hidden@127.0.0.1:9/file?token=hidden")
    with pytest.raises(Exception, match="could not be downloaded") as failed:
        list(ensure_model(pin, tmp_path, consent=agreed(pin), settings=quick()))
    assert "hidden" not in str(failed.value)


def test_the_command_asks_for_consent_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "Apache-2.0" in told.err
    assert "consent_needed" in told.err
    assert os.listdir(tmp_path) == []


def test_the_command_refuses_candidates_and_unknown_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path), "--model", "qwen3-0.6b-q4_k_m", "--yes"]) == 1
    assert "not_installable" in capsys.readouterr().err
    assert main(["--folder", str(tmp_path), "--model", "nothing", "--yes"]) == 1
    assert "unknown_model" in capsys.readouterr().err
