"""Keeps the local model's service alive: starts it, notices when it dies or hangs, starts it again, says how it is.

One thread owns the child and makes every move; callers only say what they want and read the status.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lancelot import settings
from lancelot.brain.child import Child, Probe
from lancelot.brain.launch import Launch, installed_model
from lancelot.brain.states import TRANSITIONS, BrainState, BrainStatus

__all__ = ["Supervisor", "Timings"]


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. A child not ready within `start`, or that misses `misses` probes in a row, is replaced."""

    probe_every: float = 2.0
    probe_timeout: float = 2.0
    poll: float = 0.1
    start: float = 60.0
    misses: int = 3
    first_wait: float = 0.5
    longest_wait: float = 30.0
    steady: float = 30.0  # ready for this long: the next failure starts again from first_wait
    grace: float = 12.0
    give_up_after: int = 5  # failures in a row after which the state says failed; the trying goes on


class Supervisor:
    """The local service's keeper.

    Args:
        command: what to run, asked at each start; None: no weights yet (state absent). Default: the installed model.
        data_dir: its address file and logs/local-model.log live here; weights under models/.
    """

    def __init__(
        self,
        command: Callable[[], Launch | None] | None = None,
        data_dir: Path | None = None,
        *,
        timings: Timings | None = None,
    ) -> None:
        folder = data_dir or settings.data_dir()
        self._command = command or installed_model(folder / "models")
        self._announce = folder / "run" / "local-model.json"
        self.log_path = folder / "logs" / "local-model.log"
        self._timings = timings or Timings()
        self._status = BrainStatus(BrainState.STOPPED, time.time())
        self._changed = threading.Condition()
        self._wanted = False
        self._again = False  # a restart was asked for
        self._looked = 0  # rounds of the keeper, so that start() can tell a fresh look from an old one
        self._thread: threading.Thread | None = None
        self._child: Child | None = None
        self._failures = 0
        self._pause = 0.0

    # --- any thread

    def start(self) -> None:
        """Want it running. Returns at once; harmless when it runs, a fresh look for weights when it was absent."""
        with self._changed:
            self._wanted = True
            if self._status.state in (BrainState.ABSENT, BrainState.FAILED):
                self._pause = 0.0
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="local-model-keeper", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """End the service and wait until it is gone."""
        with self._changed:
            self._wanted = False
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(self._timings.grace + 15)

    def restart(self) -> None:
        """End it and start it again, as the operator's wish (not counted as a failure). Returns at once."""
        with self._changed:
            self._again = True
            self._failures = 0
        self.start()

    def status(self) -> BrainStatus:
        """How it is now."""
        with self._changed:
            child, status = self._child, self._status
        return replace(status, rss_mb=child.rss_mb()) if child is not None else status

    @property
    def base_url(self) -> str | None:
        """Where it answers; None unless it is ready."""
        status = self._status
        return status.base_url if status.state is BrainState.READY else None

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it is ready; False when it is not after timeout_s seconds, has failed, or has no weights."""
        until = time.monotonic() + timeout_s
        with self._changed:
            seen = self._looked
            while self._status.state is not BrainState.READY or self._again:
                left = until - time.monotonic()
                if left <= 0 or not self._wanted:
                    return False
                if self._status.state is BrainState.FAILED:
                    return False
                if self._status.state is BrainState.ABSENT and self._looked > seen:
                    return False
                self._changed.wait(min(left, 0.2))
            return True

    def log_tail(self, lines: int = 100) -> list[str]:
        """The newest lines of the service's log; it never holds texts or answers."""
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    # --- the keeper's thread

    def _keep(self) -> None:
        probe = Probe(self._timings.probe_timeout)
        try:
            while self._wants():
                self._run_once(probe)
        finally:
            self._end_child(self._timings.grace)
            self._move(BrainState.STOPPED)
            probe.close()

    def _wants(self) -> bool:
        """Wait out the pause; whether to go on."""
        until = time.monotonic() + self._pause
        with self._changed:
            while self._wanted and not self._again and self._pause and time.monotonic() < until:
                self._changed.wait(min(0.2, max(until - time.monotonic(), 0.01)))
            self._pause = 0.0
            return self._wanted

    def _run_once(self, probe: Probe) -> None:
        """One life of the child, from the look for weights to its end."""
        with self._changed:
            self._again = False
        try:
            launch = self._command()
            if launch is None:
                self._looked += 1
                self._move(BrainState.ABSENT)
                self._pause = 2.0
                return
            self._move(BrainState.STARTING, model_id=launch.model_id, weight_format=launch.weight_format)
            self._child = Child(launch.argv, self._announce, self.log_path)
        except Exception as problem:  # noqa: BLE001 thread boundary: the keeper itself must never die
            self._failed(str(problem) or type(problem).__name__)
            return
        reason = self._watch(self._child, probe)
        self._end_child(0.0 if reason else self._timings.grace)
        if reason:
            self._failed(reason)
        elif self._wanted:
            self._move(BrainState.RESTARTING)

    def _watch(self, child: Child, probe: Probe) -> str | None:
        """Until it is to end: None when somebody asked for it, the reason when it died or hung."""
        timings = self._timings
        begun = time.monotonic()
        misses, ready_at, next_probe = 0, 0.0, 0.0
        while True:
            with self._changed:
                self._changed.wait(timings.poll)
                if not self._wanted or self._again:
                    return None
            code = child.exit_code()
            if code is not None:
                return _exit_reason(code)
            if time.monotonic() < next_probe:
                continue
            address = child.address()
            heard = probe.ask(address) if address else "starting"
            if self._again or not self._wanted:
                return None
            now = time.monotonic()
            next_probe = now + timings.probe_every if ready_at or heard == "ready" else 0.0
            if heard == "ready":
                misses = 0
                if not ready_at:
                    ready_at = now
                    self._move(BrainState.READY, base_url=address, pid=child.pid)
                elif now - ready_at > timings.steady:
                    self._failures = 0
            elif heard.startswith(("failed", "stalled")):
                return heard
            elif not ready_at and now - begun > timings.start:
                return f"not ready after {timings.start:.0f} s"
            elif ready_at or heard == "unreachable":
                misses += 1
                if misses >= timings.misses and ready_at:
                    return f"does not answer ({misses} probes missed)"

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._pause = min(self._timings.first_wait * 2 ** (self._failures - 1), self._timings.longest_wait)
        state = BrainState.FAILED if self._failures >= self._timings.give_up_after else BrainState.RESTARTING
        if self._status.state in (BrainState.ABSENT, BrainState.STOPPED):
            self._move(BrainState.STARTING)
        if self._status.state is BrainState.READY and state is BrainState.FAILED:
            self._move(BrainState.RESTARTING)
        self._move(state, last_error=reason, restarts=self._status.restarts + 1)

    def _end_child(self, grace_s: float) -> None:
        child = self._child
        if child is not None:
            child.end(grace_s)
            self._child = None

    def _move(self, state: BrainState, **changes: object) -> None:
        """The only place where the state changes; checks the table."""
        with self._changed:
            old = self._status
            if state is not old.state:
                assert state in TRANSITIONS[old.state], f"{old.state} -> {state}"
                changes = {"since": time.time()} | changes
            if state is not BrainState.READY:
                changes = {"base_url": None, "pid": None} | changes
            self._status = replace(old, state=state, **changes)  # type: ignore[arg-type]
            self._changed.notify_all()


def _exit_reason(code: int) -> str:
    if code >= 0:
        return f"ended by itself with code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
