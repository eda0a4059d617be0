"""The small tables: exam results, outcomes by task type, and documents of any kind."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from lancelot.errors import StoreError
from lancelot.store.database import Database
from lancelot.store.receipts import new_id

__all__ = ["Documents", "Exams", "OutcomeLedger"]

SAVE_EVERY = 32  # outcomes between two saves


class Exams:
    """Results of the golden-set exam, one row a task and sitting."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        task: str,
        score: float,
        items: int,
        *,
        model_id: str | None = None,
        adapter: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> str:
        """Keep one task's score (0..1) over `items` items; returns the row's id."""
        row_id = new_id()
        self._database.execute(
            "INSERT INTO exams VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [row_id, _now(), model_id, adapter, task, score, items, orjson.dumps(dict(data or {})).decode()],
        )
        return row_id

    def latest(self, model_id: str | None = None) -> list[dict[str, Any]]:
        """The newest result of each task, of one model where it is named: task, score, items, time, model_id, adapter,
        data."""
        rows = self._database.rows(
            "SELECT task, score, items, time, model_id, adapter, data FROM exams "
            "WHERE (? IS NULL OR model_id IS NULL OR model_id = ?) "
            "QUALIFY row_number() OVER (PARTITION BY task ORDER BY time DESC, id DESC) = 1 ORDER BY task",
            [model_id, model_id],
        )
        return [_typed(row) for row in rows]

    def history(self, task: str, limit: int = 100, *, model_id: str | None = None) -> list[dict[str, Any]]:
        """One task's results, newest first, of one model where it is named."""
        rows = self._database.rows(
            "SELECT task, score, items, time, model_id, adapter, data FROM exams "
            "WHERE task = ? AND (? IS NULL OR model_id IS NULL OR model_id = ?) ORDER BY time DESC, id DESC LIMIT ?",
            [task, model_id, model_id, limit],
        )
        return [_typed(row) for row in rows]


class OutcomeLedger:
    """How often each lane did for each task type: counts in memory, saved every few outcomes and on `save`.

    A kill loses at most the last few counts; they are a habit, not a record (the receipts are).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._changed = 0
        rows = database.query("SELECT task, lane, sufficed, total FROM outcomes")
        self._counts: dict[tuple[str, str], tuple[int, int]] = {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def record(self, task: str, lane: str, sufficed: bool) -> None:
        """One outcome. Takes microseconds; the saving is done by another thread."""
        with self._lock:
            good, total = self._counts.get((task, str(lane)), (0, 0))
            self._counts[task, str(lane)] = (good + bool(sufficed), total + 1)
            self._changed += 1
            due = self._changed >= SAVE_EVERY
            if due:
                self._changed = 0
        if due:
            threading.Thread(target=self._save_quietly, name="outcomes", daemon=True).start()

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """{(task, lane): (sufficed, all)}."""
        with self._lock:
            return dict(self._counts)

    def outcomes(self) -> dict[str, dict[str, tuple[int, int]]]:
        """{task: {lane: (sufficed, all)}}."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for (task, lane), count in self.counts().items():
            found.setdefault(task, {})[lane] = count
        return found

    def save(self) -> None:
        """Put all counts into the database.

        Raises:
            StoreError: they could not be saved; they stay in memory.
        """
        counts = self.counts()
        if not counts:
            return
        with self._database.transaction() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?)",
                [[task, lane, good, total, _now()] for (task, lane), (good, total) in counts.items()],
            )

    def _save_quietly(self) -> None:
        try:
            self.save()
        except StoreError:
            with self._lock:
                self._changed += SAVE_EVERY  # the next outcome tries again


class Documents:
    """JSON objects by collection and id, for whatever needs a few durable rows (repairs, budget events)."""

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._collection = collection

    def put(self, document_id: str, data: Mapping[str, Any]) -> None:
        """Keep (or replace) one."""
        self._database.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)",
            [self._collection, document_id, _now(), orjson.dumps(dict(data), default=str).decode()],
        )

    def get(self, document_id: str) -> dict[str, Any] | None:
        """One, or None."""
        rows = self._database.query(
            "SELECT data FROM documents WHERE collection = ? AND id = ?", [self._collection, document_id]
        )
        return dict(orjson.loads(rows[0][0])) if rows else None

    def all(self) -> dict[str, dict[str, Any]]:
        """All of the collection by id, oldest first."""
        rows = self._database.query(
            "SELECT id, data FROM documents WHERE collection = ? ORDER BY time, id", [self._collection]
        )
        return {row[0]: orjson.loads(row[1]) for row in rows}

    def remove(self, document_id: str) -> None:
        """Forget one; nothing happens when it is not there."""
        self._database.execute("DELETE FROM documents WHERE collection = ? AND id = ?", [self._collection, document_id])


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    row["time"] = row["time"].replace(tzinfo=UTC)
    row["data"] = orjson.loads(row["data"]) if row["data"] else {}
    return row
