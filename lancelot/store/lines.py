"""One line of the journal and the files it lies in.

A line is `{"n":7,"prev":"<SHA-256 of line 6>","r":{…}}`: its number, the hash of the line before, the record. Lines lie
in numbered segments, NNNN.jsonl while open and NNNN.parquet once sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Line", "Segment", "join_line", "line_hash", "read_lines", "segments", "split_line"]

OPENING = b'{"n":'
PREVIOUS = b',"prev":"'
RECORD = b'","r":'


class Line(NamedTuple):
    """One line: its number, the hash it carries of the line before, the record's JSON and the line's own hash."""

    n: int
    prev: str
    payload: bytes
    hash: str


class Segment(NamedTuple):
    """One numbered piece of the journal; `path` is its Parquet file when it is sealed, else its JSON lines."""

    number: int
    path: Path
    sealed: bool


def join_line(n: int, prev: str, payload: bytes) -> bytes:
    """The line's bytes, without the newline."""
    return b'{"n":%d,"prev":"%s","r":%s}' % (n, prev.encode(), payload)


def line_hash(line: bytes) -> str:
    """SHA-256 of a line's bytes, in hex."""
    return hashlib.sha256(line).hexdigest()


def split_line(line: bytes) -> Line | None:
    """The parts of a line, or None when it is not one (torn, overwritten, not ours)."""
    number, found, rest = line.removeprefix(OPENING).partition(PREVIOUS)
    prev, record_found, payload = rest.partition(RECORD)
    if not (line.startswith(OPENING) and found and record_found and number.isdigit() and payload.endswith(b"}")):
        return None
    if len(prev) != 64 or not prev.isalnum() or not payload.startswith(b"{"):
        return None
    return Line(int(number), prev.decode("ascii"), payload[:-1], line_hash(line))


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of every line of an open segment that ends in a newline; a torn last line is left out."""
    offset = 0
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            yield offset, raw[:-1]
            offset += len(raw)


def last_line(path: Path) -> tuple[Line | None, int]:
    """The last readable line of an open segment and the offset just after it.

    Anything behind that offset is what a kill or a power cut left of lines nobody was told were written.
    """
    last, end = None, 0
    for offset, raw in read_lines(path):
        line = split_line(raw)
        if line is not None:
            last, end = line, offset + len(raw) + 1
    return last, end


def segments(folder: Path) -> list[Segment]:
    """All segments in order; where both forms exist (just sealed), the sealed one counts."""
    found: dict[int, Segment] = {}
    for path in folder.glob("*.jsonl"):
        if path.stem.isdigit():
            found[int(path.stem)] = Segment(int(path.stem), path, False)
    for path in folder.glob("*.parquet"):
        if path.stem.isdigit() and int(path.stem) > 0:
            found[int(path.stem)] = Segment(int(path.stem), path, True)
    return [found[number] for number in sorted(found)]


def open_path(folder: Path, number: int) -> Path:
    """Where segment `number` lies while it is open."""
    return folder / f"{number:04d}.jsonl"


def sealed_path(folder: Path, number: int) -> Path:
    """Where segment `number` lies once it is sealed."""
    return folder / f"{number:04d}.parquet"
