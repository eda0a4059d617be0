"""Disks that are full or may not be written: on a small file system of their own, where this process may mount one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lancelot.errors import DiskFull, StoreError
from lancelot.onboarding.snapshot import OnboardingSnapshot
from lancelot.onboarding.snapshot_store import SnapshotStore
from lancelot.onboarding.states import State
from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Receipt
from tests.faults.world import Section, World, told_in_words
from tests.onboarding.fakes import FakeClock
from tests.weights import installed_weights

__all__ = ["disks"]


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path | None]:
    """A tmpfs of that size; None where mounting is not allowed."""
    with tempfile.TemporaryDirectory(prefix="drill-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], capture_output=True, check=False)


def disks(world: World, number: int = 0) -> Section:
    section = Section("disks", "Full and read-only disks", ("what is written", "what happened", "good"))
    for name, trial in (
        ("receipts, disk full", full_receipts),
        ("snapshot, disk full", full_snapshot),
        ("weights, disk full", full_weights),
        ("anything, read-only data folder", read_only),
    ):
        with small_disk(24) as disk:
            if disk is None:
                section.rows.append((name, "not tried: this machine allows no mount", "-"))
                continue
            good, words = trial(world, disk)
            section.add(good, name, words)
    return section


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def full_receipts(world: World, disk: Path) -> tuple[bool, str]:
    store = ReceiptStore(disk / "data")
    kept = [store.write(Receipt(request_id=f"r{number}")).id for number in range(50)]
    ballast, refused = fill(disk), None
    for number in range(5000):
        try:
            kept.append(store.write(Receipt(request_id=f"full{number}", reasons=["x" * 200])).id)
        except StoreError as problem:
            refused = problem
            break
    ballast.unlink()
    kept.append(store.write(Receipt(request_id="after")).id)
    store.close()
    store = ReceiptStore(disk / "data")
    store.flush(60)
    there = {name for (name,) in store.database.query("SELECT id FROM receipts")}
    whole = store.verify(full=True).ok
    store.close()
    lost = set(kept) - there
    good = isinstance(refused, DiskFull) and not lost and whole
    return good, f"refused as {refused.code if refused else 'nothing'}; {len(kept)} acknowledged, {len(lost)} lost"


def full_snapshot(world: World, disk: Path) -> tuple[bool, str]:
    keeper = SnapshotStore(disk / "onboarding", clock=FakeClock())
    before = keeper.save(OnboardingSnapshot())
    ballast, said = fill(disk), "nothing"
    try:
        keeper.save(before.changed(state=State.FLAGSHIP_SELECTION))
    except StoreError as problem:
        said = problem.code
    same = keeper.load().snapshot == before
    ballast.unlink()
    after = keeper.save(before.changed(state=State.FLAGSHIP_SELECTION))
    good = said == "disk_full" and same and keeper.load().snapshot == after
    return good, f"refused as {said}; the old state stayed, and the next save went through"


def full_weights(world: World, disk: Path) -> tuple[bool, str]:
    folder = disk / "data"
    (folder / "models").mkdir(parents=True)
    source = installed_weights()
    done = world.lancelot(folder, "model", "install", "--yes")
    left = [path.name for path in folder.rglob("*.gguf")]
    return told_in_words(
        done
    ) and not left, f"{done.stderr.strip().splitlines()[-1][:100]}; {source.stat().st_size / 1e6:.0f} MB wanted"


def read_only(world: World, disk: Path) -> tuple[bool, str]:
    folder = disk / "data"
    folder.mkdir()
    world.lancelot(folder, "status")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True, check=True)
    done = world.lancelot(folder, "serve", "--port", "1")
    return told_in_words(done), done.stderr.strip()[:110]
