"""A download that survives a restart: the bytes so far, and a checkpoint that proves them.

Beside `X.part` lies `X.part.json`: {"size", "sha256", "url_key", "validator"}. Size and hash describe a prefix of the
part; what came after the last checkpoint, or a prefix that no longer has this hash, is thrown away on resume.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Partial"]

CHECKPOINT_EVERY = 8 << 20
BLOCK = 1 << 20


class Partial:
    """An append-only file with a running SHA-256. Not thread-safe; the folder's lock serialises processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes_path = path.with_name(path.name + ".json")
        self.size = 0
        self.url_key: str | None = None
        self.validator: str | None = None
        self._hash = hashlib.sha256()
        self._marked = 0
        self._out: int | None = None

    def resume(self) -> int:
        """Open the part, keep the prefix its checkpoint proves, return how many bytes are here (0: nothing usable)."""
        notes = self._read_notes()
        size = notes.get("size", 0)
        self._out = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if isinstance(size, int) and 0 < size <= os.fstat(self._out).st_size:
            digest = self._hash_prefix(size)
            if digest.hexdigest() == notes.get("sha256"):
                os.ftruncate(self._out, size)
                os.lseek(self._out, 0, os.SEEK_END)
                self._hash, self.size, self._marked = digest, size, size
                self.url_key, self.validator = notes.get("url_key"), notes.get("validator")
                return size
        self.restart()
        return 0

    def restart(self) -> None:
        """Throw away what is here and begin at zero."""
        self.notes_path.unlink(missing_ok=True)
        if self._out is None:
            self._out = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._out, 0)
        os.lseek(self._out, 0, os.SEEK_SET)
        self.size = self._marked = 0
        self.url_key = self.validator = None
        self._hash = hashlib.sha256()

    def append(self, block: bytes | memoryview) -> None:
        """Add bytes and hash them in the same pass.

        Raises:
            OSError: the disk does not take them.
        """
        if self._out is None:
            raise ValueError("resume() comes first")
        view = memoryview(block)
        self._hash.update(view)
        while view:
            written = os.write(self._out, view)
            self.size += written
            view = view[written:]
        if self.size - self._marked >= CHECKPOINT_EVERY:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Note size and hash of what is here, so that a restart can prove it. A crash may lose it, never falsify it."""
        if self.size == self._marked:
            return
        notes = {
            "size": self.size,
            "sha256": self._hash.copy().hexdigest(),
            "url_key": self.url_key,
            "validator": self.validator,
        }
        temporary = self.notes_path.with_name(self.notes_path.name + ".tmp")
        temporary.write_text(json.dumps(notes), encoding="utf-8")
        temporary.replace(self.notes_path)
        self._marked = self.size

    def sha256(self) -> str:
        """SHA-256 of everything appended so far."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Checkpoint and close; the part stays for the next attempt, unless it is empty."""
        if self._out is None:
            return
        try:
            self.checkpoint()
        finally:
            os.close(self._out)
            self._out = None
        if self.size == 0:
            self.discard()

    def discard(self) -> None:
        """Close and remove part and notes."""
        if self._out is not None:
            os.close(self._out)
            self._out = None
        self.path.unlink(missing_ok=True)
        self.notes_path.unlink(missing_ok=True)

    def _hash_prefix(self, size: int) -> hashlib._Hash:
        digest = hashlib.sha256()
        with self.path.open("rb", buffering=0) as file:
            left = size
            while left and (block := file.read(min(BLOCK, left))):
                digest.update(block)
                left -= len(block)
        return digest

    def _read_notes(self) -> dict[str, Any]:
        try:
            notes = json.loads(self.notes_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}
