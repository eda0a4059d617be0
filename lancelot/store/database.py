"""The console's DuckDB file: one connection a process, a cursor for every call, one writer at a time.

The only `duckdb.connect` of the product (analysts' read-only connections aside, `lancelot.analysis`). A connection that
several threads share returns wrong rows, so nobody gets it: `cursor()` and `transaction()` hand out a cursor of the
caller's own. Works the same on DuckDB 1.5 and 2.0.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from lancelot.errors import Conflict, DiskFull, StoreError

__all__ = ["Cursor", "Database", "DatabaseError"]

Cursor: TypeAlias = duckdb.DuckDBPyConnection
DatabaseError: TypeAlias = duckdb.Error

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # nothing is fetched from anywhere
    "autoload_known_extensions": False,
    "memory_limit": "1GB",
    "threads": 2,
}


class Database:
    """One DuckDB file, opened for this process alone.

    Args:
        path: the file; created with its folder when missing. None keeps everything in memory (tests, previews).

    Raises:
        Conflict: another process holds the file.
        StoreError: the file cannot be opened (`code` database_damaged: it is not a readable database).
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._writer = threading.RLock()
        self._closed = False
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._root = duckdb.connect(str(path) if path else ":memory:", config=SETTINGS)
            if path is not None:
                path.chmod(0o600)
            self._root.execute("SET TimeZone = 'UTC'")
        except (duckdb.Error, OSError) as problem:
            raise _opening_error(problem) from problem

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor for this call alone; closed on the way out.

        Raises:
            StoreError, DiskFull: instead of DuckDB's own errors.
        """
        if self._closed:
            raise StoreError("The receipts database is closed.", code="database_closed")
        try:
            cursor = self._root.cursor()
        except duckdb.Error as problem:
            raise as_store_error(problem) from problem
        try:
            yield cursor
        except duckdb.Error as problem:
            raise as_store_error(problem) from problem
        finally:
            cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor inside one transaction: committed at the end, rolled back on any error. Writers take turns."""
        with self._writer, self.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                _roll_back(cursor)
                raise

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement."""
        with self.cursor() as cursor:
            return cursor.execute(sql, list(parameters)).fetchall()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows of one statement, each a dict by column name."""
        with self.cursor() as cursor:
            found = cursor.execute(sql, list(parameters)).fetchall()
            names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in found]

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """One writing statement in a transaction of its own; durable when this returns."""
        with self.transaction() as cursor:
            cursor.execute(sql, list(parameters))

    def copy_to(self, path: Path) -> None:
        """A consistent copy as a new file. Never copy the file's bytes instead: closing it would drop DuckDB's lock."""
        name = self.query("SELECT current_database()")[0][0]
        quoted = str(path).replace("'", "''")
        with self._writer, self.cursor() as cursor:
            cursor.execute(f"ATTACH '{quoted}' AS copied")
            try:
                cursor.execute(f'COPY FROM DATABASE "{name}" TO copied')
            finally:
                cursor.execute("DETACH copied")

    def close(self) -> None:
        """Write everything into the file and let go of it. Safe to call twice."""
        with self._writer:
            if not self._closed:
                self._closed = True
                self._root.close()


def _roll_back(cursor: Cursor) -> None:
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return  # DuckDB has already ended the transaction itself; the first error is the one to tell


def _opening_error(problem: Exception) -> StoreError | Conflict:
    text = str(problem)
    if "lock" in text.lower():
        return Conflict(
            "Another process holds the receipts database.",
            code="data_folder_in_use",
            hint="Use the running console, or stop it first.",
        )
    if _is_full(text):
        return DiskFull()
    if isinstance(problem, OSError) or "Cannot open file" in text:
        return StoreError(
            "The receipts database cannot be opened.",
            hint="Check that the data folder exists and that you may write to it.",
        )
    return StoreError(
        "The receipts database is damaged.",
        code="database_damaged",
        hint="It is rebuilt from the journal when the damaged file is moved away.",
    )


def as_store_error(problem: duckdb.Error) -> StoreError:
    """The person-facing error for a failed statement; DuckDB's own words stay in the exception's cause."""
    return DiskFull() if _is_full(str(problem)) else StoreError("The receipts database could not do that.")


def _is_full(text: str) -> bool:
    return "No space left" in text or "Disk quota exceeded" in text
