"""Removing receipts by age, so that the rest still verifies: a signed tombstone takes the place of what is gone.

The order makes it safe against kills: first the tombstone, then the files, then the rows. What a kill leaves behind is
removed by the next prune or start.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lancelot.errors import StoreError
from lancelot.store.database import Database
from lancelot.store.head import Head
from lancelot.store.lines import Line, open_path, segments
from lancelot.store.marks import read_tombstones, write_tombstone
from lancelot.store.rollup import catch_up
from lancelot.store.segments import Damage, read_sealed, sealed_range, write_sealed

__all__ = ["PruneReport", "carry_out", "last_older", "prune"]


class PruneReport(NamedTuple):
    """What a prune removed.

    Attributes:
        removed: receipts removed from the database.
        pruned_through: the number of the last journal line that is gone.
        tombstone: what was signed; None when nothing was old enough.
    """

    removed: int
    pruned_through: int
    tombstone: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return self._asdict()


def last_older(database: Database, before: datetime) -> int:
    """The last line number such that every receipt up to it is older than `before`; 0 when there is none."""
    moment = _naive(before)
    newer = database.query("SELECT min(n) FROM receipts WHERE time >= ?", [moment])[0][0]
    if newer is not None:
        return int(newer) - 1
    return int(database.query("SELECT coalesce(max(n), 0) FROM receipts")[0][0])


def prune(data_dir: Path, database: Database, through: int, before: datetime) -> PruneReport:
    """Remove lines up to number `through`; all of them must lie in sealed segments.

    Raises:
        StoreError: a segment cannot be read (nothing is removed), or the disk refuses.
    """
    done = max((stone.head.n for stone in read_tombstones(data_dir) if stone.holds), default=0)
    if through <= done:
        return PruneReport(0, done, None)
    head = _line_head(data_dir / "journal", through)
    removed, oldest, newest = database.query(
        "SELECT count(*), min(time), max(time) FROM receipts WHERE n <= ?", [through]
    )[0]
    tombstone = write_tombstone(
        data_dir,
        head,
        {
            "removed": removed,
            "oldest": oldest.isoformat() if oldest else None,
            "newest": newest.isoformat() if newest else None,
            "before": before.isoformat(),
            "at": datetime.now(UTC).isoformat(),
        },
    )
    carry_out(data_dir, database)
    return PruneReport(removed, through, tombstone)


def carry_out(data_dir: Path, database: Database) -> None:
    """Remove whatever the tombstones say is gone: files first, then rows. Repeating it changes nothing."""
    head = max((stone.head for stone in read_tombstones(data_dir) if stone.holds), default=Head(0, ""))
    if head.n == 0:
        return
    folder = data_dir / "journal"
    for segment in segments(folder):
        if not segment.sealed:
            break
        first, last, _ = sealed_range(segment.path)
        if first > head.n:
            break
        open_path(folder, segment.number).unlink(missing_ok=True)
        if last <= head.n:
            segment.path.unlink()
        else:
            kept = [line for line in _all_lines(segment.path) if line.n > head.n]
            write_sealed(kept, segment.path)
    for torn in folder.glob("*.torn-*"):
        torn.unlink()
    catch_up(database)
    with database.transaction() as cursor:
        newest = cursor.execute("SELECT max(time) FROM receipts WHERE n <= ?", [head.n]).fetchone()
        cursor.execute("DELETE FROM receipts WHERE n <= ?", [head.n])
        cursor.execute(
            "UPDATE journal_state SET loaded = greatest(loaded, ?), rolled = greatest(coalesce(rolled, 0), ?)",
            [head.n, head.n],
        )
        if newest and newest[0] is not None:
            cursor.execute(
                "UPDATE journal_state SET pruned_before = "
                "greatest(coalesce(pruned_before, TIMESTAMP '1970-01-01'), date_trunc('hour', CAST(? AS TIMESTAMP)))",
                [newest[0]],
            )


def _line_head(folder: Path, n: int) -> Head:
    for segment in segments(folder):
        if not segment.sealed:
            continue
        first, last, _ = sealed_range(segment.path)
        if first <= n <= last:
            line = next(line for line in _all_lines(segment.path) if line.n == n)
            return Head(line.n, line.hash)
    raise StoreError("These receipts are not sealed yet.", code="not_sealed", hint="Try again in a moment.")


def _all_lines(path: Path) -> list[Line]:
    lines = []
    for line in read_sealed(path):
        if isinstance(line, Damage):
            raise StoreError(
                f"{path.name} does not verify, so nothing is pruned.",
                code="segment_damaged",
                hint="Run `lancelot receipts verify`.",
            )
        lines.append(line)
    return lines


def _naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
