"""The snapshot on disk: atomic saves, a ring of five older copies, and recovery that never silently starts over.

data/onboarding/onboarding.json        the snapshot
data/onboarding/onboarding.json.1 … .5 older copies, newest first
data/onboarding/guards.json            the counters once more, written first: restoring an older snapshot cannot
                                       give back spent attempts
data/onboarding/onboarding.json.bad-…  what could not be read, kept for a person to look at
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from lancelot.errors import Conflict, LancelotError, StoreError
from lancelot.files import Disk, keep_copies, read_or_none, write_atomic
from lancelot.onboarding.clocks import Clock, moment
from lancelot.onboarding.cooldown import Guards
from lancelot.onboarding.snapshot import VERSION, OnboardingSnapshot

__all__ = ["COPIES", "Loaded", "SnapshotStore"]

COPIES = 5
LOCK_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A snapshot read from disk and, when it is not simply the newest one, what happened in plain words. `heal`: the
    second copy of the counters is missing or damaged, so one more save is due."""

    snapshot: OnboardingSnapshot
    notice_code: str | None = None
    notice: str | None = None
    heal: bool = False


@dataclass(frozen=True, slots=True)
class _Unreadable:
    reason: str
    newer: bool = False


class SnapshotStore:
    """Reads and writes one folder's snapshot. Safe for several processes: each change is made under a file lock, on
    what is really on disk.

    Args:
        folder: data/onboarding.
        clock: stamps each save.
        disk: the file operations; tests hand in their own.
        patience_s: how long to wait for another process, in seconds.
    """

    def __init__(
        self, folder: Path, *, clock: Clock, disk: Disk | None = None, patience_s: float = LOCK_WAIT_S
    ) -> None:
        self.folder = folder
        self.path = folder / "onboarding.json"
        self.guards_path = folder / "guards.json"
        self._clock = clock
        self._disk = disk or Disk()
        self._patience_s = patience_s

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock; entering again inside is free.

        Raises:
            Conflict: another process held it for 10 seconds.
            StoreError: the folder cannot be written.
        """
        lock = self._lock()
        try:
            yield
        finally:
            lock.release()

    def _lock(self) -> FileLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "onboarding.lock", is_singleton=True)
            lock.acquire(timeout=self._patience_s)
        except Timeout as held:
            raise Conflict(
                "Another Lancelot process is changing the set-up right now.",
                hint="Wait a moment and try again.",
                code="onboarding_busy",
            ) from held
        except OSError as problem:
            raise StoreError(
                f"The folder {self.folder.name} in the data folder cannot be written: {problem.strerror or problem}.",
                hint="Make the data folder writable for the user that runs Lancelot; nothing has been lost.",
                code="data_folder_read_only",
            ) from problem
        return lock

    def save(self, record: OnboardingSnapshot) -> OnboardingSnapshot:
        """The record with its new revision, durable on disk when this returns.

        Raises:
            DiskFull, StoreError: nothing was changed that a later `load` would not sort out.
        """
        fresh = record.changed(revision=record.revision + 1, saved=moment(self._clock))
        with self.locked():
            self._save_guards(fresh.guards)
            keep_copies(self.path, COPIES, disk=self._disk)
            write_atomic(self.path, _bytes(fresh), disk=self._disk)
        return fresh

    def save_guards(self, record: OnboardingSnapshot) -> OnboardingSnapshot:
        """Like `save` for a heartbeat: no copy is pushed into the ring."""
        fresh = record.changed(revision=record.revision + 1, saved=moment(self._clock))
        with self.locked():
            self._save_guards(fresh.guards)
            write_atomic(self.path, _bytes(fresh), disk=self._disk)
        return fresh

    def _save_guards(self, guards: Guards) -> None:
        stored = self._read_guards()
        if stored is None or stored.epoch < guards.epoch:
            write_atomic(self.guards_path, guards.model_dump_json().encode(), disk=self._disk)

    def revision_on_disk(self) -> int | None:
        """The revision of the newest snapshot on disk, or None when it is missing or unreadable."""
        found = self._read(self.path)
        return found.revision if isinstance(found, OnboardingSnapshot) else None

    def load(self) -> Loaded:
        """The newest good snapshot, with the newest counters. A bad file is set aside, never deleted.

        Raises:
            StoreError: the file is there but may not be read; the hint says what to do.
        """
        newest = self._read(self.path)
        copies = [self._read(path) for path in self.copies()]
        good = [found for found in copies if isinstance(found, OnboardingSnapshot)]
        if isinstance(newest, OnboardingSnapshot):
            known = self._with_newest_guards(newest, good)
            stored = self._read_guards()
            return Loaded(known, heal=stored is None or stored.epoch < known.guards.epoch or known != newest)
        if newest is None and not good and not any(copies):
            return Loaded(self._with_newest_guards(OnboardingSnapshot(), []))
        return self._recovered(newest, good)

    def _recovered(self, newest: _Unreadable | None, good: list[OnboardingSnapshot]) -> Loaded:
        aside = self._set_aside(newest) if newest else None
        what = f"The set-up record {newest.reason}" if newest else "The set-up record is missing"
        kept = f"; it is kept as {aside}" if aside else ""
        advice = " Update Lancelot to go on with it." if newest and newest.newer else ""
        if good:
            text = f"{what}{kept}. The last good copy is in use, so the last step may ask again.{advice}"
            return Loaded(self._with_newest_guards(good[0], good), "snapshot_recovered", text)
        text = (
            f"{what}{kept}, and no older copy is good. The questions start again; stored keys, the verified model and "
            f"all receipts are untouched and will be found again.{advice}"
        )
        return Loaded(self._with_newest_guards(OnboardingSnapshot(), []), "snapshot_lost", text)

    def copies(self) -> list[Path]:
        """The ring's files, newest first, those that exist."""
        ring = (self.path.with_name(f"{self.path.name}.{number}") for number in range(1, COPIES + 1))
        return [path for path in ring if path.exists()]

    def older(self) -> list[OnboardingSnapshot]:
        """The ring's good copies, newest first."""
        found = (self._read(path) for path in self.copies())
        return [snapshot for snapshot in found if isinstance(snapshot, OnboardingSnapshot)]

    def _read(self, path: Path) -> OnboardingSnapshot | _Unreadable | None:
        try:
            content = read_or_none(path)
        except OSError as problem:
            raise StoreError(
                f"{path.name} is there but cannot be read: {problem.strerror or problem}.",
                hint=f"Give the user that runs Lancelot the right to read {path.parent.name}/{path.name}.",
                code="snapshot_unreadable",
            ) from problem
        if content is None:
            return None
        try:
            body = json.loads(content)
            version = body.get("version")
        except (ValueError, AttributeError, RecursionError):
            return _Unreadable("is damaged or cut off")
        if isinstance(version, int) and version > VERSION:
            return _Unreadable(f"was written by a newer Lancelot (format {version}, this one knows {VERSION})", True)
        try:
            return OnboardingSnapshot.model_validate(body)
        except ValidationError:
            return _Unreadable("holds fields or values this Lancelot does not know")

    def _set_aside(self, bad: _Unreadable) -> str | None:
        kind = "newer" if bad.newer else "bad"
        for number in range(1, 1000):
            target = self.path.with_name(f"{self.path.name}.{kind}-{number}")
            if not target.exists():
                try:
                    with self.locked():
                        self._disk.rename(self.path, target)
                except (OSError, LancelotError):
                    return None  # read-only folder: it stays where it is, and the notice still says so
                return target.name
        return None

    def _read_guards(self) -> Guards | None:
        try:
            content = read_or_none(self.guards_path)
            return None if content is None else Guards.model_validate_json(content)
        except (OSError, ValidationError):
            return None

    def _with_newest_guards(self, snapshot: OnboardingSnapshot, others: list[OnboardingSnapshot]) -> OnboardingSnapshot:
        candidates = [snapshot.guards, *(other.guards for other in others)]
        stored = self._read_guards()
        if stored is not None:
            candidates.append(stored)
        return snapshot.changed(guards=max(candidates, key=lambda guards: guards.epoch))

    def clean_leftovers(self) -> None:
        """Remove temporary files of writes that were killed half-way."""
        if self.folder.is_dir():
            with self.locked():
                for leftover in self.folder.glob(".*.tmp"):
                    self._disk.unlink(leftover)


def _bytes(snapshot: OnboardingSnapshot) -> bytes:
    return snapshot.model_dump_json(indent=1).encode()
