"""Repair with a way back: finding → plan and difference → copy of what it will touch → apply → check again → undo.

A repair never says it is done while the check that found the fault still fails.

    data/repairs/<id>/manifest.json     what was done, and what undo puts back
    data/repairs/<id>/0 … n             copies of the touched files (mode 0600)
    data/repairs/<id>/undone.json       the manifest of a repair that was undone
    data/repairs/<id>/noted.json        the manifest of one that touched no file, so that there is nothing to undo
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lancelot.errors import LancelotError, NotFound, StoreError
from lancelot.filediff import file_diff
from lancelot.files import Disk, read_or_none, write_atomic

__all__ = ["Past", "Plan", "Repaired", "Repairer"]

KEPT = 20
MANIFESTS = ("manifest.json", "undone.json", "noted.json")


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done about one finding.

    Attributes:
        check: the name of the check that fails.
        finding: what is wrong, in words.
        steps: what would be done, in words and in order; empty when only a person can act.
        touches: the files that would change; they are copied first.
        apply: does it; may raise LancelotError.
        diff: what would change, as lines with + and -, secrets masked; empty when it cannot be said before.
    """

    check: str
    finding: str
    steps: tuple[str, ...]
    touches: tuple[Path, ...]
    apply: Callable[[], None]
    diff: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "finding": self.finding,
            "plan": list(self.steps),
            "touches": [path.name for path in self.touches],
            "diff": self.diff,
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


