"""From the journal into the database: batches of `unnest`, each with the number it reached, in one transaction.

The number makes replay exact: what is at or below it is in the database, what is above is not, whatever was killed in
between. A receipt written twice (same id) becomes one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from lancelot.errors import DiskFull, StoreError
from lancelot.store.database import Cursor, Database
from lancelot.store.lines import read_lines, segments, split_line
from lancelot.store.rows import FIELDS, NAMES
from lancelot.store.segments import Damage, read_sealed, sealed_range

__all__ = ["Record", "load", "loaded_number", "replay"]

Record = tuple[int, bytes]  # line number and the record's JSON

TYPES = {
    "text": "VARCHAR",
    "json": "JSON",
    "int": "BIGINT",
    "float": "DOUBLE",
    "time": "TIMESTAMP",
    "money": "DECIMAL(18,12)",
}
STRUCTURE = orjson.dumps({field.name: TYPES[field.form] for field in FIELDS}).decode()
NEEDED = ("id", "request_id", "kind", "host", "time", "status")
REPLAY_BATCH = 5_000
ID_AT = len(b'{"id":"')

INSERT = (
    f"INSERT INTO receipts SELECT n, {', '.join(f'r.{name}' for name in NAMES)} "  # noqa: S608 - our own column names
    f"FROM (SELECT unnest(CAST(? AS BIGINT[])) AS n, from_json(unnest(CAST(? AS VARCHAR[])), '{STRUCTURE}') AS r) "
    f"WHERE {' AND '.join(f'r.{name} IS NOT NULL' for name in NEEDED)} "
    "AND r.id NOT IN (SELECT id FROM receipts WHERE id BETWEEN ? AND ?)"
)
SEALED_TOGETHER = 25  # sealed segments in one transaction
INSERT_SEALED = (
    f"INSERT INTO receipts SELECT n, {', '.join(NAMES)} FROM read_parquet(?, union_by_name = true) AS batch "  # noqa: S608
    "WHERE n > ? AND raw IS NULL AND id NOT IN (SELECT id FROM receipts WHERE id BETWEEN ? AND ?)"
)
ONCE_EACH = " QUALIFY row_number() OVER (PARTITION BY id ORDER BY n) = 1"


def loaded_number(database: Database) -> int:
    """The number of the last journal line that is in the database."""
    return int(database.query("SELECT max(loaded) FROM journal_state")[0][0] or 0)


def load(database: Database, batch: Sequence[Record]) -> None:
    """Put journal records into the database in one transaction.

    Records that are no receipts are passed over; they stay in the journal.

    Raises:
        StoreError, DiskFull: nothing of the batch is in the database.
    """
    if not batch:
        return
    try:
        _load(database, _unique(batch), batch[-1][0])
    except DiskFull:
        raise
    except StoreError:  # somebody's edited line among them is no JSON at all
        _load(database, _unique([record for record in batch if _is_json(record[1])]), batch[-1][0])


def _load(database: Database, records: dict[str, Record], reached: int) -> None:
    with database.transaction() as cursor:
        if records:
            _insert(cursor, records)
        cursor.execute("UPDATE journal_state SET loaded = greatest(loaded, ?)", [reached])


def _insert(cursor: Cursor, records: dict[str, Record]) -> None:
    numbers = [n for n, _ in records.values()]
    payloads = [payload.decode() for _, payload in records.values()]
    cursor.execute(INSERT, [numbers, payloads, min(records), max(records)])


def _unique(batch: Iterable[Record]) -> dict[str, Record]:
    """The records that carry an id, by id; of a receipt written twice the first."""
    found: dict[str, Record] = {}
    for record in batch:
        receipt_id = _id_of(record[1])
        if receipt_id is not None:
            found.setdefault(receipt_id, record)
    return found


def _id_of(payload: bytes) -> str | None:
    if payload.startswith(b'{"id":"'):
        text = payload[ID_AT : payload.index(b'"', ID_AT)]
        if b"\\" not in text:
            return text.decode()
    record = orjson.loads(payload) if _is_json(payload) else None
    found = record.get("id") if isinstance(record, dict) else None
    return found if isinstance(found, str) else None


def _is_json(payload: bytes) -> bool:
    try:
        orjson.loads(payload)
    except ValueError:
        return False
    return True


def replay(database: Database, folder: Path) -> int:
    """Load every journal line the database has not seen; returns how many lines that were.

    Sealed segments are read by DuckDB itself, many at once; open ones line by line. A sealed one that cannot be read is
    passed over: `verify` names it, and what the database holds of it stays.
    """
    start = reached = loaded_number(database)
    count = 0
    sealed: list[str] = []
    for segment in segments(folder):
        if segment.sealed:
            try:
                first, last, _ = sealed_range(segment.path)
            except StoreError:
                continue
            if last <= start:
                continue
            sealed.append(str(segment.path))
            count += last - max(start, first - 1)
            if len(sealed) == SEALED_TOGETHER:
                reached, sealed = _load_readable(database, sealed, reached), []
        else:
            reached, sealed = _load_readable(database, sealed, reached), []
            for batch in _batches(_unseen(segment.path, start)):
                load(database, batch)
                count += len(batch)
    _load_readable(database, sealed, reached)
    return count


def _load_readable(database: Database, paths: list[str], start: int) -> int:
    """The same as `_load_sealed`, past files whose bytes are damaged."""
    try:
        return _load_sealed(database, paths, start)
    except DiskFull:
        raise
    except StoreError:
        if len(paths) == 1:
            if _holds(Path(paths[0])):
                raise  # the file is well: it is the database that fails
            return start
    for path in paths:
        start = _load_readable(database, [path], start)
    return start


def _holds(path: Path) -> bool:
    try:
        return not any(isinstance(line, Damage) for line in read_sealed(path))
    except StoreError:
        return False


def _load_sealed(database: Database, paths: list[str], start: int) -> int:
    """Load the lines above `start` of sealed segments; returns the last number."""
    if not paths:
        return start
    low, high, receipts, distinct, last = database.query(
        "SELECT min(id), max(id), count(id), count(DISTINCT id), max(n) FROM read_parquet(?, union_by_name = true) "
        "WHERE n > ?",
        [paths, start],
    )[0]
    raw = database.query(
        "SELECT n, raw FROM read_parquet(?, union_by_name = true) WHERE n > ? AND raw IS NOT NULL ORDER BY n",
        [paths, start],
    )
    records = _unique((n, text.encode()) for n, text in raw)  # lines of an older form
    with database.transaction() as cursor:
        if low is not None:
            once = "" if receipts == distinct else ONCE_EACH
            cursor.execute(INSERT_SEALED + once, [paths, start, low, high])
        if records:
            _insert(cursor, records)
        cursor.execute("UPDATE journal_state SET loaded = greatest(loaded, ?)", [last])
    return int(last)


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
