"""A large data folder in a minute: real receipts once, then copies of their sealed segments moved in time.

The copies have ids, times and line numbers of their own and join each other, so every reader takes them for receipts;
only the hash of each single line is not theirs (`lancelot receipts verify --full` would say so).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from lancelot.demo import seed
from lancelot.files import Disk
from lancelot.store import segments as sealed
from lancelot.store.ledger import ReceiptStore
from lancelot.store.lines import Segment, sealed_path, segments

__all__ = ["grown", "sealed_backlog"]

STEP_MS = 1 << 16  # ids begin with 12 hex digits of milliseconds; whole steps change only the first eight
ORIGINALS = 100_000
MOVED_ID = "printf('%08x', CAST('0x' || substr({name}, 1, 8) AS BIGINT) + {steps}) || substr({name}, 9) AS {name}"


def sealed_backlog(folder: Path, count: int, *, days: int = 60, end: datetime | None = None) -> None:
    """A journal of `count` receipts over `days` days, all in sealed segments, and no database yet.

    More than 100,000 are rounded up to whole copies of so many.
    """
    copies = max(1, -(-count // ORIGINALS))
    span = timedelta(milliseconds=STEP_MS * max(1, round(days * 86_400_000 / copies / STEP_MS)))
    first = (end or datetime.now(UTC)) - span * (copies - 1)
    store = ReceiptStore(folder)
    seed(store, min(count, ORIGINALS), days=span / timedelta(days=1), end=first)
    store.close()
    for path in sorted(folder.glob("journal/*.jsonl")):
        if path.stat().st_size and not path.with_suffix(".parquet").exists():
            assert sealed.seal(path, path.with_suffix(".parquet"))
        path.unlink()
    for path in [folder / "journal.head", *folder.glob("lancelot.duckdb*")]:
        path.unlink()
    originals = [segment for segment in segments(folder / "journal") if segment.number > 0]
    for copy in range(1, copies):
        for original in originals:
            _copy(original, originals[-1], copy, span * copy)


def grown(folder: Path, count: int, *, days: int = 60) -> ReceiptStore:
    """A store of `count` receipts, opened: its database loaded from the sealed backlog."""
    sealed_backlog(folder, count, days=days)
    return ReceiptStore(folder)


def _copy(source: Segment, newest: Segment, copy: int, later: timedelta) -> None:
    end = sealed.sealed_head(newest.path)
    segment, lines, milliseconds = pq.read_table(source.path), end.n * copy, round(later.total_seconds() * 1000)
    changes = [f"n + {lines} AS n", f"time + to_milliseconds({milliseconds}) AS time"]
    for name in ("id", "request_id", "parent_id"):
        changes.append(MOVED_ID.format(name=name, steps=milliseconds // STEP_MS))
    moved = duckdb.sql(f"SELECT * REPLACE ({', '.join(changes)}) FROM segment").to_arrow_table()
    low, high, _ = sealed.sealed_range(source.path)
    follows_originals = low + lines == end.n + 1
    metadata = dict(segment.schema.metadata) | {
        b"first_n": str(low + lines).encode(),
        b"last_n": str(high + lines).encode(),
        b"first_prev": end.hash.encode() if follows_originals else _stand_in(low + lines - 1),
        b"last_hash": _stand_in(high + lines),
    }
    del metadata[sealed.NOTED]  # nobody noted the copy's hash
    target = sealed_path(source.path.parent, newest.number * copy + source.number)
    sealed._write_table(moved.cast(segment.schema).replace_schema_metadata(metadata), target, Disk())


def _stand_in(n: int) -> bytes:
    """Stands where the hash of line n would."""
    return f"{n:064x}".encode()
