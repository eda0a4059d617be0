"""Two signed notes beside the journal: how far it has been verified, and how far it has been pruned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lancelot.files import read_or_none, write_atomic
from lancelot.store.head import EMPTY, Head
from lancelot.store.signing import Signer

__all__ = ["Tombstone", "read_checkpoint", "read_tombstones", "write_checkpoint", "write_tombstone"]


class Tombstone(NamedTuple):
    """What stands where lines were pruned: the last of them (`head`), and everything that was signed."""

    head: Head
    fields: dict[str, Any]
    holds: bool


def write_checkpoint(data_dir: Path, head: Head, at: str) -> None:
    """Remember that the chain holds up to `head`."""
    fields = Signer(data_dir).sign({"n": head.n, "hash": head.hash, "at": at})
    write_atomic(_checkpoint_path(data_dir), orjson.dumps(fields))


def read_checkpoint(data_dir: Path) -> Head:
    """How far the chain was verified; the very beginning when nobody did, or when the note is not ours."""
    fields = _read(_checkpoint_path(data_dir))
    if not fields or not Signer(data_dir).holds(fields):
        return EMPTY
    return Head(int(fields["n"]), str(fields["hash"]))


def write_tombstone(data_dir: Path, head: Head, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Note that lines up to `head` have been pruned; the notes before stay. Returns what was signed."""
    path = _tombstone_path(data_dir)
    signed = Signer(data_dir).sign({"pruned_through": head.n, "hash": head.hash, **facts})
    write_atomic(path, (read_or_none(path) or b"") + orjson.dumps(signed) + b"\n")
    return signed


def read_tombstones(data_dir: Path) -> list[Tombstone]:
    """All notes of pruning, oldest first, each with whether its signature holds."""
    signer = Signer(data_dir)
    found = []
    for line in (read_or_none(_tombstone_path(data_dir)) or b"").splitlines():
        try:
            fields = orjson.loads(line)
            head = Head(int(fields["pruned_through"]), str(fields["hash"]))
        except (ValueError, KeyError, TypeError):
            found.append(Tombstone(EMPTY, {}, False))
            continue
        found.append(Tombstone(head, fields, signer.holds(fields)))
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(read_or_none(path) or b"null")
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _checkpoint_path(data_dir: Path) -> Path:
    return data_dir / "journal.checkpoint"


def _tombstone_path(data_dir: Path) -> Path:
    return data_dir / "journal.tombstones"
