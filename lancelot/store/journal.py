"""The journal: append-only JSON lines, each carrying the hash of the one before, durable when `append` returns.

Group commit: whoever finds the journal idle writes and fsyncs at once, alone, in its own thread; what arrives
meanwhile, from threads and from event loops, is committed together by one committer thread with one fsync. Nobody is
told "written" before that fsync; if it fails, everybody in the group is told so and the file is cut back.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lancelot.errors import StoreError
from lancelot.files import Disk, as_store_error
from lancelot.store.head import EMPTY, Head, HeadFile
from lancelot.store.lines import (
    join_line,
    last_line,
    line_hash,
    newest,
    open_path,
    read_lines,
    segments,
)
from lancelot.store.segments import sealed_head

__all__ = ["Entry", "Journal", "JournalFile", "Recovery"]

SEAL_AT = 10_000  # lines in a segment
HEAD_SYNC_S = 1.0
GROUP_LIMIT = 2_000  # lines in one write
PROBE_BYTES = 65_536


class Entry(NamedTuple):
    """A committed line, as `on_commit` receives it: number, record (JSON) and whatever the caller attached."""

    n: int
    payload: bytes
    tag: Any


class Recovery(NamedTuple):
    """What opening the journal found and did.

    Attributes:
        torn_bytes: bytes of unfinished lines cut off (0 on a clean start); kept beside the journal in `torn_copy`.
        lost: numbers (first, last) of lines that were written once, as the head kept outside says, and are gone.
    """

    torn_bytes: int = 0
    torn_copy: Path | None = None
    lost: tuple[int, int] | None = None


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


class _Ticket:
    """One record on its way: who waits for it, and how it went."""

    __slots__ = ("error", "future", "lock", "n", "payload", "tag")

    def __init__(self, payload: bytes, tag: Any, future: asyncio.Future[int] | None = None) -> None:
        self.payload = payload
        self.tag = tag
        self.future = future
        self.n = 0
        self.error: StoreError | None = None
        self.lock = _thread.allocate_lock()

    def settle(self) -> None:
        """In the event loop: pass the result to the awaiting task, unless that has been cancelled."""
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.n)


class Journal:
    """The journal in `folder`; one process writes it (the data folder's lock sees to that), any number read it.

    Args:
        folder: made when missing.
        seal_at: lines in a segment before the next one is begun.
        on_commit: called with the entries of each group after their fsync, before anyone is told; must not raise.
        on_full: called with the number of a segment that will not grow any more.
        open_file: makes the open segment's file; the seam for faults.
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
        self._mutex = threading.Lock()
        self._work = threading.Condition(self._mutex)
        self._queue: list[_Ticket] = []
        self._busy = False  # somebody is committing; the queue is theirs to empty
        self._handed_over = False  # … and that is the committer thread
        self._broken = False  # the open file may hold more than what is durable
        self._closing = False
        self._committer: threading.Thread | None = None
        self._head_synced = 0.0
        self._head = EMPTY
        self._number, self._size, self._lines = 1, 0, 0  # the open segment's number, bytes and lines
        self._file: JournalFile
        self._fsyncs = 0
        self._problem: StoreError | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.recovery = self._recover()
        except OSError as problem:
            raise as_store_error(problem, folder) from problem

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
        ticket = _Ticket(_payload(record), tag)
        with self._mutex:
            self._refuse_when_closed()
            self._queue.append(ticket)
            alone = not self._busy
            self._busy = True
            if not alone:
                ticket.lock.acquire()
        if alone:
            self._commit_once()
        else:
            ticket.lock.acquire()  # released by the committer
        if ticket.error is not None:
            raise ticket.error
        return ticket.n

    async def append_async(self, record: Mapping[str, Any] | bytes, tag: Any = None) -> int:
        """The same for event loops: other tasks run while the disk works, and callers share one fsync."""
        ticket = _Ticket(_payload(record), tag, asyncio.get_running_loop().create_future())
        with self._mutex:
            self._refuse_when_closed()
            self._queue.append(ticket)
            if not self._busy:
                self._busy = True
                self._wake_committer()
        assert ticket.future is not None
        return await ticket.future

    def append_many(self, records: Sequence[bytes], tags: Sequence[Any] | None = None) -> int:
        """Write a backlog with few fsyncs; returns the last number. All durable when this returns."""
        for start in range(0, len(records), GROUP_LIMIT):
            part = records[start : start + GROUP_LIMIT]
            tickets = [_Ticket(payload, tags[start + i] if tags else None) for i, payload in enumerate(part)]
            last = tickets[-1]
            last.lock.acquire()
            with self._mutex:
                self._refuse_when_closed()
                self._queue.extend(tickets)
                if not self._busy:
                    self._busy = True
                    self._wake_committer()
            last.lock.acquire()
            failed = next((ticket.error for ticket in tickets if ticket.error is not None), None)
            if failed is not None:
                raise failed
        return self._head.n

    def rotate(self) -> int:
        """End the open segment, however short, and begin the next; returns the number of the one that was ended.

        An empty open segment stays. Nobody is written to meanwhile.
        """
        with self._mutex:
            self._refuse_when_closed()
            while self._busy:
                self._work.wait(0.01)
            self._busy = True
        ended = self._number
        try:
            if self._lines:
                self._next_segment()
        finally:
            with self._mutex:
                if self._queue:
                    self._wake_committer()
                else:
                    self._busy = False
        return ended

    def close(self) -> None:
        """Commit what is waiting and let go of the files. Safe to call twice."""
        with self._mutex:
            if self._closing:
                return
            self._closing = True
            self._work.notify_all()
        if self._committer is not None:
            self._committer.join()
        with self._mutex:
            while self._busy:  # a caller that commits alone is about to finish
                self._work.wait(0.01)
        self._file.close()
        self._head_file.close()

    # ---- the committer

    def _wake_committer(self) -> None:
        if self._committer is None:
            self._committer = threading.Thread(target=self._run_committer, name="journal", daemon=True)
            self._committer.start()
        self._handed_over = True
        self._work.notify_all()

    def _run_committer(self) -> None:
        while True:
            with self._mutex:
                while not self._handed_over:
                    if self._closing and not self._busy:
                        return
                    self._work.wait(0.2 if self._closing else None)
            while True:
                with self._mutex:
                    batch, self._queue = self._queue[:GROUP_LIMIT], self._queue[GROUP_LIMIT:]
                    if not batch:
                        self._busy = self._handed_over = False
                        self._work.notify_all()
                        break
                self._commit(batch)

    def _commit_once(self) -> None:
        """The lone caller's way: commit, then hand over to the committer if others have come meanwhile."""
        with self._mutex:
            batch, self._queue = self._queue[:GROUP_LIMIT], self._queue[GROUP_LIMIT:]
        try:
            self._commit(batch)
        finally:
            with self._mutex:
                if self._queue:
                    self._wake_committer()
                else:
                    self._busy = False
                    if self._closing:
                        self._work.notify_all()

    def _commit(self, batch: list[_Ticket]) -> None:
        """Write, fsync and settle one group, beginning a new segment where the open one is full."""
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
        self._tell(batch)

    def _write_group(self, part: list[_Ticket]) -> None:
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
        self._file.write(content)
        self._file.sync()
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

    def _fail(self, part: list[_Ticket], error: StoreError) -> None:
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

    def _tell(self, batch: list[_Ticket]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[_Ticket]] = {}
        for ticket in batch:
            if ticket.future is not None:
                loops.setdefault(ticket.future.get_loop(), []).append(ticket)
            elif ticket.lock.locked():
                ticket.lock.release()
        for loop, tickets in loops.items():
            try:
                loop.call_soon_threadsafe(_settle_all, tickets)
            except RuntimeError:
                continue  # that loop has ended; its lines are written all the same

    def _refuse_when_closed(self) -> None:
        if self._closing:
            raise StoreError("The journal is closed.", code="journal_closed", hint="Start Lancelot again.")

    # ---- opening

    def _recover(self) -> Recovery:
        """Find the newest line, cut off what a kill left unfinished, and open the segment to go on in."""
        head_path = self.folder.parent / "journal.head"
        outside = HeadFile.read(head_path)
        self._head_file = HeadFile(head_path)
        own, torn = self._own_head()
        self._head = newest(own, outside)
        lost = (own.n + 1, self._head.n) if self._head.n > own.n else None
        self._file = self._open_file(open_path(self.folder, self._number))
        Disk().fsync_folder(self.folder)
        self._keep_head()
        return torn._replace(lost=lost)

    def _own_head(self) -> tuple[Head, Recovery]:
        """The journal's newest line by its own files; sets number, size and lines of the open segment."""
        head, torn = EMPTY, Recovery()
        self._number, self._size, self._lines = 1, 0, 0
        for segment in reversed(segments(self.folder)):
            if segment.sealed:
                self._number = max(self._number, segment.number + 1)
                return sealed_head(segment.path), torn
            line, end = last_line(segment.path)
            if self._number <= segment.number:
                torn = self._cut(segment.path, end)
                self._number, self._size = segment.number, end
            if line is not None:
                if self._number == segment.number:
                    self._lines = sum(1 for _ in read_lines(segment.path))
                return Head(line.n, line.hash), torn
        return head, torn

    def _cut(self, path: Path, end: int) -> Recovery:
        content = path.read_bytes()[end:]
        if not content:
            return Recovery()
        copy = path.with_name(f"{path.stem}.torn-{time.time_ns()}")
        copy.write_bytes(content)
        os.truncate(path, end)
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return Recovery(len(content), copy)


def _payload(record: Mapping[str, Any] | bytes) -> bytes:
    return record if isinstance(record, bytes) else orjson.dumps(record, default=str)


def _settle_all(tickets: list[_Ticket]) -> None:
    for ticket in tickets:
        ticket.settle()
