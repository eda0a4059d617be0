"""Sealed segments: a full piece of the journal as one immutable Parquet file that still proves the chain.

A row is a receipt in columns; the line it came from is put together again byte for byte when the chain is verified.
Where that is not possible (a line of an older or foreign form), the row carries the line's JSON in `raw`. `check` is
the start of each line's hash, so that a changed row is found by number; the full hash of the last line and the one
before the first are in the file's metadata. The file's own SHA-256 is noted outside it (`seals`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lancelot.errors import StoreError
from lancelot.files import Disk, as_store_error
from lancelot.store.head import Head
from lancelot.store.lines import Line, join_line, line_hash, read_lines, sealed_path, split_line
from lancelot.store.rows import FIELDS, NAMES, Field, plain_decimal
from lancelot.store.seals import Seals, file_sha256, note_seal

__all__ = [
    "Damage",
    "as_sealed",
    "ensure_empty",
    "read_sealed",
    "seal",
    "sealed_head",
    "sealed_range",
    "write_sealed",
]

ARROW = {
    "text": pa.string(),
    "json": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "time": pa.timestamp("us"),
    "money": pa.decimal128(18, 12),
}
SCHEMA = pa.schema(
    [
        pa.field("n", pa.int64(), nullable=False),
        *(pa.field(field.name, ARROW[field.form]) for field in FIELDS),
        pa.field("check", pa.uint32(), nullable=False),
        pa.field("raw", pa.string()),
    ]
)
UNIQUE = ("id", "request_id", "parent_id", "sent_sha256")  # a dictionary would only cost space
DELTA = ("n", "time", "redaction_us", "decision_us", "provider_us", "first_token_us", "total_us", "check")
FORMAT = b"1"
PART = 1_000  # lines turned into columns at a time: their Python objects are most of what sealing needs
NOTED = b"noted"  # in the metadata of files whose hash is noted in journal.seals
NEEDED = (b"first_prev", b"last_hash", b"first_n", b"last_n")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
INT64 = 2**63
UNREADABLE = (ValueError, TypeError, KeyError, ArithmeticError)  # what values from a changed file lead to


class Damage(NamedTuple):
    """A place where the chain does not hold: the line's number, and whether it is broken or missing."""

    n: int
    kind: str


def seal(source: Path, target: Path, *, disk: Disk | None = None) -> bool:
    """Turn a full open segment into its Parquet file; False when its own chain is broken.

    A broken segment stays as it is: sealing must not tidy evidence away. The source is not removed (readers of other
    processes may be in it).
    """
    try:
        write_sealed(_linked(source), target, disk=disk)
    except _Unlinked:
        return False
    return True


def write_sealed(lines: Iterable[Line], target: Path, *, disk: Disk | None = None) -> None:
    """Write consecutive lines (one at least) as a sealed segment: temporary name, fsync, rename, fsync of the folder.

    Before the rename the file's hash is noted in the folder above the target's, where the head is.
    """
    parts, first, last = [], None, None
    source = iter(lines)
    while part := list(itertools.islice(source, PART)):
        first, last = first or part[0], part[-1]
        parts.append(_table(part))
    assert first is not None
    assert last is not None
    table = pa.concat_tables(parts).replace_schema_metadata(
        {
            b"lancelot_format": FORMAT,
            b"first_prev": first.prev.encode(),
            b"last_hash": last.hash.encode(),
            b"first_n": str(first.n).encode(),
            b"last_n": str(last.n).encode(),
            NOTED: b"yes",
        }
    )
    _write_table(table, target, disk or Disk(), noted=True)
    del parts, table
    pa.default_memory_pool().release_unused()  # sealing is rare: until the next time the memory is for others


class _Unlinked(Exception):
    """The lines of a segment are not one chain, or there are none."""


def _linked(source: Path) -> Iterator[Line]:
    """The lines of an open segment; raises _Unlinked where one does not follow the one before."""
    last: Line | None = None
    for _, raw in read_lines(source):
        line = split_line(raw)
        if line is None or (last is not None and (line.n != last.n + 1 or line.prev != last.hash)):
            raise _Unlinked
        yield line
        last = line
    if last is None:
        raise _Unlinked


def as_sealed(path: Path, seals: Seals) -> bool | None:
    """Whether a sealed file has the bytes it was sealed with; None for one from before that was noted.

    A file that is gone or cannot be read is not as it was.
    """
    try:
        known = seals.of(path.name)
        if known:
            return file_sha256(path) in known
        return False if NOTED in _metadata(path) else None
    except (OSError, StoreError):
        return False


def ensure_empty(folder: Path) -> None:
    """Keep a segment of no rows, 0000.parquet, so that readers of `*.parquet` always find one schema."""
    target = sealed_path(folder, 0)
    if not target.exists():
        _write_table(SCHEMA.empty_table(), target, Disk())


def sealed_head(path: Path) -> Head:
    """Number and hash of a sealed segment's last line, from its metadata.

    Raises:
        StoreError: `code` segment_damaged.
    """
    metadata = _metadata(path)
    return Head(int(metadata[b"last_n"]), metadata[b"last_hash"].decode("ascii", "replace"))


def sealed_range(path: Path) -> tuple[int, int, str]:
    """(first number, last number, hash of the line before the first) of a sealed segment."""
    metadata = _metadata(path)
    return int(metadata[b"first_n"]), int(metadata[b"last_n"]), metadata[b"first_prev"].decode("ascii", "replace")


