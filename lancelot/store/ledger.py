"""The receipts: durable in a fraction of a millisecond, readable at once, loaded into DuckDB behind the scenes.

A receipt is one journal line (fsynced) before `write` returns; a thread loads the lines into the database in batches.
Until then the ledger keeps them in memory, so `get` and `page` see a receipt the moment it is acknowledged.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lancelot.errors import DiskFull, LancelotError, StoreError
from lancelot.settings import data_dir as default_data_dir
from lancelot.store.chain import VerifyReport, verify
from lancelot.store.database import Database
from lancelot.store.export import export
from lancelot.store.journal import Entry, Journal, JournalFile
from lancelot.store.lines import open_path, sealed_path, segments
from lancelot.store.loader import load, loaded_number, replay
from lancelot.store.migrations import migrate
from lancelot.store.pages import COLUMNS, MAX_PAGE, ReceiptFilters, numbered, read_cursor, select
from lancelot.store.prune import PruneReport, carry_out, last_older, prune
from lancelot.store.receipts import Receipt, new_id
from lancelot.store.rollup import catch_up, merge
from lancelot.store.rows import decode, encode
from lancelot.store.segments import ensure_empty, seal, sealed_head
from lancelot.store.stats import decision_stats

__all__ = ["ReceiptStore", "StoreState"]

LINGER_S = 0.25  # how long the loader lets a batch grow
BATCH = 2_000
BACKLOG_LIMIT = 200_000  # receipts in memory while the database cannot be written; beyond it, writes are refused
GRACE_S = 10.0  # a sealed segment's JSON lines stay this long for readers that are in them
RETRY_S = 2.0
ROLL_UP_EVERY = 20_000  # receipts between two additions to the hourly sums, when nobody asks for them
CHECK_S = 1.0
FLUSH_S = 2.0
ROOM_BYTES = 32 * 2**20


class StoreState(NamedTuple):
    """How the store is doing: lines written, lines loaded, receipts waiting in memory, the loader's last problem."""

    written: int
    loaded: int
    waiting: int
    problem: dict[str, Any] | None


