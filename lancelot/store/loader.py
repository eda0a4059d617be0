"""From the journal into the database: batches of `unnest`, each with the number it reached, in one transaction.

The number makes replay exact: what is at or below it is in the database, what is above is not, whatever was killed in
between. A receipt written twice (same id) becomes one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from lancelot.store.database import Cursor, Database
from lancelot.store.lines import read_lines, segments, split_line
from lancelot.store.rollup import add
from lancelot.store.rows import FIELDS, NAMES, Field
from lancelot.store.segments import sealed_range

__all__ = ["Record", "load", "loaded_number", "replay"]

Record = tuple[int, bytes]  # line number and the record's JSON

SQL_TYPE = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "time": "VARCHAR",
    "money": "VARCHAR",
}
CAST = {"json": "::JSON", "time": "::TIMESTAMP", "money": "::DECIMAL(18,12)"}
REPLAY_BATCH = 5_000


def _select(field: Field) -> str:
    return f"unnest(CAST(? AS {SQL_TYPE[field.form]}[])) AS {field.name}"


INSERT = (
    "INSERT INTO receipts SELECT n, "  # noqa: S608 - built from our own column names
    + ", ".join(field.name + CAST.get(field.form, "") for field in FIELDS)
    + " FROM (SELECT unnest(CAST(? AS BIGINT[])) AS n, "
    + ", ".join(_select(field) for field in FIELDS)
    + ") AS batch WHERE id NOT IN (SELECT id FROM receipts WHERE id BETWEEN ? AND ?)"
)
INSERT_SEALED = (
    "INSERT INTO receipts SELECT n, "  # noqa: S608
    + ", ".join(NAMES)
    + " FROM read_parquet(?) AS batch WHERE n > ? AND raw IS NULL"
    + " AND id NOT IN (SELECT id FROM receipts WHERE id BETWEEN ? AND ?)"
)


def loaded_number(database: Database) -> int:
    """The number of the last journal line that is in the database."""
    return int(database.query("SELECT max(loaded) FROM journal_state")[0][0] or 0)


def load(database: Database, batch: Sequence[Record]) -> int:
    """Put journal records into the database in one transaction; returns how many rows are new.

    Records that are no receipts are passed over (they stay in the journal).
    """
    if not batch:
        return 0
    rows = _receipts(batch)
    with database.transaction() as cursor:
        if rows:
            _insert(cursor, rows)
            add(cursor, batch[0][0], batch[-1][0])
        cursor.execute("UPDATE journal_state SET loaded = greatest(loaded, ?)", [batch[-1][0]])
    return len(rows)


KNOWN = frozenset(NAMES)


def _receipts(batch: Iterable[Record]) -> list[tuple[int, dict[str, Any]]]:
    """The records that are receipts, each id once."""
    rows: dict[str, tuple[int, dict[str, Any]]] = {}
    for n, payload in batch:
        record = orjson.loads(payload)
        if isinstance(record, dict) and isinstance(record.get("id"), str) and record.keys() <= KNOWN:
            rows.setdefault(record["id"], (n, record))
    return list(rows.values())


def _insert(cursor: Cursor, rows: list[tuple[int, dict[str, Any]]]) -> None:
    columns: list[list[Any]] = [[n for n, _ in rows]]
    for field in FIELDS:
        values = [record.get(field.name) for _, record in rows]
        if field.form == "json":
            values = [None if value is None else orjson.dumps(value).decode() for value in values]
        columns.append(values)
    ids = columns[1]
    cursor.execute(INSERT, [*columns, min(ids), max(ids)])


def replay(database: Database, folder: Path) -> int:
    """Load every journal line the database has not seen; returns how many lines that were.

    Sealed segments are read by DuckDB itself, open ones line by line.
    """
    start = loaded_number(database)
    count = 0
    for segment in segments(folder):
        if segment.sealed:
            first, last, _ = sealed_range(segment.path)
            if last > start:
                unseen = max(start, first - 1)
                _load_sealed(database, segment.path, unseen, last)
                count += last - unseen
        else:
            for batch in _batches(_unseen(segment.path, start)):
                load(database, batch)
                count += len(batch)
    return count


def _load_sealed(database: Database, path: Path, start: int, last: int) -> None:
    low, high = database.query("SELECT min(id), max(id) FROM read_parquet(?) WHERE n > ?", [str(path), start])[0]
    raw = database.query(
        "SELECT n, raw FROM read_parquet(?) WHERE n > ? AND raw IS NOT NULL ORDER BY n", [str(path), start]
    )
    rows = _receipts((n, text.encode()) for n, text in raw)  # lines of an older form
    with database.transaction() as cursor:
        if low is not None:
            cursor.execute(INSERT_SEALED, [str(path), start, low, high])
        if rows:
            _insert(cursor, rows)
        add(cursor, start + 1, last)
        cursor.execute("UPDATE journal_state SET loaded = greatest(loaded, ?)", [last])


def _unseen(path: Path, start: int) -> Iterator[Record]:
    for _, raw in read_lines(path):
        line = split_line(raw)
        if line is not None and line.n > start:
            yield line.n, line.payload


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) >= REPLAY_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
