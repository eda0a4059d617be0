"""Receipts for analysts: `connect()` gives a DuckDB connection with stable views, live or at rest.

The views read the journal's own files, sealed Parquet segments and the open segments' lines, never the console's
database, so any number of other processes can look on while the console writes. What a view shows is at most a second
behind what the gateway has acknowledged.

    receipts       every attempt, utility call, approval and event, one row each; costs are DECIMAL, NULL is unknown
    decisions      the attempts: why each went where it went
    usage_hourly   sums by hour, lane, model, task, key and status
    approvals      what people decided
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import orjson

from lancelot.settings import data_dir as default_data_dir
from lancelot.store.chain import verify
from lancelot.store.head import HeadFile
from lancelot.store.lines import Segment, last_line, segments
from lancelot.store.loader import STRUCTURE, TYPES
from lancelot.store.marks import read_checkpoint
from lancelot.store.rollup import raw_usage
from lancelot.store.rows import FIELDS, NAMES
from lancelot.store.views import DECISIONS, READABLE

__all__ = ["Freshness", "connect", "freshness"]

REFRESH_S = 0.5  # how soon a newly sealed segment is read from its sealed form; both forms overlap for ten seconds
VIEWS = {
    "receipts": f"SELECT {READABLE} FROM journal",  # noqa: S608 - our own column names
    "decisions": DECISIONS.format(source="journal"),
    "usage_hourly": raw_usage("TRUE").replace("FROM receipts", "FROM journal"),
    "approvals": (
        "SELECT id, request_id, time, host, key_id, task, risk, status, "
        "data->>'approval_id' AS approval_id, data->>'decision' AS decision, data->>'by' AS decided_by, "
        "CAST(CAST(reasons AS JSON) AS VARCHAR[]) AS reasons, CAST(data AS JSON) AS data "
        "FROM journal WHERE kind = 'approval'"
    ),
}


class Freshness(NamedTuple):
    """How fresh the views are and whether the chain behind them holds.

    Attributes:
        lines: the number of the newest line.
        newest: when the newest receipt was written; None when there is none.
        age_s: seconds since then.
        chain_ok: whether all segments join and the open ones hold; `problem` says what does not, in words.
        verified_through: up to this line every single receipt has been verified (`lancelot receipts verify`).
    """

    lines: int
    newest: datetime | None
    age_s: float | None
    chain_ok: bool
    problem: str | None
    verified_through: int


def connect(data_dir: Path | str | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB connection with the views `receipts`, `decisions`, `usage_hourly` and `approvals`.

    Works the same while the console runs and when it does not, and on an empty or missing data folder; receipts that
    are written later appear by themselves. Nothing it does can change what is stored.

    Args:
        data_dir: default is `settings.data_dir()`.
    """
    folder = (Path(data_dir) if data_dir is not None else default_data_dir()) / "journal"
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    shown = _files(folder)
    _define(connection, folder, shown)
    watcher = threading.Thread(
        target=_follow, args=(weakref.ref(connection), connection.cursor(), folder, shown), daemon=True, name="analysis"
    )
    watcher.start()
    return connection


def freshness(data_dir: Path | str | None = None) -> Freshness:
    """How fresh the data is and whether the chain holds; quick also for millions of receipts."""
    root = Path(data_dir) if data_dir is not None else default_data_dir()
    head = HeadFile.read(root / "journal.head")
    newest = _newest_time(root / "journal")
    report = verify(root, shallow=True)
    return Freshness(
        lines=head.n if head else report.head,
        newest=newest,
        age_s=(datetime.now(UTC) - newest).total_seconds() if newest else None,
        chain_ok=report.ok,
        problem=report.problems[0].words() if report.problems else None,
        verified_through=read_checkpoint(root).n,
    )


class _Files(NamedTuple):
    """Which files the views read: the sealed ones by name, and open ones numbered above the last of those."""

    sealed: tuple[Path, ...]
    has_open: bool


