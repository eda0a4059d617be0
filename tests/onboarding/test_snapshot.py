"""The snapshot on disk: durable, with copies, and recovered from everything that happens to files."""

from __future__ import annotations

import errno
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from lancelot.errors import Conflict, DiskFull, StoreError
from lancelot.files import Disk
from lancelot.onboarding.cooldown import Guards
from lancelot.onboarding.snapshot import VERSION, OnboardingSnapshot
from lancelot.onboarding.snapshot_store import COPIES, SnapshotStore
from lancelot.onboarding.states import State
from tests.onboarding.fakes import FakeClock, World


class NotingDisk(Disk):
    """Records the calls in order; can refuse to write."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.error: OSError | None = None

    def write(self, path: Path, content: bytes, mode: int) -> int:
        if self.error is not None:
            raise self.error
        self.calls.append("write")
        assert mode == 0o600
        return super().write(path, content, mode)

    def fsync(self, descriptor: int) -> None:
        self.calls.append("fsync")
        super().fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append(f"rename {target.name}")
        super().rename(source, target)

    def fsync_folder(self, folder: Path) -> None:
        self.calls.append("fsync folder")
        super().fsync_folder(folder)


def store(folder: Path, disk: Disk | None = None) -> SnapshotStore:
    return SnapshotStore(folder, clock=FakeClock(), disk=disk)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "onboarding"


def saved(folder: Path, times: int = 3) -> OnboardingSnapshot:
    """A snapshot saved a few times, its state moving on."""
    here, snapshot = store(folder), OnboardingSnapshot()
    for number in range(times):
        guards = Guards(epoch=number + 1, attempts=number)
        snapshot = here.save(snapshot.changed(state=list(State)[number], guards=guards))
    return snapshot


def test_a_fresh_folder_begins_at_welcome_and_says_nothing(folder: Path) -> None:
    loaded = store(folder).load()
    assert loaded.snapshot.state is State.WELCOME
    assert loaded.notice is None


def test_what_is_saved_is_read_back(folder: Path) -> None:
    snapshot = saved(folder)
    assert store(folder).load().snapshot == snapshot
    assert snapshot.revision == 3
    assert (folder / "onboarding.json").stat().st_mode & 0o777 == 0o600


def test_a_ring_of_five_older_copies(folder: Path) -> None:
    saved(folder, times=9)
    copies = store(folder).copies()
    assert [path.name for path in copies] == [f"onboarding.json.{number}" for number in range(1, COPIES + 1)]
    assert [json.loads(path.read_text())["revision"] for path in copies] == [8, 7, 6, 5, 4]


def test_every_save_is_file_fsync_rename_folder_fsync(folder: Path) -> None:
    disk = NotingDisk()
    store(folder, disk).save(OnboardingSnapshot(guards=Guards(epoch=1)))
    assert disk.calls == [
        *("write", "fsync", "rename guards.json", "fsync folder"),
        *("write", "fsync", "rename onboarding.json", "fsync folder"),
    ]


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1, "state": "NOWH', b"\x00" * 64, b"[1]", b"null"])
def test_damage_recovers_to_the_last_good_copy_with_the_newest_counters(folder: Path, content: bytes) -> None:
    saved(folder)
    (folder / "onboarding.json").write_bytes(content)
    loaded = store(folder).load()
    assert loaded.notice_code == "snapshot_recovered"
    assert loaded.snapshot.revision == 2
    assert loaded.snapshot.guards.attempts == 2  # the counters of the lost save were kept a second time
    assert (folder / "onboarding.json.bad-1").read_bytes() == content


def test_the_first_copy_damaged_too(folder: Path) -> None:
    saved(folder)
    (folder / "onboarding.json").write_bytes(b"{")
    (folder / "onboarding.json.1").write_bytes(b"{")
    assert store(folder).load().snapshot.revision == 1


def test_a_newer_version_is_set_aside_and_said(folder: Path) -> None:
    saved(folder)
    (folder / "onboarding.json").write_text(json.dumps({"version": VERSION + 6, "anything": 1}))
    loaded = store(folder).load()
    assert loaded.snapshot.revision == 2
    assert "newer Lancelot (format 7" in (loaded.notice or "")
    assert "Update Lancelot" in (loaded.notice or "")
    assert (folder / "onboarding.json.newer-1").exists()


def test_nothing_good_left_never_silently_starts_over(folder: Path) -> None:
    saved(folder, times=1)
    (folder / "onboarding.json").write_bytes(b"rubbish")
    loaded = store(folder).load()
    assert loaded.snapshot.state is State.WELCOME
    assert loaded.notice_code == "snapshot_lost"
    assert "untouched" in (loaded.notice or "")


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EROFS, StoreError), (errno.EACCES, StoreError)]
)
def test_a_disk_that_takes_nothing_leaves_the_old_state(folder: Path, number: int, kind: type[Exception]) -> None:
    snapshot, disk = saved(folder), NotingDisk()
    disk.error = OSError(number, "no")
    with pytest.raises(kind):
        store(folder, disk).save(snapshot.changed(state=State.READY))
    assert store(folder).load().snapshot == snapshot


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as refused:
        store(tmp_path / "file" / "onboarding").save(OnboardingSnapshot())
    assert refused.value.code == "data_folder_read_only"


def test_the_flow_answers_on_a_full_disk_and_goes_on_afterwards(data_folder: Path) -> None:
    disk = NotingDisk()
    world = World(data_folder, disk=disk)
    world.go_to("COMMS_SELECTION")
    disk.error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFull):
        world.flow.submit("COMMS_SELECTION", {"channel": "local"})
    status = world.flow.status()
    assert status["state"] == "COMMS_SELECTION"
    assert status["problem"]["code"] == "disk_full"
    assert world.flow.command("STATUS")["done"]
    disk.error = None
    world.go_to("READY")


def test_a_folder_that_is_in_the_way_leaves_status_working(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    world = World(tmp_path / "data")
    status = world.flow.status()
    assert status["state"] == "WELCOME"
    assert status["problem"]["hint"]
    (tmp_path / "data").unlink()
    world.go_to("READY")


def _hold(folder: str, ready: Any, done: Any) -> None:
    with store(Path(folder)).locked():
        ready.set()
        done.wait(20)


def test_two_processes_take_turns(folder: Path) -> None:
    snapshot = saved(folder)
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(folder), ready, done))
    other.start()
    try:
        assert ready.wait(60)
        impatient = SnapshotStore(folder, clock=FakeClock(), patience_s=0.2)
        with pytest.raises(Conflict) as busy:
            impatient.save(snapshot)
        assert busy.value.code == "onboarding_busy"
    finally:
        done.set()
        other.join(20)
    assert store(folder).save(snapshot).revision == 4


def test_leftovers_of_killed_writes_are_cleaned(folder: Path) -> None:
    saved(folder)
    (folder / ".onboarding.json.99.tmp").write_bytes(b"half")
    store(folder).clean_leftovers()
    assert not list(folder.glob(".*.tmp"))
