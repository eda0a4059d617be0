"""Between journal and database: keeps what is written but not yet loaded, and loads it in batches behind the scenes."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence

from lancelot.errors import LancelotError, StoreError
from lancelot.store.database import Database
from lancelot.store.journal import Entry
from lancelot.store.loader import Record, load, loaded_number
from lancelot.store.receipts import Receipt
from lancelot.store.rollup import catch_up, merge
from lancelot.store.sealing import Sealer

__all__ = ["Loading"]

LINGER_S = 0.25  # how long a batch may grow; everything is readable from memory meanwhile
BATCH = 2_000
BACKLOG_LIMIT = 200_000  # receipts in memory while the database cannot be written; beyond it, writes are refused
RETRY_S = 2.0
ROLL_UP_EVERY = 20_000  # receipts between two additions to the hourly sums, when nobody asks for them


class Loading:
    """A thread of its own, from `start` to `stop`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._waiting: dict[str, Record] = {}  # by receipt id, in order of number
        self._urgent = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self.loaded = 0
        self._rolled = 0
        self.problem: LancelotError | None = None

    def start(self) -> None:
        """Begin loading what `take` brings."""
        self.loaded = self._rolled = loaded_number(self._database)
        self._thread = threading.Thread(target=self._run, name="receipt-loader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Load what is waiting (unless the database refuses: it is in the journal) and end the thread."""
        with self._lock:
            self._closing = True
            self._work.notify_all()
        if self._thread is not None:
            self._thread.join()

    def take(self, entries: Sequence[Entry]) -> None:
        """Lines that have just become durable, in order."""
        with self._lock:
            first = not self._waiting
            for entry in entries:
                key = entry.tag.id if isinstance(entry.tag, Receipt) else str(entry.n)
                if key in self._waiting:  # the same receipt once more: one row in the end
                    key = f"{key} {entry.n}"
                self._waiting[key] = (entry.n, entry.payload)
            if first or self._hurry():  # otherwise the loader lingers, and waking it for every line costs as much again
                self._work.notify_all()

    def find(self, receipt_id: str) -> bytes | None:
        """The JSON of a receipt that is not loaded yet."""
        with self._lock:
            found = self._waiting.get(receipt_id)
        return found[1] if found else None

    def waiting(self) -> list[Record]:
        """Everything that is not loaded yet, in order."""
        with self._lock:
            return list(self._waiting.values())

    def refuse_backlog(self) -> None:
        """Raises StoreError while the database is hopelessly behind."""
        if len(self._waiting) >= BACKLOG_LIMIT:
            raise StoreError("Too many receipts wait for the database.", code="store_backlog", retry_after=RETRY_S)

    def flush(self, target: int, timeout: float) -> bool:
        """Wait until line `target` is loaded; False when that took longer than `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while self.loaded < target:
                self._urgent = True
                self._work.notify_all()
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return False
                self._work.wait(min(rest, 0.5))
        return True

    def _run(self) -> None:
        while True:
            with self._lock:
                while not (self._waiting or self._closing or self._sealer.has_work()):
                    self._work.wait(self._sealer.wait_s())
                if self._waiting and not self._hurry():
                    self._work.wait_for(self._hurry, LINGER_S)
                self._urgent = False
                if self._closing and (not self._waiting or self.problem is not None):
                    return
                batch = list(itertools.islice(self._waiting.items(), BATCH))
            if not (self._load(batch) and self._tidy()):
                with self._lock:
                    self._work.wait_for(lambda: self._closing, RETRY_S)

    def _hurry(self) -> bool:
        return self._urgent or self._closing or len(self._waiting) >= BATCH

    def _load(self, batch: list[tuple[str, Record]]) -> bool:
        if not batch:
            return True
        try:
            load(self._database, [record for _, record in batch])
        except LancelotError as problem:
            self.problem = problem
            return False
        except Exception as problem:  # noqa: BLE001 - thread boundary: a strange record must not end the loader
            self.problem = StoreError(f"A receipt cannot be loaded: {type(problem).__name__}.")
            return False
        with self._lock:
            self.problem = None
            for key, _ in batch:
                self._waiting.pop(key, None)
            self.loaded = max(self.loaded, batch[-1][1][0])
            self._work.notify_all()
        return True

    def _tidy(self) -> bool:
        """Seal and add up what is due; False when that has to be tried again later."""
        try:
            self._sealer.work()
            if self.loaded - self._rolled >= ROLL_UP_EVERY and not self._closing:
                self._rolled = self.loaded
                catch_up(self._database)
                merge(self._database)
        except (LancelotError, OSError) as problem:
            self.problem = problem if isinstance(problem, LancelotError) else StoreError()
            return False
        return True
