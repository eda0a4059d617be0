"""Durable files for the weights: small atomic writes, the last step of a large one, SHA-256 of what lies on disk.

The small twin of the console's own module, because the local model can be installed and run without the console.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["Disk", "publish", "sha256_of", "write_atomic"]

BLOCK = 1 << 20


class Disk:
    """The operations durability is made of. The real one; tests hand in their own and read the order."""

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def chmod(self, path: Path, mode: int) -> None:
        path.chmod(mode)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def fsync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomic(path: Path, content: bytes, *, mode: int = 0o600, disk: Disk | None = None) -> None:
    """Replace path by content: temporary file beside it, fsync, rename, fsync of the folder.

    Raises:
        OSError: the folder cannot be written; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        publish(temporary, path, mode=mode, disk=disk)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def publish(source: Path, target: Path, *, mode: int = 0o444, disk: Disk | None = None) -> None:
    """Make a finished file visible under its name: mode, fsync, rename, fsync of the folder; read-only by default."""
    disk = disk or Disk()
    disk.chmod(source, mode)
    descriptor = os.open(source, os.O_RDONLY)
    try:
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)
    disk.rename(source, target)
    disk.fsync_folder(target.parent)


def sha256_of(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of the whole file, lower-case hexadecimal; `progress` is told the bytes read so far."""
    digest = hashlib.sha256()
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    done = 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            done += count
            if progress is not None:
                progress(done)
    return digest.hexdigest()
