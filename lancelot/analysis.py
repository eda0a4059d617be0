"""Receipts for analysts: `connect()` gives a DuckDB connection with stable views, live or at rest.

The views read the journal's own files, sealed Parquet segments and the open segments' lines, never the console's
database, so any number of other processes can look on while the console writes. What a view shows is at most a second
behind what the gateway has acknowledged.

    receipts       every attempt, utility call, approval and event, one row each; costs are DECIMAL, NULL is unknown
    decisions      the attempts: why each went where it went
    usage_hourly   sums by hour, lane, model, task, key and status
    approvals      what people decided
    freshness      one row: newest line, its age in seconds, whether the chain holds (NULL until a long one is checked)
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb
import orjson
import pyarrow.parquet as pq

from lancelot.settings import data_dir as default_data_dir
from lancelot.store.chain import verify
from lancelot.store.head import HeadFile
from lancelot.store.lines import Segment, last_line, segments
from lancelot.store.loader import STRUCTURE, TYPES
from lancelot.store.marks import read_checkpoint
from lancelot.store.rollup import raw_usage
from lancelot.store.rows import FIELDS, NAMES, plain_decimal
from lancelot.store.views import DECISIONS, READABLE

__all__ = ["Freshness", "connect", "freshness", "plain"]

REFRESH_S = 0.5  # how soon a newly sealed segment is read from its sealed form; both forms overlap for ten seconds
CHECKED_AT_ONCE = 200  # sealed segments whose chain `connect` checks before it returns
CHECK_AFTER_S = 3.0  # a longer journal is checked a little later, out of the way of the first questions
VIEWS = {
    "receipts": f"SELECT {READABLE} FROM journal",  # noqa: S608 - our own column names
    "decisions": DECISIONS.format(source="journal"),
    # unlike the console's own sums, a group without any known price costs NULL here, so that nobody adds up a zero
    "usage_hourly": (
        "SELECT * EXCLUDE (replaced_calls, replaced_usd) REPLACE ("  # noqa: S608
        "CASE WHEN priced_calls > 0 OR unpriced_calls = 0 THEN cost_usd END AS cost_usd) "
        f"FROM ({raw_usage('TRUE').replace('FROM receipts', 'FROM journal')})"
    ),
    "approvals": (
        "SELECT id, request_id, time, host, key_id, task, risk, status, "
        "data->>'approval_id' AS approval_id, data->>'decision' AS decision, data->>'by' AS decided_by, "
        "CAST(CAST(reasons AS JSON) AS VARCHAR[]) AS reasons, CAST(data AS JSON) AS data "
        "FROM journal WHERE kind = 'approval'"
    ),
    "freshness": (
        "SELECT lines, newest, date_diff('millisecond', newest, CAST(now() AS TIMESTAMP)) / 1000.0 AS age_s, "
        "ok AS chain_ok, problem, checked AS chain_checked "
        "FROM (SELECT max(n) AS lines, max(time) AS newest FROM journal), chain_state"
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
    """An in-memory DuckDB connection with the views `receipts`, `decisions`, `usage_hourly`, `approvals`, `freshness`.

    Works the same while the console runs and when it does not, and on an empty or missing data folder; receipts that
    are written later appear by themselves. Nothing it does can change what is stored.

    Args:
        data_dir: default is `settings.data_dir()`.
    """
    root = Path(data_dir) if data_dir is not None else default_data_dir()
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")  # sealed files never change
    views = _Views(root)
    views.show(connection)
    watcher = threading.Thread(
        target=_follow, args=(weakref.ref(connection), connection.cursor(), views), daemon=True, name="analysis"
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


def plain(amount: Decimal) -> str:
    """Money as the console writes it: plain digits, no trailing zeros."""
    return plain_decimal(amount)


class _Files(NamedTuple):
    """Which files the views read: the sealed ones by name, and whether there are open ones."""

    sealed: tuple[Path, ...]
    has_open: bool


class _Views:
    """The views of one connection, moved along as segments are sealed and pruned."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "journal"
        self._shown: _Files | None = None
        self._looked_into: set[Path] = set()  # sealed files known to hold no lines kept raw, or to hold some:
        self._odd: set[Path] = set()
        self._unchecked, self._moved = False, 0.0

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """(Re)define all views when the files have changed, in one transaction: a query sees the old or the new."""
        files = self._files()
        if files == self._shown:
            return
        self._look_into(connection, files)
        connection.execute("BEGIN")
        connection.execute(f"CREATE OR REPLACE VIEW journal AS {self._source(files)}")
        few = len(files.sealed) <= CHECKED_AT_ONCE
        self._note(connection, *(self._chain() if few else (None, "The chain is being checked.")))
        for name, sql in VIEWS.items():
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")
        connection.execute("COMMIT")
        self._shown, self._unchecked, self._moved = files, not few, time.monotonic()

    def check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Check the chain of a long journal, which `show` does not wait for."""
        if self._unchecked and time.monotonic() - self._moved >= CHECK_AFTER_S:
            found = self._chain()
            connection.execute("BEGIN")
            self._note(connection, *found)
            connection.execute("COMMIT")
            self._unchecked = False

    def _chain(self) -> tuple[bool, str | None]:
        """(whether all segments are there and join, what is wrong in words)."""
        report = verify(self._root, shallow=True) if self._folder.is_dir() else None
        problem = report.problems[0].words() if report and report.problems else None
        return problem is None, problem

    def _note(self, connection: duckdb.DuckDBPyConnection, ok: bool | None, problem: str | None) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS chain_state (checked TIMESTAMP, ok BOOLEAN, problem VARCHAR)")
        connection.execute("DELETE FROM chain_state")
        moment = datetime.now(UTC).replace(tzinfo=None)
        connection.execute("INSERT INTO chain_state VALUES (?, ?, ?)", [moment, ok, problem])

    def _files(self) -> _Files:
        found: Sequence[Segment] = segments(self._folder) if self._folder.is_dir() else ()
        sealed = tuple(segment.path for segment in found if segment.sealed)
        # an open segment below a sealed one is damaged evidence; it is read like the other open ones
        return _Files(sealed, any(not segment.sealed for segment in found))

    def _look_into(self, connection: duckdb.DuckDBPyConnection, files: _Files) -> None:
        """Find out which new sealed files hold lines of an older form."""
        fresh = [path for path in files.sealed if path not in self._looked_into]
        if fresh:
            rows = connection.execute(
                f"SELECT DISTINCT filename FROM read_parquet({_list(fresh)}, filename = true, union_by_name = true) "  # noqa: S608
                "WHERE raw IS NOT NULL"
            ).fetchall()
            self._odd |= {Path(row[0]) for row in rows}
            self._looked_into |= set(fresh)

    def _source(self, files: _Files) -> str:
        """A SELECT with the stored columns over all lines: sealed rows, rows kept raw, and the open segments' lines."""
        columns = ", ".join(NAMES)
        fields = ", ".join(f"r.{name}" for name in NAMES)
        odd = [path for path in files.sealed if path in self._odd]
        parts = []
        if files.sealed:
            # columns are only ever added: when the first and the last file agree, all do
            union = _columns(files.sealed[0]) != _columns(files.sealed[-1])
            plain = "WHERE kind IS NOT NULL" + (" AND raw IS NULL" if odd else "")
            source = f"read_parquet({_list(files.sealed)}, union_by_name = {union})"
            parts.append(f"SELECT n, {columns} FROM {source} {plain}")  # noqa: S608 - quoted names
        if odd:
            parts.append(
                f"SELECT n, {fields} FROM (SELECT n, from_json(raw, '{STRUCTURE}') AS r "  # noqa: S608
                f"FROM read_parquet({_list(odd)}, union_by_name = true) WHERE raw IS NOT NULL) "
                "WHERE r.request_id IS NOT NULL"
            )
        if files.has_open:
            sealed = ", ".join(str(int(path.stem)) for path in files.sealed) or "0"
            row = ", ".join(f"{field.name} {TYPES[field.form]}" for field in FIELDS)
            lines = _quoted(self._folder / "*.jsonl")
            parts.append(
                f"SELECT n, {fields} FROM read_json({lines}, format = 'newline_delimited', "  # noqa: S608
                f"columns = {{n: 'BIGINT', r: 'STRUCT({row})'}}, ignore_errors = true, filename = true) "
                f"WHERE CAST(regexp_extract(filename, '([0-9]+)\\.jsonl$', 1) AS BIGINT) NOT IN ({sealed}) "
                "AND r.request_id IS NOT NULL"
            )
        if not parts:
            nothing = ", ".join(f"CAST(NULL AS {TYPES[field.form]}) AS {field.name}" for field in FIELDS)
            return f"SELECT CAST(NULL AS BIGINT) AS n, {nothing} WHERE FALSE"
        return " UNION ALL ".join(parts)


def _follow(owner: weakref.ref[duckdb.DuckDBPyConnection], cursor: duckdb.DuckDBPyConnection, views: _Views) -> None:
    """Move the views along as segments are sealed, until the connection is gone."""
    try:
        while owner() is not None:
            time.sleep(REFRESH_S)
            views.show(cursor)
            views.check(cursor)
    except (duckdb.Error, OSError):
        return  # the connection was closed, or the folder removed: the views stay as they are
    finally:
        cursor.close()


def _columns(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def _list(paths: Sequence[Path]) -> str:
    return "[" + ", ".join(_quoted(path) for path in paths) + "]"


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
