"""Opening a journal after whatever happened: find the newest line, cut off what a kill left unfinished.

A torn tail is nothing anybody was told was written; it is moved aside and told as an event, never as an error. Lines
the head outside knows and the journal no longer has are another matter: they are named, and their numbers are not used
again, so that the gap can never be talked away. A newest line that is not the one the head outside knows is named too,
and the chain goes on from the hash that was once written, so that a restart does not make the change look right.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from lancelot.store.head import EMPTY, Head
from lancelot.store.lines import last_line, read_lines, segments, split_line
from lancelot.store.segments import sealed_head

__all__ = ["Opened", "Recovery", "recover"]


class Recovery(NamedTuple):
    """What opening the journal found and did.

    Attributes:
        torn_bytes: bytes of unfinished lines cut off (0 on a clean start); kept beside the journal in `torn_copy`.
        lost: numbers (first, last) of lines that were written once, as the head kept outside says, and are gone.
        changed: number of the line that is not what the head kept outside says it was.
        no_head: there are lines, but no head outside to compare them with.
    """

    torn_bytes: int = 0
    torn_copy: Path | None = None
    lost: tuple[int, int] | None = None
    changed: int | None = None
    no_head: bool = False


class Opened(NamedTuple):
    """Where the journal goes on: its head, and the open segment's number, bytes and lines."""

    head: Head
    number: int
    size: int
    lines: int
    recovery: Recovery


def recover(folder: Path, outside: Head | None) -> Opened:
    """Look at the journal in `folder` and make its tail clean.

    Args:
        outside: the head kept outside; None when there is none.
    """
    opened = _by_its_own_files(folder)
    own, found = opened.head, opened.recovery
    if outside is None:
        return opened._replace(recovery=found._replace(no_head=own.n > 0))
    if outside.n > own.n:
        return opened._replace(head=outside, recovery=found._replace(lost=(own.n + 1, outside.n)))
    if outside.n == own.n:
        if outside.hash == own.hash:
            return opened
        return opened._replace(head=outside, recovery=found._replace(changed=own.n))
    # after a power cut the head is behind; what it knows must still be there
    if _hash_of(folder, outside.n) not in (None, outside.hash):
        return opened._replace(recovery=found._replace(changed=outside.n))
    return opened


def _hash_of(folder: Path, n: int) -> str | None:
    """The hash of a line in the open segments; None when it is not there."""
    for segment in segments(folder):
        if not segment.sealed:
            for _, raw in read_lines(segment.path):
                line = split_line(raw)
                if line is not None and line.n == n:
                    return line.hash
    return None


def _by_its_own_files(folder: Path) -> Opened:
    number, size, torn = 0, 0, Recovery()
    for segment in reversed(segments(folder)):
        if segment.sealed:
            return Opened(sealed_head(segment.path), number or segment.number + 1, size, 0, torn)
        line, end = last_line(segment.path)
        if not number:  # the newest one: the only one that may end in the middle of a line
            number, size = segment.number, end
            torn = _cut(segment.path, end)
        if line is not None:
            count = sum(1 for _ in read_lines(segment.path)) if segment.number == number else 0
            return Opened(Head(line.n, line.hash), number, size, count, torn)
    return Opened(EMPTY, number or 1, size, 0, torn)


def _cut(path: Path, end: int) -> Recovery:
    content = path.read_bytes()[end:]
    if not content:
        return Recovery()
    copy = path.with_name(f"{path.stem}.torn-{time.time_ns()}")
    copy.write_bytes(content)
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Recovery(len(content), copy)