def read_sealed(path: Path) -> Iterator[Line | Damage]:
    """The lines of a sealed segment, put together again; at the first row that does not fit, a `Damage`, then no more.

    Raises:
        StoreError: `code` segment_damaged, when the file cannot be read at all.
    """
    metadata = _metadata(path)
    prev, last_hash = (metadata[key].decode("ascii", "replace") for key in (b"first_prev", b"last_hash"))
    expected, last = int(metadata[b"first_n"]), int(metadata[b"last_n"])
    try:
        table = pq.read_table(path, memory_map=False)
        numbers, checks, raws = (table.column(name).to_pylist() for name in ("n", "check", "raw"))
        fields, columns = _columns(table)
    except (pa.ArrowException, OSError, *UNREADABLE) as problem:
        raise _damaged(path) from problem
    for index, (n, check, raw) in enumerate(zip(numbers, checks, raws, strict=True)):
        if n != expected:
            yield Damage(expected, "missing")
            return
        try:
            payload = raw.encode() if raw is not None else _rebuild(fields, [column[index] for column in columns])
            hash_ = line_hash(join_line(n, prev, payload))
            holds = int(hash_[:8], 16) == check
        except UNREADABLE:
            holds = False
        if not holds:
            yield Damage(n, "broken")
            return
        yield Line(n, prev, payload, hash_)
        prev, expected = hash_, n + 1
    if expected != last + 1:
        yield Damage(expected, "missing")
    elif prev != last_hash:
        yield Damage(last, "broken")


def _metadata(path: Path) -> dict[bytes, bytes]:
    try:
        metadata = pq.read_schema(path).metadata
    except (pa.ArrowException, OSError, *UNREADABLE) as problem:
        raise _damaged(path) from problem
    if not metadata or metadata.get(b"lancelot_format") != FORMAT or not all(key in metadata for key in NEEDED):
        raise _damaged(path)
    if not (metadata[b"first_n"].isdigit() and metadata[b"last_n"].isdigit()):
        raise _damaged(path)
    return dict(metadata)


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"The sealed journal segment {path.name} cannot be read.",
        code="segment_damaged",
        hint="Restore it from a backup; `lancelot receipts verify` tells what is missing.",
    )


def _write_table(table: Any, target: Path, disk: Disk, *, noted: bool = False) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=6,
            use_dictionary=[name for name in table.schema.names if name not in (*UNIQUE, *DELTA)],
            column_encoding=dict.fromkeys(DELTA, "DELTA_BINARY_PACKED"),
            write_statistics=[name for name in ("n", "time", "id", "raw") if name in table.schema.names],
        )
        temporary.chmod(0o600)
        with temporary.open("rb") as file:
            disk.fsync(file.fileno())
        if noted:
            note_seal(target.parent.parent, target.name, file_sha256(temporary))
        disk.rename(temporary, target)
        disk.fsync_folder(target.parent)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise as_store_error(problem, target) from problem


def _table(lines: Sequence[Line]) -> Any:
    columns: list[list[Any]] = [[] for _ in FIELDS]
    raws: list[str | None] = []
    for line in lines:
        values = _split(line.payload)
        raws.append(None if values else line.payload.decode())
        for column, value in zip(columns, values or [None] * len(FIELDS), strict=True):
            column.append(value)
    data = {
        "n": [line.n for line in lines],
        **dict(zip(NAMES, columns, strict=True)),
        "check": [int(line.hash[:8], 16) for line in lines],
        "raw": raws,
    }
    table = pa.table(data, schema=SCHEMA)
    fields, back = _columns(table)
    for index, line in enumerate(lines):
        if raws[index] is None and _rebuild(fields, [column[index] for column in back]) != line.payload:
            raws[index] = line.payload.decode()
    return table.set_column(SCHEMA.get_field_index("raw"), SCHEMA.field("raw"), pa.array(raws, pa.string()))


def _columns(table: Any) -> tuple[list[Field], list[list[Any]]]:
    """The record's fields in the file's own order (an older file may have fewer), and their values."""
    known = {field.name: field for field in FIELDS}
    fields = [known[name] for name in table.schema.names if name in known]
    return fields, [table.column(field.name).to_pylist() for field in fields]


def _split(payload: bytes) -> list[Any] | None:
    """The values of a line's record in the order of `FIELDS`; None when it does not fit the columns."""
    try:
        record = orjson.loads(payload)
        if not record.keys() <= set(NAMES):
            return None
        return [_value(field.form, record.get(field.name)) for field in FIELDS]
    except (ValueError, TypeError, ArithmeticError):
        return None


def _value(form: str, value: Any) -> Any:
    if value is None:
        return None
    if form == "json":
        return orjson.dumps(value).decode()
    if form == "time":
        if not TIME.fullmatch(value):
            raise ValueError(form)
        return datetime.fromisoformat(value[:-1])
    if form == "money":
        return Decimal(value)
    if form == "float":
        return float(value)
    if form == "int" and not (type(value) is int and -INT64 <= value < INT64):
        raise ValueError(form)
    if form == "text" and not isinstance(value, str):
        raise ValueError(form)
    return value


def _rebuild(fields: Sequence[Field], values: Sequence[Any]) -> bytes:
    record: dict[str, Any] = {}
    for field, value in zip(fields, values, strict=True):
        if value is None:
            continue
        if field.form == "json":
            record[field.name] = orjson.Fragment(value)
        elif field.form == "time":
            record[field.name] = value.isoformat(timespec="microseconds") + "Z"
        elif field.form == "money":
            record[field.name] = plain_decimal(value)
        else:
            record[field.name] = value
    return orjson.dumps(record)
