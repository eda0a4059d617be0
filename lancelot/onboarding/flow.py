"""OnboardingFlow: the only mover. Takes submits and commands, has the long work done, says where everything stands."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from lancelot.credentials import Credentials
from lancelot.errors import Conflict, LancelotError, TooMany
from lancelot.onboarding.answers import parsed, state_named
from lancelot.onboarding.checks import Check, build_checks
from lancelot.onboarding.clocks import moment
from lancelot.onboarding.commands import Commands
from lancelot.onboarding.cooldown import remaining
from lancelot.onboarding.exchange import Exchange
from lancelot.onboarding.facts import Facts, ready_facts
from lancelot.onboarding.keeper import Keeper
from lancelot.onboarding.postman import Postman
from lancelot.onboarding.progress import EventHub, Job, ThreadRunner
from lancelot.onboarding.proofs import Proofs
from lancelot.onboarding.seams import Deps, Progress
from lancelot.onboarding.snapshot import Flagship, OnboardingSnapshot, problem_of
from lancelot.onboarding.snapshot_store import SnapshotStore
from lancelot.onboarding.states import TRANSITIONS, Move, State, position
from lancelot.onboarding.steps import STEPS, SUBSTEPS
from lancelot.onboarding.steps.base import Context, Cool, Done, Result, Stay, Work
from lancelot.onboarding.view import describe, missing
from lancelot.onboarding.work import Workshop
from lancelot.repair import Repairer

__all__ = ["OnboardingFlow"]


class OnboardingFlow:
    """The whole set-up behind one object. Thread-safe; safe beside another process on the same folder.

    Call `open()` once (it resumes what was under way) and `close()` at the end.
    """

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self.table = deps.table or TRANSITIONS
        folder = deps.data_dir / "onboarding"
        self.proofs = Proofs(folder, disk=deps.disk)
        self.credentials = deps.credentials or Credentials(deps.data_dir, disk=deps.disk)
        self.events = EventHub(deps.clock.wall)
        self.facts = Facts(credentials=self.credentials, proofs=self.proofs, model=deps.model)
        store = SnapshotStore(folder, clock=deps.clock, disk=deps.disk)
        self.keeper = Keeper(store, self.facts, clock=deps.clock, table=self.table, moved=self._moved)
        self.repairer = Repairer(deps.data_dir, disk=deps.disk, now=deps.clock.wall)
        self.exchange = Exchange(deps, self.keeper, self.credentials, self.proofs, self.repairer)
        self.postman = Postman(self.keeper, self.events, self._context)
        self._runner = deps.runner or ThreadRunner()
        self.workshop = Workshop(
            self.keeper,
            self._runner,
            self.events,
            work=lambda job: STEPS[job.state].work(self._context(job)),
            finish=self._apply,
            lock=folder / "work.lock",
        )
        self.commands = Commands(self)
        self._salt = secrets.token_bytes(16)
        self._accepted: dict[State, str] = {}
        self._closed = False

    # -- life

    def open(self) -> None:
        """Read what is on disk, correct it, and go on with work that was under way. Never raises for a bad folder:
        STATUS then says what is wrong."""
        try:
            self.keeper.store.clean_leftovers()
            with self.keeper.changing():
                self.facts.settle(self.snapshot)  # of a change of the flagship that was killed half-way
        except LancelotError:
            self.keeper.look()
            return
        self.resume()
        if self.snapshot.state is State.COOLDOWN:
            self._tick_later()

    def close(self) -> None:
        """Stop the long work (the next `open` resumes it) and let everybody who listens go."""
        self._closed = True
        self.events.close()
        self.workshop.close()

    def resume(self) -> None:
        """Start the present step's work when a person has nothing more to say to it."""
        snapshot = self.snapshot
        waits_for_consent = snapshot.state is State.LOCAL_UTILITY_SETUP and snapshot.consent is None
        if snapshot.state in STEPS and STEPS[snapshot.state].automatic and not waits_for_consent:
            self._begin(snapshot.state)

    # -- what others read

    @property
    def snapshot(self) -> OnboardingSnapshot:
        return self.keeper.snapshot

    @property
    def state(self) -> State:
        self.keeper.look()
        return self.snapshot.state

    @property
    def is_ready(self) -> bool:
        """Whether requests may be carried out."""
        return self.snapshot.state is State.READY

    @property
    def is_working(self) -> bool:
        """Whether long work of the present step runs."""
        return self.workshop.is_working(self.snapshot.state)

    def missing(self) -> list[str]:
        """What keeps Lancelot from being ready, in words; empty when nothing does."""
        return missing(self.snapshot, STEPS)

    def flagship(self) -> Flagship | None:
        """The chosen provider once its key is verified, else None."""
        snapshot = self.snapshot
        return snapshot.flagship if self.facts.met(State.CREDENTIALS_VERIFY, snapshot) else None

    def key(self) -> SecretStr | None:
        """The chosen provider's key, or None when it needs none."""
        return self.facts.key_of(self.snapshot)

    def checks(self) -> Sequence[Check]:
        """The final checks by name, ready to run."""
        return build_checks(self.deps, self.keeper.store, self.credentials, self.facts)

    def status(self) -> dict[str, Any]:
        """Everything there is to show; always answers, also when the folder is read-only or a cooldown runs."""
        self.keeper.look()
        with self.keeper.still():
            return describe(
                self.snapshot,
                self.keeper.now,
                deps=self.deps,
                steps=STEPS,
                credentials=self.credentials,
                facts=self.facts,
                job=self.workshop.job,
                trouble=self.keeper.trouble,
                undo=bool(self.repairer.kept()),
            )

    # -- what others ask for

    def command(self, name: str, confirm: bool = False) -> dict[str, Any]:
        """The answer to one of the six commands, with the status after it.

        Raises:
            BadInput: no such command. TooMany: RESEND CODE came too soon. StoreError: nothing could be saved.
        """
        answer = self.commands.answer(name, confirm).to_dict()
        self.workshop.launch()
        return answer | {"status": self.status()}

    def submit(self, state: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Hand in the present step's answer; the status after it. The same submit twice does no harm.

        Raises:
            BadInput: unknown state, a wrong value, a wrong code. Conflict: the state has passed or is not reached.
            TooMany: a cooldown runs. StoreError, DiskFull: nothing could be saved, nothing has changed.
        """
        wanted, given = state_named(state), dict(values or {})
        digest = hashlib.sha256(self._salt + json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()
        with self.keeper.changing():
            refused = self._refusal(wanted, digest)
            if refused is not None:
                return self.status() | {"note": refused}
            step, context = STEPS[wanted], self._context()
            form = parsed(step.form, given)
            if self.workshop.is_working(wanted) and not form.replaces(context):
                return self.status() | {"note": "This is under way already."}
            result = step.accept(form, context)
            self.workshop.stop()  # what a former answer began
            self._apply(wanted, result)
            if isinstance(result, Stay | Cool):
                raise result.error
            self._accepted[wanted] = digest
        self.workshop.launch()
        note = result.note if isinstance(result, Done) else ""
        return self.status() | ({"note": note} if note else {})

    def show_code(self) -> dict[str, Any]:
        """{"code", "expires_in_s", "fresh"} for the local channel: the code that is out while this process issued it,
        otherwise a fresh one, which counts as a resend.

        Raises:
            Conflict: no local code is awaited. TooMany: a fresh one would be too soon or too many.
        """
        return self.postman.show()

    def begin(self) -> None:
        """Start the present step's work, in place of what may still run."""
        self.workshop.stop()
        self.resume()

    # -- inside

    def _refusal(self, wanted: State, digest: str) -> str | None:
        """None when the submit is for the present step; a note when it repeats an accepted one; an error otherwise."""
        snapshot = self.snapshot
        if snapshot.state is wanted and wanted in STEPS:
            return None
        here, there = position(snapshot.standing), position(wanted)
        if there < here and self._accepted.get(wanted) == digest:
            return f"{wanted} has this answer already; the set-up is at {snapshot.state}."
        if there < here:
            raise Conflict(
                f"{wanted} has passed; the set-up is at {snapshot.state}.",
                hint="BACK leads to earlier steps.",
                code="state_passed",
            )
        if there > here or wanted is State.READY:
            raise Conflict(
                f"{wanted} takes no answer now; the set-up is at {snapshot.state}.",
                hint="GET /onboarding says what this step takes.",
                code="state_not_reached",
            )
        wait = int(remaining(snapshot.guards, self.keeper.now)) + 1
        raise TooMany(
            "A cooldown is running; answers are taken again when it is over.",
            hint=f"It ends by itself in {wait} s.",
            code="cooldown",
            retry_after=wait,
        )

    def _begin(self, state: State) -> None:
        names = [(check.name, check.title) for check in self.checks()] if state is State.FINAL_CHECKS else ()
        self.workshop.begin(state, names or SUBSTEPS.get(state, ()))

    def _context(self, job: Job | None = None) -> Context:
        def report(progress: Progress) -> None:
            if job is not None:
                self.workshop.tell(job, progress)

        return Context(
            deps=self.deps,
            snapshot=self.snapshot,
            credentials=self.credentials,
            proofs=self.proofs,
            now=moment(self.deps.clock),
            report=report,
            stop=lambda: job is not None and job.stop.is_set(),
            send_code=self.postman.send,
            checks=self.checks,
        )

    def _apply(self, state: State, result: Result) -> None:
        """Carry out a step's result; called inside `changing()`."""
        now, changes = self.deps.clock.wall(), dict(result.changes)
        if isinstance(result, Done):
            self._forward(changes)
        elif isinstance(result, Work):
            self.keeper.put(self.snapshot.changed(**changes, problem=None))
            self._begin(state)
        elif isinstance(result, Cool):
            self.postman.forget()
            self.keeper.move(Move.COOL, **changes, problem=problem_of(result.error, now))
            self._tick_later()
        else:
            self.keeper.put(self.snapshot.changed(**changes, problem=problem_of(result.error, now)))
            self.events.publish("problem", state=str(state), **result.error.to_dict())

    def _forward(self, changes: dict[str, Any]) -> None:
        """One step on, and further over steps that are proven already; automatic work begins."""
        while True:
            candidate = self.snapshot.changed(**changes)
            allowed = self.facts.furthest(candidate)
            if position(candidate.state) >= position(allowed):
                raise Conflict(
                    f"{allowed} is not done yet, so the set-up cannot go on.",
                    hint="REPAIR looks for the reason.",
                    code="step_not_done",
                )
            if candidate.state is State.FINAL_CHECKS:
                changes["ready_at"] = self.deps.clock.wall()
                changes["ready_proof"] = self.proofs.sign("ready", *ready_facts(candidate))
            after = self.keeper.move(Move.FORWARD, **{"problem": None, **changes})
            changes = {}
            if not self._proven(after):
                break
        self.resume()

    def _proven(self, snapshot: OnboardingSnapshot) -> bool:
        """Whether the new step was done and verified before: a key, or a channel from choice to code."""
        if snapshot.state is State.CREDENTIALS_VERIFY:
            return self.facts.met(State.CREDENTIALS_VERIFY, snapshot)
        if snapshot.state in (State.COMMS_SELECTION, State.COMMS_CONFIGURE, State.COMMS_VERIFY):
            return self.facts.met(State.COMMS_CONFIGURE, snapshot) and self.facts.met(State.COMMS_VERIFY, snapshot)
        return False

    def _moved(self, before: OnboardingSnapshot, after: OnboardingSnapshot) -> None:
        if before.state is after.state and before.origin is after.origin:
            return
        job = self.workshop.job
        if job is not None and job.state is not after.state:
            self.workshop.stop()
        self.events.publish("state", state=str(after.state), before=str(before.state), revision=after.revision)

    def _tick_later(self) -> None:
        self._runner.later(min(5.0, remaining(self.snapshot.guards, self.keeper.now) + 0.05), self._tick)

    def _tick(self) -> None:
        """While a cooldown runs: note how much is served, and give the state back when it is over."""
        self.keeper.look()
        if self.snapshot.state is State.COOLDOWN and not self._closed:
            self._tick_later()
