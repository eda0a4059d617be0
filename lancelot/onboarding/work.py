"""The long work of the steps: on a thread of its own, by one process at a time, stopped and begun at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from lancelot.errors import LancelotError
from lancelot.onboarding.keeper import Keeper
from lancelot.onboarding.progress import EventHub, Job
from lancelot.onboarding.seams import Progress, Runner
from lancelot.onboarding.snapshot import problem_of
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Result, Stay

__all__ = ["Workshop"]

REPORT_EVERY_S = 0.25
LOCK_POLL_S = 0.5


class Workshop:
    """Holds the one running job.

    Args:
        work: does the work of a state (no lock held) and returns its result.
        finish: carries the result out, inside `keeper.changing()`.
        lock: the file that keeps two processes from doing the same work at once.
    """

    def __init__(
        self,
        keeper: Keeper,
        runner: Runner,
        events: EventHub,
        *,
        work: Callable[[Job], Result],
        finish: Callable[[State, Result], None],
        lock: Path,
    ) -> None:
        self._keeper, self._runner, self._events = keeper, runner, events
        self._work, self._finish, self._lock = work, finish, lock
        self._closed = False
        self.job: Job | None = None

    def close(self) -> None:
        """Stop the job; it is resumed by the next start."""
        self._closed = True
        self.stop()
        self._runner.close()

    def is_working(self, state: State) -> bool:
        job = self.job
        return job is not None and job.running and job.state is state and not job.stop.is_set()

    def stop(self) -> None:
        """Tell the running job that it is no longer wanted."""
        if self.job is not None:
            self.job.stop.set()

    def begin(self, state: State, substeps: Sequence[tuple[str, str]]) -> None:
        """Make a job for the state, unless one runs. Inside a change it starts once `launch()` is called after it."""
        with self._keeper.still():
            if self.is_working(state) or self._closed:
                return
            self.job = Job(state, substeps)
            inside = self._keeper.busy
        if not inside:
            self.launch()

    def launch(self) -> None:
        """Hand a new job to the runner; call it when no lock is held."""
        with self._keeper.still():
            job = self.job
            if job is None or job.launched or self._closed or self._keeper.busy:
                return
            job.launched = True
        self._runner.start(str(job.state).lower(), lambda: self._run(job))

    def tell(self, job: Job, progress: Progress) -> None:
        """Note progress; listeners hear of it at most four times a second, and of every new step."""
        new_step = job.current != progress.step
        job.tell(progress)
        beat = time.monotonic()
        if new_step or progress.done is None or beat - job.told >= REPORT_EVERY_S:
            job.told = beat
            self._events.publish("progress", **job.view(False))

    def _run(self, job: Job) -> None:
        lock = self._take_lock(job)
        try:
            result = None if job.stop.is_set() else self._result(job)
        finally:
            if lock is not None:
                lock.release()
        if result is not None and not job.stop.is_set():
            self._carry_out(job, result)
        job.running = False
        self.launch()

    def _carry_out(self, job: Job, result: Result) -> None:
        try:
            with self._keeper.changing():
                job.running = False
                if not job.stop.is_set() and self._keeper.snapshot.state is job.state:
                    self._finish(job.state, result)
        except LancelotError as failed:
            self._keeper.trouble = problem_of(failed, self._keeper.now.wall)
            self._events.publish("problem", state=str(job.state), **failed.to_dict())

    def _result(self, job: Job) -> Result:
        try:
            return self._work(job)
        except LancelotError as failed:
            return Stay(failed)
        except Exception as broken:  # noqa: BLE001 the boundary of a thread: the person gets a plain error, not silence
            return Stay(LancelotError(f"This step broke unexpectedly ({type(broken).__name__})."))

    def _take_lock(self, job: Job) -> FileLock | None:
        while not job.stop.is_set():
            try:
                lock = FileLock(self._lock, timeout=LOCK_POLL_S)
                lock.acquire()
            except Timeout:
                self.tell(job, Progress("waiting", "Another Lancelot process is at work on this step."))
            except OSError:
                return None  # an unwritable folder: the save at the end will say so
            else:
                return lock
        return None
