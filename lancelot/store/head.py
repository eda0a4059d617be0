"""The chain's head, kept outside the journal: number and hash of the newest line, so that a cut-off tail is noticed.

Two slots in one small file are written in turn, each with a checksum, without fsync at every line (a kill loses
nothing: the page cache survives it); `sync()` makes them durable and is called about once a second. After a power cut
the head may be a second behind the journal, never ahead of it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from lancelot.files import as_store_error

__all__ = ["EMPTY", "GENESIS", "Head", "HeadFile"]

SLOT = 128  # bytes; well below a disk sector, so a slot is written whole
GENESIS = "0" * 64  # the hash "before" the first line


class Head(NamedTuple):
    """The newest line: its number (the first line is 1; 0 is an empty journal) and its SHA-256 in hex."""

    n: int
    hash: str


EMPTY = Head(0, GENESIS)


class HeadFile:
    """Reads and writes the head at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._turn = 0

    @staticmethod
    def read(path: Path) -> Head | None:
        """The newest intact slot; None when the file is missing or neither slot is intact."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        slots = [_parse(content[start : start + SLOT]) for start in (0, SLOT)]
        return max((slot for slot in slots if slot), key=lambda slot: slot.n, default=None)

    def write(self, head: Head) -> None:
        """Put the head into the slot whose turn it is; durable against a kill, not yet against a power cut."""
        text = f"{head.n} {head.hash}"
        slot = f"{text} {_checksum(text)}\n".encode().ljust(SLOT)
        os.pwrite(self._open(), slot, SLOT * self._turn)
        self._turn = 1 - self._turn

    def sync(self) -> None:
        """Make what was written durable."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Make it durable and let go of the file."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as problem:
                raise as_store_error(problem, self.path) from problem
        return self._descriptor


def _parse(slot: bytes) -> Head | None:
    words = slot.decode("ascii", "replace").split()
    if len(words) != 3 or not words[0].isdigit() or _checksum(f"{words[0]} {words[1]}") != words[2]:
        return None
    return Head(int(words[0]), words[1])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