@dataclass(frozen=True, slots=True)
class Past:
    """A repair, reset, restore or change of flagship as the history tells it.

    `diff`: what it changed, masked; `at`: Unix seconds; `kind`: "files", or "flagship" for what is taken back by a
    change of its own.
    """

    id: str
    at: float
    why: str
    files: tuple[str, ...]
    steps: tuple[str, ...] = ()
    diff: str = ""
    fixed: bool | None = None
    detail: str = ""
    undone_at: float | None = None
    can_undo: bool = False
    kind: str = "files"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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
            kept = self.keep(plan.touches, plan.finding)
        except LancelotError as failed:
            return Repaired(plan, False, f"Nothing was touched, because no copy could be made. {failed.title}", None)
        undo_id = kept if plan.touches else None
        try:
            plan.apply()
            fixed, detail = recheck()
        except LancelotError as failed:
            fixed, detail = False, f"{failed.title} {failed.hint}"
        else:
            detail = detail if fixed else f"Still failing: {detail}"
        self.note(kept, plan, fixed, detail)
        return Repaired(plan, fixed, detail, undo_id)

    def note(self, repair_id: str, plan: Plan | None, fixed: bool | None, detail: str) -> None:
        """Write down what came of a repair: the history tells it. A full disk takes the note, not the repair."""
        found = self._manifest(repair_id)
        if found is None:
            return
        path, manifest = found
        steps = list(plan.steps) if plan else []
        manifest |= {"steps": steps, "fixed": fixed, "detail": detail, "diff": self._changes(path.parent, manifest)}
        with suppress(LancelotError):
            write_atomic(path, json.dumps(manifest, indent=1).encode(), disk=self._disk)

    def keep(self, files: Sequence[Path], why: str, *, kind: str = "files") -> str:
        """Copy the files as they are now; the id under which `undo` puts them back.

        Raises:
            StoreError, DiskFull: no copy could be made.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._now()))
        before = len(list(self._folder.glob(f"{stamp}-*")))  # within one second, so that ids stay in order
        undo_id = f"{stamp}-{before:02d}{secrets.token_hex(2)}"
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
        manifest = {"why": why, "at": self._now(), "kind": kind, "files": entries}
        name = "manifest.json" if entries else "noted.json"
        write_atomic(folder / name, json.dumps(manifest, indent=1).encode(), disk=self._disk)
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
        chosen, manifest = self._undoable(undo_id)
        folder = self._folder / chosen
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
        self.close(chosen)
        return chosen, [path.name for _, path, _ in entries]

    def close(self, undo_id: str) -> None:
        """Note down that it was undone; it stays in the history.

        Raises:
            NotFound: there is none, or it was undone.
        """
        chosen, manifest = self._undoable(undo_id)
        folder = self._folder / chosen
        self._disk.rename(folder / "manifest.json", folder / "undone.json")
        with suppress(LancelotError):
            manifest["undone_at"] = self._now()
            write_atomic(folder / "undone.json", json.dumps(manifest, indent=1).encode(), disk=self._disk)

    def look_up(self, undo_id: str | None = None) -> Past:
        """One that can be undone, the newest when none is named.

        Raises:
            NotFound: there is none, or it was undone.
        """
        chosen, manifest = self._undoable(undo_id)
        return _past(chosen, manifest, can_undo=True)

    def copy_of(self, undo_id: str, path: Path) -> bytes | None:
        """What a file held before; None when there was none.

        Raises:
            NotFound: there is no such repair, or it was undone.
        """
        chosen, manifest = self._undoable(undo_id)
        for number, entry in enumerate(manifest["files"]):
            if entry["path"] == str(path) and entry["existed"]:
                return read_or_none(self._folder / chosen / str(number))
        return None

    def _undoable(self, undo_id: str | None) -> tuple[str, dict[str, Any]]:
        known = self.kept()
        chosen = undo_id or (known[-1] if known else None)
        found = self._manifest(chosen) if chosen in known and chosen is not None else None
        if chosen is None or found is None:
            raise NotFound("There is no repair to undo.", hint="Nothing was changed.", code="nothing_to_undo")
        return chosen, found[1]

    def kept(self) -> list[str]:
        """The ids that can be undone, oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(entry.parent.name for entry in self._folder.glob("*/manifest.json"))

    def history(self) -> list[Past]:
        """The last repairs, resets and restores, newest first; undone ones too."""
        found = []
        for folder in sorted(self._folder.glob("*/"), reverse=True) if self._folder.is_dir() else ():
            known = self._manifest(folder.name)
            if known is not None:
                path, facts = known
                found.append(_past(folder.name, facts, can_undo=path.name == "manifest.json"))
        return found

    def _manifest(self, repair_id: str) -> tuple[Path, dict[str, Any]] | None:
        for name in MANIFESTS:
            path = self._folder / repair_id / name
            try:
                facts = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if isinstance(facts, dict):
                return path, facts
        return None

    def _changes(self, folder: Path, manifest: dict[str, Any]) -> str:
        """What differs now from the copies, masked."""
        parts = []
        for number, entry in enumerate(manifest["files"]):
            path = Path(entry["path"])
            try:
                before = read_or_none(folder / str(number)) if entry["existed"] else None
                after = read_or_none(path)
                mode = path.stat().st_mode & 0o777 if after is not None else None
            except OSError:
                continue
            parts.append(file_diff(path.name, before, after, entry["mode"] if entry["existed"] else None, mode))
        return "\n".join(part for part in parts if part)

    def _drop_oldest(self) -> None:
        if not self._folder.is_dir():
            return
        for folder in sorted(entry for entry in self._folder.iterdir() if entry.is_dir())[:-KEPT]:
            for leftover in folder.iterdir():
                self._disk.unlink(leftover)
            folder.rmdir()


def _past(repair_id: str, facts: Mapping[str, Any], *, can_undo: bool) -> Past:
    return Past(
        id=repair_id,
        at=float(facts.get("at", 0.0)),
        why=str(facts.get("why", "")),
        files=tuple(Path(entry["path"]).name for entry in facts.get("files", ())),
        steps=tuple(facts.get("steps", ())),
        diff=str(facts.get("diff", "")),
        fixed=facts.get("fixed"),
        detail=str(facts.get("detail", "")),
        undone_at=facts.get("undone_at"),
        can_undo=can_undo,
        kind=str(facts.get("kind", "files")),
    )
