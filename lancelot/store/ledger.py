"""The receipts: durable in a fraction of a millisecond, readable at once, loaded into DuckDB behind the scenes.

A receipt is one journal line (fsynced) before `write` returns; a thread loads the lines into the database in batches.
Until then the ledger keeps them in memory, so `get` and `page` see a receipt the moment it is acknowledged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lancelot.errors import DiskFull, StoreError
from lancelot.settings import data_dir as default_data_dir
from lancelot.store.chain import VerifyReport, verify
from lancelot.store.export import export
from lancelot.store.journal import Entry, Journal, JournalFile
from lancelot.store.loader import replay
from lancelot.store.loading import Loading
from lancelot.store.migrations import open_database
from lancelot.store.pages import COLUMNS, MAX_PAGE, ReceiptFilters, numbered, read_cursor, select, select_sorted
from lancelot.store.prune import PruneReport, carry_out, last_older, prune
from lancelot.store.receipts import Receipt, new_id
from lancelot.store.rows import decode, encode
from lancelot.store.sealing import Sealer
from lancelot.store.segments import ensure_empty
from lancelot.store.stats import decision_stats

__all__ = ["ReceiptStore", "StoreState"]

BATCH = 2_000
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
        self._listeners: list[Callable[[Receipt], None]] = []
        self._listener_problem: StoreError | None = None
        self._checked = 0.0
        self._sealer = Sealer(self.journal_folder)
        with ExitStack() as opened:
            self.database, rebuilt = open_database(self.data_dir / "lancelot.duckdb")
            opened.callback(self.database.close)
            self._loading = Loading(self.database, self._sealer)
            self.journal = Journal(
                self.journal_folder,
                seal_at=seal_at,
                on_commit=self._committed,
                on_full=self._sealer.full,
                open_file=open_file,
            )
            opened.callback(self.journal.close)
            ensure_empty(self.journal_folder)
            carry_out(self.data_dir, self.database)
            self.replayed = replay(self.database, self.journal_folder)
            opened.pop_all()
        self._sealer.collect(self.journal.open_segment)
        self._loading.start()
        self._tell_recovery(rebuilt)

    # ---- writing

    def write(self, receipt: Receipt) -> Receipt:
        """Keep a receipt; durable when this returns. Safe from any thread.

        Raises:
            DiskFull, StoreError: it is not kept.
        """
        self._loading.refuse_backlog()
        self.journal.append(encode(receipt), receipt)
        return receipt

    async def awrite(self, receipt: Receipt) -> Receipt:
        """The same for event loops: the loop goes on while the disk works, and callers share one fsync."""
        self._loading.refuse_backlog()
        await self.journal.append_async(encode(receipt), receipt)
        return receipt

    @property
    def quick(self) -> bool:
        """Whether `write` takes less time than handing over to another thread does (see `Journal.quick`)."""
        return self.journal.quick

    def write_many(self, receipts: Sequence[Receipt]) -> None:
        """Keep a backlog (imports, demonstrations) with few fsyncs; all durable when this returns."""
        for start in range(0, len(receipts), BATCH):
            part = receipts[start : start + BATCH]
            self._loading.refuse_backlog()
            self.journal.append_many([encode(receipt) for receipt in part], part)

    def check(self) -> None:
        """Refuse when a receipt could not be kept now; asked before a provider is paid. Takes a microsecond.

        Raises:
            DiskFull: less than 32 MiB are free on the data folder's disk.
            StoreError: the last write failed and a small probe still does, or the database is far behind.
        """
        self._loading.refuse_backlog()
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
        found = self._loading.find(receipt_id)
        if found is not None:
            return decode(found)
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
        sort: str = "newest",
    ) -> tuple[list[Receipt], str | None]:
        """Matching receipts, newest first or as `pages.SORTS`, and the cursor of the next page (None at the end).

        Pages are stable: receipts written meanwhile come before the first page, never into a later one.

        Args:
            filters: by field of `ReceiptFilters`; None shows all.
            cursor: what the page before returned; None starts at the newest.
            limit: 1 to 1,000.

        Raises:
            BadInput: the cursor is not one of ours, or there is no such filter or order.
        """
        filters = ReceiptFilters.of(filters)
        limit = max(1, min(limit, MAX_PAGE))
        if sort != "newest":
            self.flush(FLUSH_S)
            return select_sorted(self.database, filters, sort, cursor=str(cursor or ""), limit=limit)
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
        with self._sealer.lock:
            if through > 0:
                self._sealer.seal_through(self.journal, through)
            report = prune(self.data_dir, self.database, through, before)
        if report.tombstone is not None:
            self.event("receipts_pruned", **report.to_dict())
        return report

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Everything written is loaded, and no segment is sealed or removed inside; receipts can still be written."""
        self.flush()
        with self._sealer.lock:
            yield

    # ---- state

    def state(self) -> StoreState:
        """Lines written and loaded, and what the loader has to say."""
        problem = self._loading.problem or self._listener_problem
        waiting = len(self._loading.waiting())
        return StoreState(self.journal.head.n, self._loading.loaded, waiting, problem.to_dict() if problem else None)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything written so far is in the database; False when that took longer than `timeout` s."""
        return self._loading.flush(self.journal.head.n, timeout)

    def close(self) -> None:
        """Finish loading and let go of journal and database. Safe to call twice."""
        self.journal.close()
        self._loading.stop()
        self.database.close()

    def _committed(self, entries: Sequence[Entry]) -> None:
        """In the committing thread, after the fsync and before any writer goes on."""
        self._loading.take(entries)
        for listener in self._listeners:
            for entry in entries:
                if isinstance(entry.tag, Receipt):
                    try:
                        listener(entry.tag)
                    except Exception as problem:  # noqa: BLE001 - thread boundary: the receipt is written all the same
                        name = type(problem).__name__
                        self._listener_problem = StoreError(f"A listener to receipts failed: {name}.")

    def _in_memory(self) -> Iterable[tuple[int, Receipt]]:
        return [(n, decode(payload)) for n, payload in self._loading.waiting() if _is_receipt(payload)]

    # ---- opening

    def _tell_recovery(self, rebuilt: Path | None) -> None:
        recovery = self.journal.recovery
        if recovery.torn_bytes:
            copy = recovery.torn_copy.name if recovery.torn_copy else None
            self.event("journal_tail_cut", bytes=recovery.torn_bytes, copy=copy)
        if recovery.lost:
            self.event("journal_lines_missing", first=recovery.lost[0], last=recovery.lost[1])
        if recovery.changed is not None:
            self.event("journal_line_changed", line=recovery.changed)
        if recovery.no_head:
            self.event("journal_head_missing", last=self.journal.head.n)
        if rebuilt is not None:
            self.event("database_rebuilt", moved_to=rebuilt.name)


def _once_each(found: list[tuple[int, Receipt]]) -> list[tuple[int, Receipt]]:
    """The same, newest first, without the later copies of a receipt that was written twice."""
    first = {receipt.id: n for n, receipt in found}
    return [(n, receipt) for n, receipt in found if first[receipt.id] == n]


def _is_receipt(payload: bytes) -> bool:
    return payload.startswith(b'{"id":') and "request_id" in orjson.loads(payload)
