"""Repair with a way back: finding → plan in words → copy of what it will touch → apply → check again → undo.

A repair never says it is done while the check that found the fault still fails.

    data/repairs/<id>/manifest.json     what was done, and what undo puts back
    data/repairs/<id>/0 … n             copies of the touched files (mode 0600)
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lancelot.errors import LancelotError, NotFound, StoreError
from lancelot.files import Disk, read_or_none, write_atomic

__all__ = ["Plan", "Repaired", "Repairer"]

KEPT = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done about one finding.

    Attributes:
        check: the name of the check that fails.
        finding: what is wrong, in words.
        steps: what would be done, in words and in order; empty when only a person can act.
        touches: the files that would change; they are copied first.
        apply: does it; may raise LancelotError.
    """

    check: str
    finding: str
    steps: tuple[str, ...]
    touches: tuple[Path, ...]
    apply: Callable[[], None]

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "finding": self.finding,
            "plan": list(self.steps),
            "touches": [path.name for path in self.touches],
        }


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a plan. `fixed` is what the check said afterwards, nothing else."""

    plan: Plan
    fixed: bool
    detail: str
    undo_id: str | None

    def to_dict(self) -> dict[str, Any]:
        return self.plan.to_dict() | {"fixed": self.fixed, "detail": self.detail, "undo": self.undo_id}


class Repairer:
    """Applies plans and can undo them. Keeps the last 20.

    Args:
        data_dir: the data folder; copies go to repairs/ in it.
        disk: the file operations; tests hand in their own.
        now: Unix seconds.
    """

    def __init__(self, data_dir: Path, *, disk: Disk | None = None, now: Callable[[], float] = time.time) -> None:
        self._folder = data_dir / "repairs"
        self._disk = disk or Disk()
        self._now = now

    def carry_out(self, plan: Plan, recheck: Callable[[], tuple[bool, str]]) -> Repaired:
        """Copy, apply, check again. A failure on the way is told in the outcome, never raised."""
        if not plan.steps:
            return Repaired(plan, False, "Nothing here can be repaired by itself; the finding says what to do.", None)
        try:
            undo_id = self.keep(plan.touches, plan.finding) if plan.touches else None
        except LancelotError as failed:
            return Repaired(plan, False, f"Nothing was touched, because no copy could be made. {failed.title}", None)
        try:
            plan.apply()
            fixed, detail = recheck()
        except LancelotError as failed:
            return Repaired(plan, False, f"{failed.title} {failed.hint}", undo_id)
        return Repaired(plan, fixed, detail if fixed else f"Still failing: {detail}", undo_id)

    def keep(self, files: Sequence[Path], why: str) -> str:
        """Copy the files as they are now; the id under which `undo` puts them back.

        Raises:
            StoreError, DiskFull: no copy could be made.
        """
        undo_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(self._now()))}-{secrets.token_hex(3)}"
        folder = self._folder / undo_id
        entries = []
        for number, path in enumerate(files):
            try:
                content = read_or_none(path)
                mode = path.stat().st_mode & 0o777 if content is not None else 0o600
            except OSError as problem:
                raise StoreError(f"{path.name} cannot be copied: {problem.strerror or problem}.") from problem
            if content is not None:
                write_atomic(folder / str(number), content, disk=self._disk)
            entries.append({"path": str(path), "existed": content is not None, "mode": mode})
        manifest = {"why": why, "at": self._now(), "files": entries}
        write_atomic(folder / "manifest.json", json.dumps(manifest, indent=1).encode(), disk=self._disk)
        self._drop_oldest()
        return undo_id

    def undo(
        self, undo_id: str | None = None, *, put_back: Mapping[Path, Callable[[bytes], None]] | None = None
    ) -> tuple[str, list[str]]:
        """Put the copies of one repair back (the newest when none is named): its id and the names of the files.

        Args:
            put_back: for files that somebody holds in memory, who takes their old content instead of the disk.

        Raises:
            NotFound: there is no such repair. StoreError: a file could not be put back.
        """
        known = self.kept()
        chosen = undo_id or (known[-1] if known else None)
        if chosen is None or chosen not in known:
            raise NotFound("There is no repair to undo.", hint="Nothing was changed.", code="nothing_to_undo")
        folder = self._folder / chosen
        manifest = json.loads((folder / "manifest.json").read_text())
        takers = put_back or {}
        entries = [(number, Path(entry["path"]), entry) for number, entry in enumerate(manifest["files"])]
        # what somebody holds in memory comes last: it may be judged by the files that are back by then
        for number, path, entry in sorted(entries, key=lambda item: item[1] in takers):
            if not entry["existed"]:
                self._disk.unlink(path)
            elif path in takers:
                takers[path]((folder / str(number)).read_bytes())
            else:
                write_atomic(path, (folder / str(number)).read_bytes(), mode=entry["mode"], disk=self._disk)
        names = [path.name for _, path, _ in entries]
        self._disk.rename(folder / "manifest.json", folder / "undone.json")
        return chosen, names

    def kept(self) -> list[str]:
        """The ids that can be undone, oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(entry.parent.name for entry in self._folder.glob("*/manifest.json"))

    def _drop_oldest(self) -> None:
        if not self._folder.is_dir():
            return
        for folder in sorted(entry for entry in self._folder.iterdir() if entry.is_dir())[:-KEPT]:
            for leftover in folder.iterdir():
                self._disk.unlink(leftover)
            folder.rmdir()
