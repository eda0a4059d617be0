"""Tuning of the installed model in a process of its own, so that no engine crash reaches the console."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from local_models.choice import needs_tuning, remembered
from local_models.errors import EngineFailed
from local_models.fetch_model import weights_path
from local_models.lockfile import load_lock
from local_models.tier import chosen_model

__all__ = ["Tuner"]


class Tuner:
    """Tunes the chosen model under a folder.

    Args:
        folder: the models folder; weights lie in <folder>/<model id>/.
        command: the tuner's own command line; tests hand in another.
    """

    def __init__(self, folder: Path, command: tuple[str, ...] = (sys.executable, "-m", "local_models.tune")) -> None:
        self._folder = folder
        self._command = command

    def result(self) -> dict[str, Any]:
        """The last tuning (formats, winner, cpu, library); empty when there was none."""
        known = remembered(self._weights())
        return known.to_dict() if known else {}

    def needed(self) -> bool:
        """Whether weights are here and nothing is remembered for them on this processor, library and adapter."""
        return self._weights().is_file() and needs_tuning(self._weights(), self._adapter())

    def run(self, tell: Callable[[int, int | None, str], None]) -> dict[str, Any]:
        """Tune now; `tell` gets each step: exam items done, items in all (None: no exam), words. Returns the report.

        Raises:
            EngineFailed: there are no weights, or the tuner failed; what ran before goes on running.
        """
        weights = self._weights()
        if not weights.is_file():
            raise EngineFailed("There is no installed model to tune.", hint="Install it first.", code="not_installed")
        adapter = self._adapter()
        words = [*self._command, "--weights", str(weights), "--json", "--watch-stdin"]
        words += ["--adapter", str(adapter)] if adapter else []
        report: dict[str, Any] = {}
        with subprocess.Popen(  # noqa: S603 - our own command line, no shell
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            for line in child.stdout:
                report = _said(line, tell) or report
            why = _reason(child.stderr.read())
        if child.returncode or not report:
            raise EngineFailed(
                f"The tuning failed{f': {why}' if why else '.'}", hint="The model runs on as before; try again later."
            )
        return report

    def _weights(self) -> Path:
        return weights_path(chosen_model(load_lock(), self._folder), self._folder)

    def _adapter(self) -> Path | None:
        lock = load_lock()
        pinned = lock.adapter_for(chosen_model(lock, self._folder))
        return pinned.path() if pinned else None


def _reason(complaints: bytes) -> str:
    """The title of the error the tuner's last line tells."""
    try:
        told = orjson.loads(complaints.strip().rsplit(b"\n", 1)[-1])
        return str(told["error"]["title"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _said(line: bytes, tell: Callable[[int, int | None, str], None]) -> dict[str, Any] | None:
    """The report when the line is one; a step is told, anything else is passed over."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict):
        return None
    if "event" in said:
        tell(int(said.get("done") or 0), said.get("total"), str(said.get("words", "")))
        return None
    return said if "winner" in said else None
