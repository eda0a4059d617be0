"""The journal: append-only JSON lines, each carrying the hash of the one before, durable when `append` returns.

Callers share fsyncs (see `commit`); nobody is told "written" before the fsync. If it fails, everybody in the group is
told so, and the file is cut back to what is durable.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lancelot.errors import StoreError
from lancelot.files import Disk, as_store_error
from lancelot.store.commit import GroupCommit, Ticket
from lancelot.store.head import Head, HeadFile
from lancelot.store.lines import join_line, line_hash, open_path
from lancelot.store.recovery import recover

__all__ = ["Entry", "Journal", "JournalFile"]

SEAL_AT = 10_000  # lines in a segment
HEAD_SYNC_S = 1.0
PROBE_BYTES = 65_536
QUICK_S = 0.0005  # a commit so short costs less than handing it to another thread


class Entry(NamedTuple):
    """A committed line, as `on_commit` receives it: number, record (JSON) and whatever the caller attached."""

    n: int
    payload: bytes
    tag: Any


class JournalFile:
    """The open segment: the few file operations an append is made of. Tests hand in one that fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Journal:
    """The journal in `folder`; one process writes it (the data folder's lock sees to that), any number read it.

    Args:
        folder: made when missing.
        seal_at: lines in a segment before the next one is begun.
        on_commit: called with the entries of each group after their fsync, before anyone is told; must not raise.
        on_full: called with the number of a segment that will not grow any more.
        open_file: makes the open segment's file; the seam for faults.

    `recovery` tells what opening it found.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seal_at: int = SEAL_AT,
        on_commit: Callable[[Sequence[Entry]], None] | None = None,
        on_full: Callable[[int], None] | None = None,
        open_file: Callable[[Path], JournalFile] = JournalFile,
    ) -> None:
        self.folder = folder
        self._seal_at = seal_at
        self._on_commit = on_commit
        self._on_full = on_full
        self._open_file = open_file
        self._group = GroupCommit(self._commit)
        self._broken = False  # the open file may hold more than what is durable
        self._problem: StoreError | None = None
        self._head_synced = 0.0
        self._fsyncs = 0
        self._usual_s = 10 * QUICK_S  # of a commit, newer ones weighing more
        try:
            folder.mkdir(parents=True, exist_ok=True)
            head_path = folder.parent / "journal.head"
            opened = recover(folder, HeadFile.read(head_path))
            self.recovery = opened.recovery
            self._head, self._number, self._size, self._lines = opened.head, opened.number, opened.size, opened.lines
            self._head_file = HeadFile(head_path)
            self._file = open_file(open_path(folder, self._number))
            Disk().fsync_folder(folder)
        except OSError as problem:
            raise as_store_error(problem, folder) from problem
        self._keep_head()

    # ---- state for others

    @property
    def head(self) -> Head:
        """Number and hash of the newest durable line."""
        return self._head

    @property
    def open_segment(self) -> int:
        """The number of the segment that is being written."""
        return self._number

    @property
    def fsyncs(self) -> int:
        """How many times the journal has been fsynced since it was opened (for figures and tests)."""
        return self._fsyncs

    @property
    def quick(self) -> bool:
        """Whether the last dozen commits took less than half a millisecond; one slow one is remembered as long."""
        return self._usual_s < QUICK_S

    @property
    def problem(self) -> StoreError | None:
        """Why the newest group could not be written; None when it could."""
        return self._problem

    def probe(self) -> None:
        """Find out whether a failed journal can be written again; does nothing when the newest group was.

        Raises:
            DiskFull, StoreError: it still cannot.
        """
        if self._problem is None:
            return
        probe = self.folder / ".probe"
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
            probe.unlink()
        except OSError as problem:
            raise as_store_error(problem, self.folder) from problem

    # ---- writing

    def append(self, record: Mapping[str, Any] | bytes, tag: Any = None) -> int:
        """Write one record and return its number; durable when this returns. Safe from any thread.

        Raises:
            DiskFull, StoreError: it is not written, and earlier lines are untouched.
        """
        ticket = Ticket(_payload(record), tag)
        self._group.submit(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.n

    async def append_async(self, record: Mapping[str, Any] | bytes, tag: Any = None) -> int:
        """The same for event loops: other tasks run while the disk works, and callers share one fsync."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._group.submit_async(Ticket(_payload(record), tag, future))
        return await future

    def append_many(self, records: Sequence[bytes], tags: Sequence[Any] | None = None) -> int:
        """Write a backlog with few fsyncs; returns the last number. All durable when this returns.

        Raises:
            DiskFull, StoreError: some are not written; those before the first that failed are.
        """
        tickets = [Ticket(payload, tags[i] if tags else None) for i, payload in enumerate(records)]
        self._group.submit_many(tickets)
        failed = next((ticket.error for ticket in tickets if ticket.error is not None), None)
        if failed is not None:
            raise failed
        return self._head.n

    def rotate(self) -> int:
        """End the open segment, however short, and begin the next; returns the number of the one that was ended.

        An empty open segment stays.
        """
        with self._group.paused():
            ended = self._number
            if self._lines:
                self._next_segment()
        return ended

    def close(self) -> None:
        """Commit what is waiting and let go of the files. Safe to call twice."""
        if self._group.close():
            self._file.close()
            self._head_file.close()

    # ---- committing: one group at a time, never two at once

    def _commit(self, batch: Sequence[Ticket]) -> None:
        """Write and fsync one group, beginning a new segment where the open one is full."""
        start = 0
        while start < len(batch):
            room = max(1, self._seal_at - self._lines)
            part = batch[start : start + room]
            try:
                self._write_group(part)
            except OSError as problem:
                self._fail(part, as_store_error(problem, self._file.path))
            except Exception as problem:  # noqa: BLE001 - thread boundary: callers wait for an answer
                self._fail(part, StoreError(f"The journal failed: {type(problem).__name__}."))
            start += len(part)

    def _write_group(self, part: Sequence[Ticket]) -> None:
        if self._broken:
            self._reopen()
        lines = []
        n, hash_ = self._head
        for ticket in part:
            n += 1
            line = join_line(n, hash_, ticket.payload)
            hash_ = line_hash(line)
            ticket.n = n
            lines.append(line)
        lines.append(b"")
        content = b"\n".join(lines)
        self._broken = True  # until the group is durable
        began = time.perf_counter()
        self._file.write(content)
        self._file.sync()
        self._usual_s += (time.perf_counter() - began - self._usual_s) / 4
        self._fsyncs += 1
        self._broken = False
        self._problem = None
        self._size += len(content)
        self._lines += len(part)
        self._head = Head(n, hash_)
        self._keep_head()
        if self._on_commit is not None:
            self._on_commit([Entry(ticket.n, ticket.payload, ticket.tag) for ticket in part])
        if self._lines >= self._seal_at:
            self._next_segment()

    def _keep_head(self) -> None:
        """The head outside is a witness, not the record: when it cannot be written, the line still stands."""
        try:
            self._head_file.write(self._head)
            now = time.monotonic()
            if now - self._head_synced >= HEAD_SYNC_S:
                self._head_synced = now
                self._head_file.sync()
        except (OSError, StoreError):
            self._head_synced = 0.0  # try again with the next group

    def _fail(self, part: Sequence[Ticket], error: StoreError) -> None:
        self._problem = error
        for ticket in part:
            ticket.error = error
        try:
            self._file.truncate(self._size)  # no half-written line stays behind
        except OSError:
            return  # still marked broken: the next group reopens and cuts before it writes
        # a failed fsync may have dropped pages: the next group starts from a fresh descriptor

    def _reopen(self) -> None:
        self._file.close()
        self._file = self._open_file(self._file.path)
        self._file.truncate(self._size)
        self._file.sync()

    def _next_segment(self) -> None:
        """Begin the next segment; when that fails the open one simply grows on, and the next group tries again."""
        try:
            fresh = self._open_file(open_path(self.folder, self._number + 1))
            Disk().fsync_folder(self.folder)
        except OSError:
            return
        self._file.close()
        full, self._number = self._number, self._number + 1
        self._file, self._size, self._lines = fresh, 0, 0
        if self._on_full is not None:
            self._on_full(full)


def _payload(record: Mapping[str, Any] | bytes) -> bytes:
    return record if isinstance(record, bytes) else orjson.dumps(record, default=str)