class ReceiptStore:
    """All receipts of this data folder; one process holds it.

    Args:
        data_dir: default is `settings.data_dir()`.
        seal_at: journal lines in a segment before it is sealed into Parquet.
        open_file: the journal file's maker; the seam for faults.

    Raises:
        Conflict: another process holds the database.
        StoreError, DiskFull: the folder cannot be used.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        seal_at: int = 10_000,
        open_file: Callable[[Path], JournalFile] = JournalFile,
    ) -> None:
        self.data_dir = data_dir or default_data_dir()
        self.journal_folder = self.data_dir / "journal"
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._waiting: dict[str, tuple[int, bytes]] = {}  # by receipt id, in order of number
        self._listeners: list[Callable[[Receipt], None]] = []
        self._to_seal: list[int] = []
        self._to_remove: list[tuple[float, Path]] = []
        self._problem: LancelotError | None = None
        self._sealing = threading.Lock()
        self._checked = 0.0
        self._rolled = 0
        self._urgent = False
        self._closing = False
        self.database, rebuilt = _open_database(self.data_dir / "lancelot.duckdb")
        try:
            self.journal = Journal(
                self.journal_folder,
                seal_at=seal_at,
                on_commit=self._committed,
                on_full=self._full,
                open_file=open_file,
            )
            ensure_empty(self.journal_folder)
            carry_out(self.data_dir, self.database)
            self.replayed = replay(self.database, self.journal_folder)
            self._loaded = loaded_number(self.database)
        except BaseException:
            self.database.close()
            raise
        self._collect_full_segments()
        self._loader = threading.Thread(target=self._run_loader, name="receipt-loader", daemon=True)
        self._loader.start()
        self._tell_recovery(rebuilt)

    # ---- writing

    def write(self, receipt: Receipt) -> Receipt:
        """Keep a receipt; durable when this returns. Safe from any thread.

        Raises:
            DiskFull, StoreError: it is not kept.
        """
        self._refuse_backlog()
        self.journal.append(encode(receipt), receipt)
        return receipt

    async def awrite(self, receipt: Receipt) -> Receipt:
        """The same for event loops: the loop goes on while the disk works, and callers share one fsync."""
        self._refuse_backlog()
        await self.journal.append_async(encode(receipt), receipt)
        return receipt

    def write_many(self, receipts: Sequence[Receipt]) -> None:
        """Keep a backlog (imports, demonstrations) with few fsyncs; all durable when this returns."""
        for start in range(0, len(receipts), BATCH):
            part = receipts[start : start + BATCH]
            self._refuse_backlog()
            self.journal.append_many([encode(receipt) for receipt in part], part)

    def check(self) -> None:
        """Refuse when a receipt could not be kept now; asked before a provider is paid. Takes a microsecond.

        Raises:
            DiskFull: less than 32 MiB are free on the data folder's disk.
            StoreError: the last write failed and a small probe still does, or the database is far behind.
        """
        self._refuse_backlog()
        now = time.monotonic()
        if now - self._checked < CHECK_S and self.journal.problem is None:
            return
        room = os.statvfs(self.data_dir)
        if room.f_bavail * room.f_frsize < ROOM_BYTES:
            raise DiskFull(retry_after=CHECK_S)
        self.journal.probe()
        self._checked = now

    def event(self, name: str, **data: Any) -> Receipt:
        """Keep an event of the system itself in the chain (a cut-off tail, a prune, a budget step)."""
        return self.write(Receipt(request_id=new_id(), kind="event", data={"event": name, **data}))

    def subscribe(self, listener: Callable[[Receipt], None]) -> None:
        """Call listener with every receipt from now on, after it is durable and before its writer goes on.

        It runs in the writer's way: quick, thread-safe, no exceptions.
        """
        self._listeners.append(listener)

    # ---- reading

    def get(self, receipt_id: str) -> Receipt | None:
        """One receipt, or None when there is none with this id (any more)."""
        with self._lock:
            found = self._waiting.get(receipt_id)
        if found is not None:
            return decode(found[1])
        rows = self.database.query(
            f"SELECT {COLUMNS} FROM receipts WHERE id = ? LIMIT 1",  # noqa: S608 - our own column names
            [receipt_id],
        )
        return numbered(rows)[0][1] if rows else None

    def page(
        self,
        filters: ReceiptFilters | Mapping[str, Any] | None = None,
        cursor: str | int | None = None,
        limit: int = 50,
    ) -> tuple[list[Receipt], str | None]:
        """Matching receipts, newest first, and the cursor of the next page (None at the end).

        Pages are stable: receipts written meanwhile come before the first page, never into a later one.

        Args:
            filters: by field of `ReceiptFilters`; None shows all.
            cursor: what the page before returned; None starts at the newest.
            limit: 1 to 1,000.

        Raises:
            BadInput: the cursor is not one of ours, or there is no such filter.
        """
        filters = ReceiptFilters.of(filters)
        limit = max(1, min(limit, MAX_PAGE))
        before = read_cursor(cursor)
        found = {n: receipt for n, receipt in self._in_memory() if before is None or n < before}
        chosen = {n: receipt for n, receipt in found.items() if filters.matches(receipt)}
        chosen.update(select(self.database, filters, before=before, limit=limit + 1))
        ordered = _once_each(sorted(chosen.items(), reverse=True))
        shown = ordered[:limit]
        return [receipt for _, receipt in shown], str(shown[-1][0]) if len(ordered) > limit else None

    def chain(self, request_id: str) -> list[Receipt]:
        """All receipts of one request, in the order they were written; empty when there is none."""
        waiting = [(n, receipt) for n, receipt in self._in_memory() if receipt.request_id == request_id]
        rows = self.database.query(
            f"SELECT {COLUMNS} FROM receipts WHERE request_id = ?",  # noqa: S608 - our own column names
            [request_id],
        )
        found = sorted({**dict(waiting), **dict(numbered(rows))}.items(), reverse=True)
        return [receipt for _, receipt in reversed(_once_each(found))]

    def stats(self, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
        """How decisions fell in a range of time; see `stats.decision_stats`."""
        self.flush(FLUSH_S)
        return decision_stats(self.database, since, until)

    # ---- the chain

    def verify(self, *, full: bool = False) -> VerifyReport:
        """Check the hash chain, from the last verified checkpoint on (from the beginning when `full`)."""
        return verify(self.data_dir, full=full)

    def export(self, path: Path, filters: ReceiptFilters | Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write matching receipts to a .parquet or .csv file; returns {"path", "receipts", "bytes"}.

        Raises:
            BadInput: another kind of file, or no such folder.
        """
        self.flush(FLUSH_S)
        return export(self.database, Path(path), ReceiptFilters.of(filters))

    def prune(self, before: datetime) -> PruneReport:
        """Remove all receipts from before a moment, as far as nothing newer lies among them; the rest still verifies.

        The hourly sums of cost and tokens stay. Leaves a signed tombstone and an event.

        Raises:
            StoreError: the journal does not verify or cannot be written.
        """
        self.flush()
        through = last_older(self.database, before)
        with self._sealing:
            if through > 0:
                self._seal_through(through)
            report = prune(self.data_dir, self.database, through, before)
        if report.tombstone is not None:
            self.event("receipts_pruned", **report.to_dict())
        return report

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Everything written is loaded, and no segment is sealed or removed inside; receipts can still be written."""
        self.flush()
        with self._sealing:
            yield

    def _seal_through(self, n: int) -> None:
        """Begin a new segment if line n lies in the open one, and seal everything up to it."""
        if not any(segment.sealed and sealed_head(segment.path).n >= n for segment in segments(self.journal_folder)):
            self.journal.rotate()
        while self._seal_next():
            continue

    # ---- state

    def state(self) -> StoreState:
        """Lines written and loaded, and what the loader has to say."""
        with self._lock:
            waiting, problem = len(self._waiting), self._problem
        return StoreState(self.journal.head.n, self._loaded, waiting, problem.to_dict() if problem else None)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything written so far is in the database; False when that took longer than `timeout` s."""
        target = self.journal.head.n
        deadline = time.monotonic() + timeout
        with self._lock:
            while self._loaded < target:
                self._urgent = True
                self._work.notify_all()
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return False
                self._work.wait(min(rest, 0.5))
        return True

    def close(self) -> None:
        """Finish loading and let go of journal and database. Safe to call twice."""
        self.journal.close()
        with self._lock:
            self._closing = True
            self._work.notify_all()
        self._loader.join()
        self.database.close()

    # ---- the journal's callbacks (in the committing thread)

    def _committed(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            for entry in entries:
                key = entry.tag.id if isinstance(entry.tag, Receipt) else str(entry.n)
                if key in self._waiting:  # the same receipt once more: one row in the end
                    key = f"{key} {entry.n}"
                self._waiting[key] = (entry.n, entry.payload)
            self._work.notify_all()
        for listener in self._listeners:
            for entry in entries:
                if isinstance(entry.tag, Receipt):
                    try:
                        listener(entry.tag)
                    except Exception as problem:  # noqa: BLE001 - thread boundary: the receipt is written all the same
                        self._problem = StoreError(f"A listener to receipts failed: {type(problem).__name__}.")

    def _full(self, number: int) -> None:
        with self._lock:
            self._to_seal.append(number)

    def _refuse_backlog(self) -> None:
        if len(self._waiting) >= BACKLOG_LIMIT:
            raise StoreError("Too many receipts wait for the database.", code="store_backlog", retry_after=RETRY_S)

    def _in_memory(self) -> Iterable[tuple[int, Receipt]]:
        with self._lock:
            waiting = list(self._waiting.values())
        return [(n, decode(payload)) for n, payload in waiting if _is_receipt(payload)]

    # ---- the loader

    def _run_loader(self) -> None:
        while True:
            with self._lock:
                while not (self._waiting or self._to_seal or self._closing or self._removal_due()):
                    self._work.wait(GRACE_S if self._to_remove else None)
                if self._waiting and not self._hurry():
                    self._work.wait_for(self._hurry, LINGER_S)
                self._urgent = False
                if self._closing and (not self._waiting or self._problem is not None):
                    break
                batch = list(itertools.islice(self._waiting.items(), BATCH))
            if not self._load(batch):
                with self._lock:
                    self._work.wait_for(lambda: self._closing, RETRY_S)
            self._tidy()

    def _removal_due(self) -> bool:
        return any(when <= time.monotonic() for when, _ in self._to_remove)

    def _hurry(self) -> bool:
        return self._urgent or self._closing or len(self._waiting) >= BATCH

    def _load(self, batch: list[tuple[str, tuple[int, bytes]]]) -> bool:
        if not batch:
            return True
        try:
            load(self.database, [record for _, record in batch])
        except LancelotError as problem:
            self._problem = problem
            return False
        except Exception as problem:  # noqa: BLE001 - thread boundary: a strange record must not end the loader
            self._problem = StoreError(f"A receipt cannot be loaded: {type(problem).__name__}.")
            return False
        with self._lock:
            self._problem = None
            for key, _ in batch:
                self._waiting.pop(key, None)
            self._loaded = max(self._loaded, batch[-1][1][0])
            self._work.notify_all()
        return True

    # ---- sealing

    def _collect_full_segments(self) -> None:
        """Segments a former run filled without sealing them."""
        for segment in segments(self.journal_folder):
            if segment.number >= self.journal.open_segment:
                continue
            if not segment.sealed:
                self._to_seal.append(segment.number)
            elif open_path(self.journal_folder, segment.number).exists():
                self._to_remove.append((time.monotonic() + GRACE_S, open_path(self.journal_folder, segment.number)))

    def _tidy(self) -> None:
        """Seal one full segment, remove JSON lines whose sealed form is old enough, add to the hourly sums."""
        try:
            with self._sealing:
                self._seal_next()
                self._remove_due()
            if self._rollup_due():
                catch_up(self.database)
                merge(self.database)
        except (LancelotError, OSError) as problem:
            self._problem = problem if isinstance(problem, LancelotError) else StoreError()

    def _remove_due(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [path for when, path in self._to_remove if when <= now]
            self._to_remove = [item for item in self._to_remove if item[1] not in due]
        for path in due:
            path.unlink(missing_ok=True)

    def _seal_next(self) -> bool:
        """Seal the oldest full segment; False when there is none. A broken one stays as it is."""
        with self._lock:
            number = self._to_seal.pop(0) if self._to_seal else None
        if number is None:
            return False
        source, target = open_path(self.journal_folder, number), sealed_path(self.journal_folder, number)
        if source.exists() and (target.exists() or seal(source, target)):
            with self._lock:
                self._to_remove.append((time.monotonic() + GRACE_S, source))
        return True

    def _rollup_due(self) -> bool:
        if self._loaded - self._rolled < ROLL_UP_EVERY or self._closing:
            return False
        self._rolled = self._loaded
        return True

    # ---- opening

    def _tell_recovery(self, rebuilt: Path | None) -> None:
        recovery = self.journal.recovery
        if recovery.torn_bytes:
            copy = recovery.torn_copy.name if recovery.torn_copy else None
            self.event("journal_tail_cut", bytes=recovery.torn_bytes, copy=copy)
        if recovery.lost:
            self.event("journal_lines_missing", first=recovery.lost[0], last=recovery.lost[1])
        if rebuilt is not None:
            self.event("database_rebuilt", moved_to=rebuilt.name)


def _once_each(found: list[tuple[int, Receipt]]) -> list[tuple[int, Receipt]]:
    """The same, newest first, without the later copies of a receipt that was written twice."""
    first = {receipt.id: n for n, receipt in found}
    return [(n, receipt) for n, receipt in found if first[receipt.id] == n]


def _is_receipt(payload: bytes) -> bool:
    return payload.startswith(b'{"id":') and "request_id" in orjson.loads(payload)


def _open_database(path: Path) -> tuple[Database, Path | None]:
    """The database, brought to the newest shape; a damaged file is moved aside and built anew from the journal."""
    moved = None
    try:
        database = Database(path)
    except StoreError as problem:
        if problem.code != "database_damaged":
            raise
        moved = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        path.rename(moved)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        database = Database(path)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database, moved
