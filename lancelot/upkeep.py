"""The local model's upkeep: exams, tuning and installations, in the background and on demand, one at a time.

READY never waits for it. LANCELOT_UPKEEP=off switches the background runs off; asking for one by hand still works.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lancelot.brain.supervisor import Supervisor
from lancelot.brain.tuner import Tuner
from lancelot.errors import BadInput, Conflict, LancelotError, LocalModelError
from lancelot.store.database import Database
from lancelot.store.tables import Exams
from local_models.errors import ModelError
from local_models.exam import BARS, ExamDone, ExamItem, ItemDone, golden_items, run_exam
from local_models.smoke_test import HttpAsk

__all__ = ["Job", "Upkeep", "wanted"]

log = logging.getLogger(__name__)
START_PATIENCE_S = 60.0
LINES_KEPT = 200
Teller = Callable[[int, int | None, str], None]
Work = Callable[[Teller, Callable[[], bool]], dict[str, Any]]
KEEP_LOCAL_ALWAYS = frozenset({"redact"})  # redaction never leaves the machine, whatever its score


def wanted() -> bool:
    """Whether background runs are on: LANCELOT_UPKEEP is not `off`."""
    return os.environ.get("LANCELOT_UPKEEP", "on").lower() not in ("off", "0", "no")


@dataclass(frozen=True, slots=True)
class Job:
    """What runs now, or what ran last. `done` of `total` steps, `lines` all it told that is no count; at its end
    `result`, or `error` with code, title and hint."""

    name: str
    running: bool
    done: int = 0
    total: int | None = None
    detail: str = ""
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()


class Upkeep:
    """Exams and tuning of one local service; one job at a time.

    Args:
        supervisor: the service under exam.
        database: where results are kept.
        tuner: measures the weight formats.
        model_id: the chosen model, whose results count; all count without.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        database: Database,
        tuner: Tuner,
        model_id: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._model_id = model_id
        self._supervisor = supervisor
        self._exams = Exams(database)
        self._tuner = tuner
        self._guard = threading.Lock()
        self._job: Job | None = None
        self._flagged: tuple[str | None, frozenset[str]] | None = None
        self._stopped = threading.Event()

    # ---- what others read

    @property
    def job(self) -> dict[str, Any] | None:
        """The present or last job as JSON, or None."""
        return asdict(self._job) if self._job else None

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None and self._job.running

    def latest(self) -> list[dict[str, Any]]:
        """Each task's newest exam result of the chosen model."""
        return self._exams.latest(self._model_id())

    def history(self, task: str) -> list[dict[str, Any]]:
        """One task's results of the chosen model, newest first."""
        return self._exams.history(task, model_id=self._model_id())

    def flagged(self) -> frozenset[str]:
        """Tasks whose newest score is under its bar; never `redact`, which stays here in any case."""
        model_id, known = self._model_id(), self._flagged
        if known is None or known[0] != model_id:
            under = {row["task"] for row in self.latest() if not row["data"].get("passed", True)}
            known = self._flagged = (model_id, frozenset(under - KEEP_LOCAL_ALWAYS))
        return known[1]

    # ---- what others ask for

    def exam(self, items: Sequence[ExamItem] | None = None) -> dict[str, Any]:
        """Hold an exam now, wait for its end and keep the result (own items are not kept: they say little of others).

        Raises:
            Conflict: a job runs. LocalModelError: the model does not answer.
        """
        return self._done("exam", lambda: self._hold(items))

    def tune(self) -> dict[str, Any]:
        """Measure the weight formats now and wait for the end.

        Raises:
            Conflict: a job runs. LocalModelError: tuning failed; what ran before goes on running.
        """
        return self._done("tune", self._measure)

    def tuning(self) -> dict[str, Any]:
        """The last tuning; empty when there was none."""
        return self._tuner.result()

    def begin_wanted(self) -> None:
        """After READY: tune when nothing is known for this processor, then examine once; quietly, in the background."""
        if wanted() and not self.busy:
            threading.Thread(target=self._quietly, args=(self._all,), name="upkeep", daemon=True).start()

    def _all(self) -> None:
        if self._tuner.needed():
            self.tune()
        if not self.latest():
            self.exam()

    def begin(self, name: str, items: Sequence[ExamItem] | None = None) -> None:
        """The same as `exam` or `tune` on a thread of its own; `job` follows it.

        Raises:
            BadInput: no such job. Conflict: a job runs.
        """
        jobs: dict[str, Callable[[], dict[str, Any]]] = {"exam": lambda: self._hold(items), "tune": self._measure}
        if name not in jobs:
            raise BadInput(f"There is no upkeep called {name}.", hint="It is exam or tune.")
        self._in_background(name, jobs[name])

    def carry_out(self, name: str, work: Work) -> dict[str, Any]:
        """Do another piece of work as the one job and wait for its end. `work` gets a teller and `stop()`.

        Raises:
            Conflict: a job runs. LancelotError: as the work does.
        """
        return self._done(name, lambda: work(self._tell, self._stopped.is_set))

    def begin_work(self, name: str, work: Work) -> None:
        """The same on a thread of its own; `job` follows it.

        Raises:
            Conflict: a job runs.
        """
        self._in_background(name, lambda: work(self._tell, self._stopped.is_set))

    def close(self) -> None:
        """Let the running job stop at its next item."""
        self._stopped.set()

    # ---- the middle

    def _hold(self, items: Sequence[ExamItem] | None) -> dict[str, Any]:
        self._supervisor.start()
        if not self._supervisor.wait_ready(START_PATIENCE_S):
            raise LocalModelError()
        url = self._supervisor.base_url
        if url is None:
            raise LocalModelError()
        asked = list(items) if items is not None else list(golden_items())
        with HttpAsk(url) as ask:
            for event in run_exam(asked, ask):
                if self._stopped.is_set():
                    raise LocalModelError("The exam was stopped.", hint="Start it again.", code="stopped")
                if isinstance(event, ItemDone):
                    self._tell(event.done, event.total, event.task)
                elif isinstance(event, ExamDone):
                    if items is None:
                        self._keep(event.result)
                    return event.result
        raise LocalModelError("The exam did not end.")

    def _keep(self, result: dict[str, Any]) -> None:
        status = self._supervisor.status()
        for row in result["tasks"]:
            facts = {name: value for name, value in row.items() if name not in ("task", "score", "items")}
            facts |= {"bars": BARS.get(row["task"]), "format": status.weight_format}
            self._exams.add(row["task"], row["score"], row["items"], model_id=status.model_id, data=facts)
        self._flagged = None

    def _measure(self) -> dict[str, Any]:
        report = self._tuner.run(self._tell)
        if report["winner"] != self._supervisor.status().weight_format:  # what runs, not what was once remembered
            self._supervisor.restart()
        return report

    def _in_background(self, name: str, job: Callable[[], dict[str, Any]]) -> None:
        self._take(name)  # here, so that whoever asks next sees it
        threading.Thread(
            target=self._quietly, args=(lambda: self._finished(job),), name=f"upkeep-{name}", daemon=True
        ).start()

    def _done(self, name: str, job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self._take(name)
        return self._finished(job)

    def _finished(self, job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Carry the job out; what became of it stays readable in `job`."""
        try:
            result = job()
        except ModelError as problem:
            failed = LocalModelError(problem.title, hint=problem.hint, code=problem.code)
            self._release(error=failed.to_dict())
            raise failed from problem
        except LancelotError as failed:
            self._release(error=failed.to_dict())
            raise
        except BaseException:
            self._release(error=LocalModelError("The job broke unexpectedly.").to_dict())
            raise
        self._release(result=result)
        return result

    def _quietly(self, job: Callable[[], Any]) -> None:
        try:
            job()
        except LancelotError as problem:
            log.info("upkeep: %s", problem.code)  # `job` tells it in words
        except Exception as problem:  # noqa: BLE001 - a thread's boundary
            log.error("upkeep failed: %s", type(problem).__name__)

    def _take(self, name: str) -> None:
        with self._guard:
            if self._job is not None and self._job.running:
                raise Conflict(f"{self._job.name} is running already.", hint="Wait for its end.")
            self._job = Job(name, running=True)

    def _release(self, **outcome: Any) -> None:
        with self._guard:
            if self._job is not None:
                self._job = replace(self._job, running=False, **outcome)

    def _tell(self, done: int = 0, total: int | None = None, detail: str = "") -> None:
        with self._guard:
            if self._job is not None:
                lines = self._job.lines
                if detail and total is None and detail not in lines[-1:]:
                    lines = (*lines, detail)[-LINES_KEPT:]
                self._job = replace(self._job, done=done, total=total, detail=detail, lines=lines)
