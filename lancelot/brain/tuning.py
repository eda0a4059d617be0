"""Tuning as a child process: the console stays responsive, and a crash of the engine in it costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lancelot.errors import Conflict, LocalModelError, NotReady
from local_models.choice import needs_tuning, remembered
from local_models.fetch_model import weights_path
from local_models.lockfile import load_lock

__all__ = ["Tuner"]

Progress = Callable[[dict[str, Any]], None]


class Tuner:
    """Tunes the installed default model.

    Args:
        folder: where weights are kept.
        command: the program that tunes, without --weights and --adapter; tests hand in their own.
    """

    def __init__(self, folder: Path, *, command: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._command = list(command or [sys.executable, "-m", "local_models.tune"])
        self._busy = threading.Lock()

    @property
    def running(self) -> bool:
        return self._busy.locked()

    def last(self) -> dict[str, Any]:
        """The last report, {} before the first, with `current`: whether it still holds for this CPU and library."""
        weights, _ = self._files()
        known = remembered(weights)
        return known.to_dict() | {"current": not needs_tuning(weights)} if known else {}

    @property
    def due(self) -> bool:
        """Whether there are weights that have not been tuned for this CPU and library."""
        weights, _ = self._files()
        return weights.is_file() and needs_tuning(weights)

    def run(self, progress: Progress | None = None) -> dict[str, Any]:
        """Tune now, a minute or two; progress gets {"step", "detail"}. The report.

        Raises:
            NotReady: nothing is installed. Conflict: it is running already. LocalModelError: it failed.
        """
        weights, adapter = self._files()
        if not weights.is_file():
            raise NotReady("The local model is not installed.", hint="Install it first.")
        if not self._busy.acquire(blocking=False):
            raise Conflict("Tuning is running already.", hint="Wait until it is done.")
        try:
            argv = [*self._command, "--json", "--weights", str(weights)]
            argv += ["--adapter", str(adapter)] if adapter else []
            return self._follow(argv, progress or (lambda _step: None))
        finally:
            self._busy.release()

    def _follow(self, argv: Sequence[str], progress: Progress) -> dict[str, Any]:
        report: dict[str, Any] | None = None
        with subprocess.Popen(  # noqa: S603 our own command line
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            for line in child.stdout:
                told = _parsed(line)
                if "step" in told:
                    progress(told)
                elif "winner" in told:
                    report = told
            problem = _parsed(child.stderr.read().strip().rsplit("\n", 1)[-1]).get("error", {})
        if child.returncode != 0 or report is None:
            raise LocalModelError(
                problem.get("title") or "Tuning did not end well.",
                code="tuning_failed",
                hint=problem.get("hint") or "The file as downloaded stays in use; try again.",
            )
        return report

    def _files(self) -> tuple[Path, Path | None]:
        lock = load_lock()
        pin = lock.default_model
        adapter = lock.adapter_for(pin)
        return weights_path(pin, self._folder), adapter.path() if adapter else None


def _parsed(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
