"""BACK, STATUS, REPAIR, RESTART STEP, RESET ONBOARDING, RESEND CODE, and UNDO: they answer in every state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from pydantic import ValidationError

from lancelot.credentials import Credentials
from lancelot.errors import LancelotError, NotFound, StoreError
from lancelot.onboarding.checks import Check
from lancelot.onboarding.cooldown import remaining
from lancelot.onboarding.exchange import KIND, Exchange
from lancelot.onboarding.facts import Facts
from lancelot.onboarding.keeper import Keeper
from lancelot.onboarding.postman import Postman
from lancelot.onboarding.recovery import Answer, Command, parse_command, previous
from lancelot.onboarding.remedies import Remedies, due_checks
from lancelot.onboarding.seams import Deps
from lancelot.onboarding.snapshot import CheckOutcome, OnboardingSnapshot
from lancelot.onboarding.states import Move, State, Table, position
from lancelot.onboarding.work import Workshop
from lancelot.repair import Repaired, Repairer

__all__ = ["Commands"]


class Flow(Protocol):
    """What the commands need of the flow."""

    deps: Deps
    table: Table
    keeper: Keeper
    facts: Facts
    credentials: Credentials
    repairer: Repairer
    exchange: Exchange
    postman: Postman
    workshop: Workshop

    @property
    def snapshot(self) -> OnboardingSnapshot: ...
    @property
    def is_working(self) -> bool: ...
    def checks(self) -> Sequence[Check]: ...
    def begin(self) -> None: ...
    def resume(self) -> None: ...


class Commands:
    """The commands over one flow; every one returns an Answer in every state."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def answer(self, typed: str, confirm: bool) -> Answer:
        """Carry out what was typed.

        Raises:
            BadInput: no such command. TooMany: a code was sent too recently. StoreError: nothing could be saved.
        """
        command = parse_command(typed)
        if command is Command.STATUS:
            return Answer(command, True, self._where())
        if command is Command.REPAIR:
            return self._repair()
        if command is Command.BACK:
            return self._back()
        if command is Command.RESTART_STEP:
            return self._restart()
        if command is Command.RESET_ONBOARDING:
            return self._reset(confirm)
        if command is Command.RESEND_CODE:
            return self._resend()
        return self._undo()

    def _where(self) -> str:
        keeper = self._flow.keeper
        keeper.look()
        snapshot = keeper.snapshot
        if snapshot.state is State.COOLDOWN:
            return f"A wait of {self._wait()} s is running; then {snapshot.standing} goes on by itself."
        if snapshot.state is State.READY:
            return "Everything is set up; Lancelot is ready."
        trouble = keeper.trouble or snapshot.problem
        said = f" {trouble.title} {trouble.hint}" if trouble else ""
        return f"The set-up is at {snapshot.state}, step {position(snapshot.state) + 1} of 10.{said}"

    def _wait(self) -> int:
        keeper = self._flow.keeper
        return math.ceil(remaining(keeper.snapshot.guards, keeper.now))

    def _back(self) -> Answer:
        flow = self._flow
        with flow.keeper.changing():
            snapshot = flow.snapshot
            earlier = previous(snapshot, flow.table)
            if snapshot.state is State.READY:
                text = "The set-up is done. RESET ONBOARDING starts over, with a copy to go back to."
                return Answer(Command.BACK, False, text)
            if earlier is None:
                return Answer(Command.BACK, False, "This is the first step; there is nothing before it.")
            flow.workshop.stop()
            if snapshot.state is State.COOLDOWN:
                flow.keeper.move(Move.BACK, origin=earlier)
                return Answer(Command.BACK, True, f"The wait goes on for {self._wait()} s; then {earlier} is next.")
            flow.keeper.move(Move.BACK, problem=None)
        return Answer(Command.BACK, True, f"Back at {earlier}. Nothing was lost.")

    def _restart(self) -> Answer:
        flow = self._flow
        with flow.keeper.changing():
            snapshot = flow.snapshot
            if snapshot.state is State.COOLDOWN:
                text = f"The wait goes on for {self._wait()} s; then {snapshot.standing} begins anew by itself."
                return Answer(Command.RESTART_STEP, True, text)
            if snapshot.state is State.READY:
                return self._check_again()
            flow.workshop.stop()
            flow.keeper.put(snapshot.changed(problem=None, checks=[]))
        flow.begin()
        text = f"{snapshot.state} begins anew. Downloads, consent and counters stay as they are."
        return Answer(Command.RESTART_STEP, True, text)

    def _check_again(self) -> Answer:
        flow = self._flow
        outcomes = [check.run(flow.snapshot) for check in flow.checks()]
        flow.keeper.put(flow.snapshot.changed(checks=outcomes))
        failed = [outcome.title for outcome in outcomes if not outcome.ok]
        text = f"Failed now: {', '.join(failed)}. REPAIR looks after it." if failed else "All final checks pass."
        return Answer(Command.RESTART_STEP, not failed, text)

    def _reset(self, confirm: bool) -> Answer:
        flow = self._flow
        if not confirm:
            text = (
                "This starts the set-up over at WELCOME. Receipts, the verified model and stored keys stay; a copy of "
                "the present state is kept and UNDO brings it back. Confirm to go on."
            )
            return Answer(Command.RESET_ONBOARDING, False, text, needs_confirm=True)
        with flow.keeper.changing():
            snapshot = flow.snapshot
            files = (flow.keeper.store.path, flow.credentials.path, flow.deps.model.choice_file)
            kept = flow.repairer.keep(files, "RESET ONBOARDING")
            flow.workshop.stop()
            flow.deps.model.choose(None)
            blank = {name: getattr(OnboardingSnapshot(), name) for name in _CLEARED}
            if snapshot.state is State.COOLDOWN:
                flow.keeper.move(Move.RESET, origin=State.WELCOME, **blank)
                text = f"Reset. The wait goes on for {self._wait()} s; then WELCOME is next. Copy: {kept}."
            else:
                flow.keeper.move(Move.RESET, **blank)
                text = f"Reset to WELCOME. The old state is kept as {kept}; UNDO brings it back."
        flow.repairer.note(kept, None, None, text)
        return Answer(Command.RESET_ONBOARDING, True, text)

    def _resend(self) -> Answer:
        flow = self._flow
        with flow.keeper.changing():
            state = flow.snapshot.state
            wait = self._wait()
        if state is State.COOLDOWN:
            text = f"No code is sent while the wait runs; it ends by itself in {wait} s, then RESEND CODE works."
            return Answer(Command.RESEND_CODE, False, text, retry_after=wait)
        if state is not State.COMMS_VERIFY:
            return Answer(Command.RESEND_CODE, False, f"No code is awaited at {state}.")
        flow.postman.send()
        return Answer(Command.RESEND_CODE, True, "A new code is on its way; the old one no longer counts.")

    def _repair(self) -> Answer:
        flow = self._flow
        flow.keeper.look()
        due = due_checks(list(flow.checks()), flow.snapshot)
        outcomes = [(check, check.run(flow.snapshot)) for check in due]
        remedies = Remedies(flow.keeper, flow.credentials, flow.deps.model, flow.begin)
        done: list[Repaired] = []
        for check, outcome in outcomes:
            if not outcome.ok:
                done.append(flow.repairer.carry_out(remedies.plan(outcome), partial(self._again, check)))
        nudged = self._nudge()
        repairs = tuple(repaired.to_dict() for repaired in done)
        if not done:
            return Answer(Command.REPAIR, True, f"All {len(due)} checks that apply at this step pass.{nudged}")
        fixed = sum(repaired.fixed for repaired in done)
        rest = "" if fixed == len(done) else " What is left says what to do."
        undo = " UNDO takes it back." if any(repaired.undo_id for repaired in done) else ""
        text = f"{fixed} of {len(done)} faults are repaired, each checked again.{rest}{undo}{nudged}"
        return Answer(Command.REPAIR, fixed == len(done), text, repairs=repairs)

    def _again(self, check: Check) -> tuple[bool, str]:
        outcome: CheckOutcome = check.run(self._flow.snapshot)
        return outcome.ok, outcome.detail

    def _nudge(self) -> str:
        """Work that should be running and is not, or that failed, is started again."""
        flow = self._flow
        before = flow.is_working
        flow.resume()
        return " The work of this step goes on." if flow.is_working and not before else ""

    def _undo(self) -> Answer:
        if not self._flow.repairer.kept():
            return Answer(Command.UNDO, False, "There is nothing to undo.")
        return self.undo()

    def undo(self, repair_id: str | None = None) -> Answer:
        """Take one repair, reset or restore back; the newest when none is named.

        Raises:
            NotFound: there is no such repair. StoreError: a file could not be put back.
        """
        flow = self._flow
        chosen = flow.repairer.look_up(repair_id)
        if chosen.kind == KIND and flow.snapshot.state is State.READY:  # else the files simply come back
            return Answer(Command.UNDO, True, flow.exchange.back(chosen.id))
        with flow.keeper.changing():
            flow.workshop.stop()
            undone, names = flow.repairer.undo(repair_id, put_back={flow.keeper.store.path: self._restore})
        if flow.snapshot.state is State.READY:
            with suppress(LancelotError):  # the model of that time runs again; if it does not, its part says why
                flow.deps.model.start()
        return Answer(Command.UNDO, True, f"{undone} is undone: {', '.join(names)} as before.")

    def restore(self, revision: int) -> Answer:
        """Bring an older copy of the set-up record back, as far as the facts allow; UNDO takes it back.

        Raises:
            NotFound: no kept copy has this revision. StoreError: nothing could be saved.
        """
        flow = self._flow
        with flow.keeper.changing():
            older = next((found for found in flow.keeper.store.older() if found.revision == revision), None)
            if older is None:
                raise NotFound(
                    f"There is no older copy with revision {revision}.",
                    hint="Nothing was changed.",
                    code="no_such_copy",
                )
            why = f"Restored the set-up record of revision {revision} ({older.standing})."
            kept = flow.repairer.keep((flow.keeper.store.path,), why)
            flow.workshop.stop()
            self._restore(older.model_dump_json().encode())
            state = flow.snapshot.state
        flow.repairer.note(kept, None, None, f"The set-up was at {state} afterwards.")
        less = "" if state is older.standing else " Facts on this machine do not carry it further."
        return Answer(Command.UNDO, True, f"Revision {revision} is back; the set-up is at {state}.{less}")

    def _restore(self, content: bytes) -> None:
        """An older snapshot comes back as a move, as far as the facts allow; counters stay the newest."""
        flow, now = self._flow, self._flow.snapshot
        try:
            old = OnboardingSnapshot.model_validate_json(content)
        except ValidationError as damaged:
            raise StoreError("The kept copy is damaged and stays where it is.", code="copy_damaged") from damaged
        fields = {name: getattr(old, name) for name in _CLEARED}
        candidate = now.changed(**fields, state=old.standing, origin=None)
        target = min(old.standing, flow.facts.furthest(candidate), key=position)
        if now.state is State.COOLDOWN:
            origin = min(target, State.COMMS_VERIFY, key=position)
            flow.keeper.move(Move.RESTORE, origin=origin, **fields)
        else:
            flow.keeper.move(Move.RESTORE, wanted=target, **fields)


_CLEARED = (
    "flagship",
    "credentials",
    "consent",
    "model",
    "comms",
    "checks",
    "problem",
    "ready_at",
    "ready_proof",
)
