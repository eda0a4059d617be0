"""REPAIR one step at a time: look, read plan and difference, apply, see it checked again, take it back.

    mending.look()                       # every check; a plan with its difference for each that fails
    mending.apply("credentials")         # that one plan: copy, apply, check again
    mending.history(); mending.undo(id)
    mending.snapshots(); mending.restore(revision)

What was found and done is kept here, not in a page: a closed tab loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from lancelot.changes import Changes
from lancelot.config import ConfigStore
from lancelot.doctor import Doctor
from lancelot.errors import LancelotError, NotFound
from lancelot.filecheck import PREFIX
from lancelot.filediff import file_diff
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.remedies import Remedies, due_checks
from lancelot.onboarding.snapshot import CheckOutcome
from lancelot.repair import Past, Plan, Repaired

__all__ = ["Found", "Mending", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Found:
    """One check's outcome, the plan when it failed, and what came of the plan. `at`: Unix seconds."""

    outcome: CheckOutcome
    plan: Plan | None
    at: float
    done: Repaired | None = None

    def to_dict(self) -> dict[str, Any]:
        """The outcome with "at", and "plan" and "done" where there are any; JSON-safe."""
        return self.outcome.model_dump(mode="json") | {
            "at": self.at,
            "plan": self.plan.to_dict() if self.plan else None,
            "done": self.done.to_dict() if self.done else None,
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An older copy of the set-up record. `diff`: what restoring it would change, masked; `at`: Unix seconds."""

    revision: int
    at: float | None
    state: str
    diff: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Mending:
    """REPAIR for a page, a route or a command: every step by itself, its result kept. Thread-safe; one step at a time.

    Args:
        flow: the set-up with its checks and its repairs.
        doctor: the other checks.
        config, changes: the configuration and its older versions, for a file that was broken by an edit.
        note: where each repair is noted down as an event.
    """

    def __init__(
        self,
        flow: OnboardingFlow,
        doctor: Doctor,
        config: ConfigStore,
        changes: Changes,
        note: Callable[..., Any] = lambda *_args, **_data: None,
    ) -> None:
        self._flow = flow
        self._doctor = doctor
        self._config = config
        self._changes = changes
        self._note = note
        self._lock = threading.RLock()
        self._found: dict[str, Found] = {}

    @property
    def found(self) -> list[Found]:
        """What the last look found, in the order of the checks; empty before the first."""
        return list(self._found.values())

    def look(self) -> list[Found]:
        """Run every check that applies, and make a plan for each that fails. Changes nothing; takes a few seconds."""
        with self._lock:
            self._flow.keeper.look()
            due = due_checks(list(self._flow.checks()), self._flow.snapshot)
            outcomes = [check.run(self._flow.snapshot) for check in due] + self._doctor.others()
            now = time.time()
            self._found = {one.name: Found(one, None if one.ok else self._plan(one), now) for one in outcomes}
            return self.found

    def apply(self, name: str) -> Found:
        """Carry one plan out: copies first, the same check afterwards. Kept in the history.

        Raises:
            NotFound: the last look found no fault with this name.
        """
        with self._lock:
            found = self._found.get(name)
            if found is None or found.plan is None:
                raise NotFound(f"There is no plan for {name}.", hint="Look again first.", code="no_plan")
            done = self._flow.repairer.carry_out(found.plan, partial(self._again, name))
            self._flow.workshop.launch()
            outcome = self._look_at(name)
            self._found[name] = replace(found, outcome=outcome, done=done, at=time.time())
            self._tell("repaired", check=name, fixed=done.fixed, finding=found.outcome.title)
            return self._found[name]

    def history(self) -> list[Past]:
        """Repairs, resets and restores, newest first; undone ones too."""
        return self._flow.repairer.history()

    def undo(self, repair_id: str) -> str:
        """Take one of them back; says what was put back.

        Raises:
            NotFound: there is none, or it was undone. StoreError: a file could not be put back.
        """
        with self._lock:
            answer = self._flow.commands.undo(repair_id)
            self._config.reload()
            self._after(answer.text, "repair_undone")
            return answer.text

    def snapshots(self) -> list[Snapshot]:
        """The older copies of the set-up record that can be restored, newest first."""
        store, now = self._flow.keeper.store, self._flow.snapshot
        present = now.model_dump_json().encode()
        return [
            Snapshot(
                older.revision,
                older.saved.wall if older.saved else None,
                str(older.standing),
                file_diff(store.path.name, present, older.model_dump_json().encode()),
            )
            for older in store.older()
            if older.revision != now.revision
        ]

    def restore(self, revision: int) -> str:
        """Bring an older copy back as far as the facts on this machine allow; it can be undone.

        Raises:
            NotFound: no copy has this revision any more. StoreError: nothing could be saved.
        """
        with self._lock:
            answer = self._flow.commands.restore(revision)
            self._after(answer.text, "snapshot_restored")
            return answer.text

    def _after(self, text: str, event: str) -> None:
        self._found = {}
        self._flow.resume()
        self._flow.workshop.launch()
        self._tell(event, text=text)

    def _tell(self, event: str, **data: Any) -> None:
        try:
            self._note(event, **data)
        except LancelotError:
            return  # receipts cannot be kept right now; the history on disk has it all the same

    def _again(self, name: str) -> tuple[bool, str]:
        outcome = self._look_at(name)
        return outcome.ok, outcome.detail

    def _look_at(self, name: str) -> CheckOutcome:
        for check in self._flow.checks():
            if check.name == name:
                return check.run(self._flow.snapshot)
        return self._doctor.look_at(name)

    def _plan(self, outcome: CheckOutcome) -> Plan:
        if outcome.name == "configuration":
            return self._configuration(outcome)
        if outcome.name.startswith(PREFIX):
            return next(fault.plan for fault in self._doctor.faults() if fault.outcome.name == outcome.name)
        flow = self._flow
        return Remedies(flow.keeper, flow.credentials, flow.deps.model, flow.begin).plan(outcome)

    def _configuration(self, outcome: CheckOutcome) -> Plan:
        """A file that an edit has broken: the newest older version that is good takes its place."""
        name = str(self._config.problem.extra.get("file", "")) if self._config.problem else ""
        nothing = Plan(outcome.name, outcome.detail, (), (), lambda: None)
        if name not in self._changes.names():
            return nothing
        path = self._config.folder / name
        for number, _ in self._config.copies(name):
            text = self._config.copy_text(name, number)
            try:
                self._config.check(name, text)
            except LancelotError:
                continue
            steps = (f"Keep a copy of {name} as it is.", f"Put version {number} before it back; it is good.")
            diff = file_diff(name, path.read_bytes() if path.exists() else None, text.encode())
            return Plan(outcome.name, outcome.detail, steps, (path,), partial(self._save, name, text), diff)
        return nothing

    def _save(self, name: str, text: str) -> None:
        self._config.save(name, text)
