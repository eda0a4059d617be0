"""Files that survive a power cut: atomic writes, folder fsync, rings of older copies, one lock.

Every file operation that matters goes through a `Disk`, so that a test can record the calls in order and a drill can
kill the process between any two of them.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

from lancelot.errors import Conflict, DiskFull, StoreError

__all__ = [
    "Disk",
    "FolderLock",
    "as_store_error",
    "keep_copies",
    "lock_folder",
    "lock_holder",
    "open_private",
    "read_or_none",
    "write_atomic",
]


class Disk:
    """The few operations a durable write is made of. The real one; tests hand in their own."""

    def write(self, path: Path, content: bytes, mode: int) -> int:
        """Create path (which must not exist or is overwritten) with content; returns the open descriptor."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fchmod(descriptor, mode)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def fsync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes, *, mode: int = 0o600, disk: Disk | None = None) -> None:
    """Replace path by content: temporary file beside it, fsync, rename, fsync of the folder.

    A reader sees the old bytes or the new ones, never a mixture, also after kill -9 or a power cut.

    Raises:
        DiskFull: no space is left; the old file is untouched.
        StoreError: the folder cannot be written (read-only, permissions).
    """
    disk = disk or Disk()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = disk.write(temporary, content, mode)
        try:
            disk.fsync(descriptor)
        finally:
            disk.close(descriptor)
        disk.rename(temporary, path)
        disk.fsync_folder(path.parent)
    except OSError as problem:
        _drop_quietly(disk, temporary)
        raise as_store_error(problem, path) from problem


def _drop_quietly(disk: Disk, path: Path) -> None:
    try:
        disk.unlink(path)
    except OSError:
        return  # the write already failed; the next write overwrites the leftover


def as_store_error(problem: OSError, path: Path) -> StoreError:
    """The person-facing error for a failed file operation on path."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull()
    return StoreError(
        f"{path.name} cannot be written: {problem.strerror or 'input/output error'}.",
        hint="Check that the data folder exists and that you may write to it.",
    )


def read_or_none(path: Path) -> bytes | None:
    """The file's bytes, or None when there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def keep_copies(path: Path, keep: int, *, disk: Disk | None = None) -> None:
    """Shift path.1 … path.{keep-1} up by one and copy path to path.1, so that the newest `keep` older versions stay."""
    content = read_or_none(path)
    if content is None:
        return
    disk = disk or Disk()
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            disk.rename(older, path.with_name(f"{path.name}.{number + 1}"))
    write_atomic(path.with_name(f"{path.name}.1"), content, disk=disk)


class FolderLock:
    """A folder's lock, held by one process until released or dead; the file carries a note about the holder."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor: int | None = descriptor
        self.path = path

    def note(self, facts: dict[str, object]) -> None:
        """Replace the note: JSON facts about the holder (pid, address) that others read without the lock."""
        assert self._descriptor is not None, "the lock is released"
        content = json.dumps({"pid": os.getpid()} | facts).encode()
        os.pwrite(self._descriptor, content.ljust(256), 0)
        os.ftruncate(self._descriptor, max(256, len(content)))

    def release(self) -> None:
        """Give the lock back; harmless when repeated."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def lock_folder(folder: Path, name: str = "lancelot.lock", *, timeout: float = 0.0) -> FolderLock:
    """Take the folder's lock for this process; `release()` gives it back. The kernel frees it when the process dies.

    Args:
        timeout: seconds to wait for another holder.

    Raises:
        Conflict: another process holds it.
        StoreError: the folder cannot be written.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise as_store_error(problem, path) from problem
    until = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(0.02)
                continue
            os.close(descriptor)
            raise Conflict(
                "Another Lancelot process uses this data folder.",
                code="data_folder_in_use",
                hint="Use the running console, or stop it first.",
            ) from None
        lock = FolderLock(descriptor, path)
        lock.note({})
        return lock


def lock_holder(folder: Path, name: str = "lancelot.lock") -> dict[str, object] | None:
    """The note of the process that holds the folder's lock; None when nobody does."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            facts = json.loads(os.pread(descriptor, 4096, 0).decode() or "{}")
        except ValueError:
            return {}
        return facts if isinstance(facts, dict) else {}
    else:
        return None
    finally:
        os.close(descriptor)


def open_private(path: Path, mode: str = "ab") -> IO[bytes]:
    """Open path for binary writing with permissions 0600 from the first byte on."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if "a" in mode else os.O_TRUNC)
    return os.fdopen(os.open(path, flags, 0o600), mode)
