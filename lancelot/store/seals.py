"""What each sealed file looked like when it was written: its SHA-256, signed, a line a file in `data/journal.seals`.

The chain proves every line; these notes prove the rest of a Parquet file as well (statistics, padding, footer), so that
any changed byte is found, and found by hashing files, without putting their lines together again. A note is written
before its file appears: after a kill there may be a note too many, never one too few.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson

from lancelot.files import read_or_none, write_atomic
from lancelot.store.signing import Signer

__all__ = ["Seals", "file_sha256", "note_seal", "seals_path"]


class Seals:
    """The notes of one data folder, as they were when read.

    Attributes:
        intact: whether every note was signed by this installation and not changed since.
    """

    def __init__(self, data_dir: Path) -> None:
        signer = Signer(data_dir)
        self.intact = True
        self._found: dict[str, set[str]] = {}
        for line in (read_or_none(seals_path(data_dir)) or b"").splitlines():
            try:
                fields = orjson.loads(line)
                name, sha256 = str(fields["file"]), str(fields["sha256"])
            except (ValueError, KeyError, TypeError):
                self.intact = False
                continue
            if signer.holds(fields):
                self._found.setdefault(name, set()).add(sha256)
            else:
                self.intact = False

    def of(self, name: str) -> set[str]:
        """The hashes this file may have: more than one where it was written anew, by a prune or after a kill."""
        return self._found.get(name, set())


def note_seal(data_dir: Path, name: str, sha256: str) -> None:
    """Note what the sealed file `name` looks like; durable when this returns.

    Raises:
        StoreError, DiskFull: it is not noted.
    """
    path = seals_path(data_dir)
    signed = Signer(data_dir).sign({"file": name, "sha256": sha256})
    write_atomic(path, (read_or_none(path) or b"") + orjson.dumps(signed) + b"\n")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seals_path(data_dir: Path) -> Path:
    """Where the notes lie."""
    return data_dir / "journal.seals"
