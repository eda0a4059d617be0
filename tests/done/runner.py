"""Runs the rows' checks in one go and tells each row's outcome; breaks a copy of the project on demand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.done.rows import Fault, Row

__all__ = ["Outcome", "break_copy", "copy_of", "run"]

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """One row: how many tests passed and what did not."""

    row: Row
    passed: int
    failed: tuple[str, ...]
    missing: tuple[str, ...]  # checks of which no test passed

    @property
    def done(self) -> bool:
        return not self.failed and not self.missing


def run(rows: Sequence[Row], project: Path = PROJECT, workers: int = 2) -> list[Outcome]:
    """Every row's outcome. All checks run in one pytest; one that is missing or skipped whole counts as not done."""
    ids = list(dict.fromkeys(check for row in rows for check in row.checks))
    there = [one for one in ids if (project / one.split("::")[0]).exists()]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        # a fixed order, no cache and no bytecode: the copy of a broken project must not see another one's leftovers
        words = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", f"--junitxml={report}", "-n", str(workers)]
        # once more, as in scripts/test.sh: what is broken fails twice
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", *words, "--reruns", "1", *there],
            cwd=project,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if done.returncode:  # why, for whoever looks
            print("\n".join((done.stdout + done.stderr).splitlines()[-60:]), file=sys.stderr)
        results = _results(report) if report.exists() else []
    return [_outcome(row, results) for row in rows]


def environment() -> dict[str, str]:
    """Ours without what belongs to the run around it; a copy uses the weights that are here already."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return {"LANCELOT_TEST_MODELS": str(PROJECT / ".cache" / "models")} | kept


def _results(report: Path) -> list[tuple[str, str]]:
    """(name as in a node id, with dots; passed, failed or skipped) of every test."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        state = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found.append((f"{case.get('classname')}.{case.get('name')}", state))
    return found


def _outcome(row: Row, results: list[tuple[str, str]]) -> Outcome:
    passed, failed, missing = 0, [], []
    for check in row.checks:
        dotted = check.replace(".py", "", 1).replace("/", ".").replace("::", ".")
        mine = [
            (name, state)
            for name, state in results
            if name == dotted or name.startswith((f"{dotted}.", f"{dotted}[")) or name == f".{dotted}"
        ]
        good = sum(state == "passed" for _, state in mine)
        passed += good
        failed += [name for name, state in mine if state == "failed"]
        if not good and not any(state == "failed" for _, state in mine):
            missing.append(check)
    return Outcome(row, passed, tuple(failed), tuple(missing))


def copy_of(project: Path, target: Path) -> Path:
    """A copy of the working tree as it stands, new files too, without what git ignores; beside the same packages."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=project, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        source = project / name
        if name and source.is_file() and not name.startswith(("docs/images", "notebooks")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    (target / ".venv").symlink_to(project / ".venv")
    return target


def break_copy(copy: Path, fault: Fault) -> None:
    """Put the fault into a copy; the text has to be there, or the row proves nothing."""
    path = copy / fault.file
    text = path.read_text(encoding="utf-8")
    assert fault.old, f"{fault.file}: the fault names no text"
    assert fault.old in text, f"{fault.file} no longer holds {fault.old!r}; give the row another fault"
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
