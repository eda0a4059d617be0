"""Does the chain hold? Walks the journal's files alone, so it also works from another process, or on a copy.

A changed line no longer has the hash its successor carries; a removed line leaves a gap in the numbers; a cut-off tail
is shorter than the head kept outside; a sealed file of which any byte was changed no longer has the hash it was sealed
with. What was verified once is noted in a signed checkpoint, and the next walk goes on from there (a full one begins at
the beginning); of the sealed files before it only the hashes are taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lancelot.errors import StoreError
from lancelot.store.head import EMPTY, Head, HeadFile
from lancelot.store.lines import Line, Segment, read_lines, sealed_path, segments, split_line
from lancelot.store.marks import read_checkpoint, read_tombstones, write_checkpoint
from lancelot.store.seals import Seals
from lancelot.store.segments import Damage, as_sealed, read_sealed, sealed_head, sealed_range

__all__ = ["ChainProblem", "VerifyReport", "verify"]

PROBLEM_LIMIT = 100
WORDS = {
    "broken": "Line {n} has been changed",
    "missing": "Line {n} is missing",
    "cut_off": "The journal has been cut off: line {n} is the first that is gone",
    "no_head": "The head kept outside the journal is gone, so a cut-off tail could not be noticed",
    "bad_tombstone": "The note of pruned lines is not signed by this installation",
    "no_seal": "The note of the sealed file that begins with line {n} is gone, so a changed byte may go unnoticed",
    "bad_seal": "A note of what a sealed file looked like is not signed by this installation",
    "altered": "The sealed file that begins with line {n} is not the one that was sealed, though its lines are whole",
}


class ChainProblem(NamedTuple):
    """One place where the chain does not hold.

    Attributes:
        kind: broken, missing, cut_off, altered (a sealed file's bytes), no_head, no_seal,
            bad_tombstone or bad_seal.
        n, last: the first and last line concerned.
        segment: the file it was noticed in.
        receipt_id: the receipt's id where the line can still be read.
    """

    kind: str
    n: int
    last: int
    segment: str | None = None
    receipt_id: str | None = None

    def words(self) -> str:
        """One plain sentence."""
        text = WORDS[self.kind].format(n=self.n)
        if self.last > self.n:
            text += f" (and on to line {self.last})"
        if self.segment:
            text += f", noticed in {self.segment}"
        return text + (f"; receipt {self.receipt_id}." if self.receipt_id else ".")


class VerifyReport(NamedTuple):
    """What a walk found: how many lines it checked, from where to where, and every problem, the first one first."""

    ok: bool
    checked: int
    started_after: int
    head: int
    pruned_through: int
    problems: list[ChainProblem]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; `problem` is the first one in words, or None."""
        problems = [{**problem._asdict(), "words": problem.words()} for problem in self.problems]
        return {
            **self._asdict(),
            "problems": problems,
            "problem": problems[0]["words"] if problems else None,
        }


def verify(data_dir: Path, *, full: bool = False, shallow: bool = False) -> VerifyReport:
    """Walk the chain from the last verified checkpoint (or from the beginning when `full`) to its head.

    A shallow walk reads only open segments, and of sealed ones whether they are all there and join, not their bytes.
    Lines written meanwhile are not waited for. Writes a new checkpoint as far as the chain holds, when it can.
    """
    return _Walk(data_dir, full, shallow).run()


class _Walk:
    def __init__(self, data_dir: Path, full: bool, shallow: bool) -> None:
        self._shallow = shallow
        self._data_dir = data_dir
        self._folder = data_dir / "journal"
        self._problems: list[ChainProblem] = []
        self._checked = 0
        self._outside = HeadFile.read(data_dir / "journal.head")  # before the lines: they only grow
        tombstones = read_tombstones(data_dir)
        self._pruned = max((stone.head for stone in tombstones if stone.holds), default=EMPTY)
        if not all(stone.holds for stone in tombstones):
            self._note("bad_tombstone", 0)
        self._seals = Seals(data_dir) if not shallow else None
        if self._seals is not None and not self._seals.intact:
            self._note("bad_seal", 0)
        checkpoint = EMPTY if full else read_checkpoint(data_dir)
        self._start = max(checkpoint, self._pruned, key=lambda head: head.n)
        # the newest line seen, whose hash the next must carry; None when it could not be read
        self._at: Head | None = self._pruned
        self._newest = self._good = self._pruned

    def run(self) -> VerifyReport:
        began = time.monotonic()
        for segment in segments(self._folder):
            as_it_was = self._as_it_was(segment)
            if segment.sealed and as_it_was and self._verified_before(segment):
                continue
            known = len(self._problems)
            self._segment(segment)
            if not as_it_was and len(self._problems) == known:
                self._altered(segment)
        self._compare_with_head()
        if self._good.n > self._start.n and not self._shallow:
            self._keep_checkpoint()
        return VerifyReport(
            not self._problems,
            self._checked,
            self._start.n,
            self._newest.n,
            self._pruned.n,
            self._problems[:PROBLEM_LIMIT],
            round(time.monotonic() - began, 3),
        )

    def _as_it_was(self, segment: Segment) -> bool:
        """Whether a sealed segment's file has the bytes it was sealed with, as far as anybody noted them."""
        if self._seals is None or not segment.sealed:
            return True
        if as_sealed(segment.path, self._seals) is False:
            self._seals = Seals(self._data_dir)  # it may have been written since they were read
            return as_sealed(segment.path, self._seals) is not False
        return True

    def _altered(self, segment: Segment) -> None:
        first, last, _ = sealed_range(segment.path)
        noted = self._seals is not None and self._seals.of(segment.path.name)
        self._note("altered" if noted else "no_seal", first, last, segment)

    def _verified_before(self, segment: Segment) -> bool:
        """A segment the checkpoint covers is not read again, but it must still be there, joined to its neighbours."""
        try:
            first, last, prev = sealed_range(segment.path)
        except StoreError:
            return False  # it is walked, and told
        if last <= self._pruned.n:
            return True  # a prune was interrupted before it removed the file
        if last > self._start.n and not self._shallow:
            return False
        self._join(first, prev, segment)
        self._at = self._newest = sealed_head(segment.path)
        return True

    def _segment(self, segment: Segment) -> None:
        try:
            for item in self._lines(segment):
                if isinstance(item, Damage):
                    self._note(item.kind, item.n, item.n, segment)
                    self._at = self._newest = sealed_head(segment.path)
                    return
                self._line(item, segment)
        except StoreError:
            at = self._at.n if self._at else self._newest.n
            self._note("broken", at + 1, at + 1, segment)
            self._at = None  # whatever comes next is taken as it is
            try:
                self._newest = sealed_head(segment.path)  # its rows cannot be read, but where it ends can
            except StoreError:
                return

    def _lines(self, segment: Segment) -> Iterator[Line | Damage | None]:
        path = segment.path
        if not segment.sealed and not path.exists():  # sealed and tidied away meanwhile
            path = sealed_path(self._folder, segment.number)
        if path.suffix == ".parquet":
            yield from read_sealed(path)
            return
        for _, raw in read_lines(path):
            yield split_line(raw)

    def _line(self, line: Line | None, segment: Segment) -> None:
        if line is None:
            if self._at is not None:
                self._note("broken", self._at.n + 1, self._at.n + 1, segment)
                self._newest = Head(self._at.n + 1, "")
            self._at = None
            return
        for known in (self._pruned, self._start):
            if line.n == known.n and line.hash != known.hash:
                self._note("broken", line.n, line.n, segment, line)
        if line.n <= self._pruned.n:
            return
        self._checked += 1
        self._join(line.n, line.prev, segment)
        self._at = self._newest = Head(line.n, line.hash)
        if not self._problems:
            # a line is only known to be unchanged once its successor, or the head outside, says so
            self._good = Head(line.n - 1, line.prev)

    def _join(self, n: int, prev: str, segment: Segment) -> None:
        """What line `n` says of its predecessor must be what was seen."""
        if n > self._newest.n + 1:
            self._note("missing", self._newest.n + 1, n - 1, segment)
        elif n <= self._newest.n:
            self._note("broken", n, n, segment)
        elif self._at is not None and prev != self._at.hash:
            self._note("broken", self._at.n, self._at.n, segment)

    def _compare_with_head(self) -> None:
        newest = self._newest
        if self._outside is None:
            if newest.n > 0:
                self._note("no_head", newest.n)
            return
        if self._outside.n > newest.n:
            self._note("cut_off", newest.n + 1, self._outside.n)
        elif self._outside.n == newest.n and newest.hash and self._outside.hash != newest.hash:
            self._note("broken", newest.n, newest.n)
        elif self._outside == newest and not self._problems:
            self._good = newest

    def _note(
        self, kind: str, n: int, last: int | None = None, segment: Segment | None = None, line: Line | None = None
    ) -> None:
        name = segment.path.name if segment else None
        self._problems.append(ChainProblem(kind, n, last or n, name, _receipt_id(line)))

    def _keep_checkpoint(self) -> None:
        try:
            write_checkpoint(self._data_dir, self._good, datetime.now(UTC).isoformat())
        except StoreError:
            return  # a read-only copy can be verified too; the next walk simply begins earlier


def _receipt_id(line: Line | None) -> str | None:
    if line is None:
        return None
    try:
        found = orjson.loads(line.payload).get("id")
    except (ValueError, AttributeError):
        return None
    return str(found) if found is not None else None