def _files(folder: Path) -> _Files:
    found: Sequence[Segment] = segments(folder) if folder.is_dir() else ()
    sealed = [segment for segment in found if segment.sealed]
    last = sealed[-1].number if sealed else 0
    # an open segment below a sealed one is damaged evidence; it is read like the other open ones
    return _Files(
        tuple(segment.path for segment in sealed), any(not s.sealed for s in found) or _open_exists(folder, last)
    )


def _open_exists(folder: Path, last: int) -> bool:
    return any(path.stem.isdigit() and int(path.stem) > last for path in folder.glob("*.jsonl"))


def _follow(
    owner: weakref.ref[duckdb.DuckDBPyConnection], cursor: duckdb.DuckDBPyConnection, folder: Path, shown: _Files
) -> None:
    """Move the views along as segments are sealed, until the connection is gone."""
    try:
        while owner() is not None:
            time.sleep(REFRESH_S)
            now = _files(folder)
            if now != shown:
                _define(cursor, folder, now)
                shown = now
    except (duckdb.Error, OSError):
        return  # the connection was closed, or the folder removed: the views stay as they are
    finally:
        cursor.close()


def _define(connection: duckdb.DuckDBPyConnection, folder: Path, files: _Files) -> None:
    """(Re)define all views in one transaction, so that a query sees either the old files or the new ones."""
    connection.execute("BEGIN")
    connection.execute(f"CREATE OR REPLACE VIEW journal AS {_source(connection, folder, files)}")
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")
    connection.execute("COMMIT")


def _source(connection: duckdb.DuckDBPyConnection, folder: Path, files: _Files) -> str:
    """A SELECT with the stored columns over all lines: sealed rows, rows kept raw, and the open segments' lines."""
    columns = ", ".join(NAMES)
    fields = ", ".join(f"r.{name}" for name in NAMES)
    parts = []
    if files.sealed:
        names = "[" + ", ".join(_quoted(path) for path in files.sealed) + "]"
        parquet = f"read_parquet({names}, union_by_name = true)"
        parts.append(f"SELECT n, {columns} FROM {parquet} WHERE raw IS NULL")  # noqa: S608 - quoted names
        odd = connection.execute(f"SELECT count(raw) FROM {parquet}").fetchone()  # noqa: S608
        if odd and odd[0]:
            parts.append(
                f"SELECT n, {fields} FROM (SELECT n, from_json(raw, '{STRUCTURE}') AS r "  # noqa: S608
                f"FROM {parquet} WHERE raw IS NOT NULL)"
            )
    if files.has_open:
        sealed = ", ".join(str(int(path.stem)) for path in files.sealed) or "0"
        row = ", ".join(f"{field.name} {TYPES[field.form]}" for field in FIELDS)
        parts.append(
            f"SELECT n, {fields} FROM read_json({_quoted(folder / '*.jsonl')}, format = 'newline_delimited', "  # noqa: S608
            f"columns = {{n: 'BIGINT', r: 'STRUCT({row})'}}, ignore_errors = true, filename = true) "
            f"WHERE CAST(regexp_extract(filename, '([0-9]+)\\.jsonl$', 1) AS BIGINT) NOT IN ({sealed})"
        )
    if not parts:
        nothing = ", ".join(f"CAST(NULL AS {TYPES[field.form]}) AS {field.name}" for field in FIELDS)
        return f"SELECT CAST(NULL AS BIGINT) AS n, {nothing} WHERE FALSE"
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) WHERE request_id IS NOT NULL"  # noqa: S608


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _newest_time(folder: Path) -> datetime | None:
    """The time of the newest receipt, from the end of the journal."""
    for segment in reversed(segments(folder) if folder.is_dir() else []):
        if segment.sealed:
            found = duckdb.execute(f"SELECT max(time) FROM read_parquet({_quoted(segment.path)})").fetchone()  # noqa: S608
            return found[0].replace(tzinfo=UTC) if found and found[0] else None
        line, _ = last_line(segment.path)
        if line is not None:
            text = orjson.loads(line.payload).get("time")
            return datetime.fromisoformat(text) if text else None
    return None
