"""Repair: copies first, checks again, never claims what does not hold, and can be undone."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lancelot.errors import LancelotError, NotFound
from lancelot.files import Disk
from lancelot.repair import KEPT, Plan, Repairer


def plan_for(path: Path, apply: object = None, steps: tuple[str, ...] = ("Write it anew.",)) -> Plan:
    def write_anew() -> None:
        path.write_text("good")

    return Plan("file", "The file is bad.", steps, (path,), apply or write_anew)  # type: ignore[arg-type]


def look(path: Path) -> tuple[bool, str]:
    return path.read_text() == "good", path.read_text()


def test_a_repair_is_checked_again_and_can_be_undone(tmp_path: Path) -> None:
    path, repairer = tmp_path / "file", Repairer(tmp_path)
    path.write_text("bad")
    path.chmod(0o640)
    done = repairer.carry_out(plan_for(path), lambda: look(path))
    assert done.fixed
    assert done.undo_id in repairer.kept()
    undone, names = repairer.undo()
    assert (undone, names) == (done.undo_id, ["file"])
    assert path.read_text() == "bad"
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(NotFound):
        repairer.undo()


def test_it_never_says_done_while_the_check_still_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("bad")
    done = Repairer(tmp_path).carry_out(plan_for(path, lambda: None), lambda: look(path))
    assert not done.fixed
    assert done.detail == "Still failing: bad"
    assert done.undo_id


def test_a_repair_that_fails_half_way_says_so_and_can_be_undone(tmp_path: Path) -> None:
    path, repairer = tmp_path / "file", Repairer(tmp_path)
    path.write_text("bad")

    def breaks() -> None:
        path.write_text("half")
        raise LancelotError("It broke.", hint="Undo it.")

    done = repairer.carry_out(plan_for(path, breaks), lambda: look(path))
    assert not done.fixed
    assert "It broke." in done.detail
    repairer.undo(done.undo_id)
    assert path.read_text() == "bad"


def test_nothing_is_touched_when_no_copy_can_be_made(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, path: Path, content: bytes, mode: int) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    path.write_text("bad")
    done = Repairer(tmp_path, disk=Full()).carry_out(plan_for(path), lambda: look(path))
    assert not done.fixed
    assert path.read_text() == "bad"


def test_a_file_that_was_not_there_is_gone_again_after_undo(tmp_path: Path) -> None:
    path, repairer = tmp_path / "file", Repairer(tmp_path)
    assert repairer.carry_out(plan_for(path), lambda: look(path)).fixed
    repairer.undo()
    assert not path.exists()


def test_what_only_a_person_can_do_is_said(tmp_path: Path) -> None:
    done = Repairer(tmp_path).carry_out(plan_for(tmp_path / "file", steps=()), lambda: (True, ""))
    assert not done.fixed
    assert done.undo_id is None


def test_only_the_last_twenty_are_kept(tmp_path: Path) -> None:
    path, now = tmp_path / "file", iter(range(1_000, 10_000_000, 10))
    path.write_text("x")
    repairer = Repairer(tmp_path, now=lambda: float(next(now)))
    ids = [repairer.keep([path], "test") for _ in range(KEPT + 5)]
    assert repairer.kept() == sorted(ids)[-KEPT:]
