"""FINAL_CHECKS: every named check must pass; the results are kept and shown one by one."""

from __future__ import annotations

from typing import ClassVar

from lancelot.errors import NotReady
from lancelot.onboarding.seams import Progress
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context, Done, Form, Result, Stay, Work

__all__ = ["FinalChecksForm", "FinalChecksStep"]


class FinalChecksForm(Form):
    """Nothing is asked: submitting runs the checks again."""


class FinalChecksStep:
    """Runs the checks; READY follows only when none has failed."""

    state: ClassVar[State] = State.FINAL_CHECKS
    title: ClassVar[str] = "Final checks"
    automatic: ClassVar[bool] = True
    form: ClassVar[type[Form]] = FinalChecksForm

    def accept(self, form: FinalChecksForm, context: Context) -> Result:
        return Work()

    def work(self, context: Context) -> Result:
        """Done when all checks passed, else Stay naming those that failed; the outcomes are in the changes."""
        outcomes = []
        for check in context.checks():
            if context.stop():
                break
            context.report(Progress(check.name, "running"))
            outcome = check.run(context.snapshot)
            outcomes.append(outcome)
            context.report(Progress(check.name, "passed" if outcome.ok else f"failed: {outcome.detail}"))
        failed = [outcome.title for outcome in outcomes if not outcome.ok]
        if failed:
            wrong = NotReady(
                f"{len(failed)} of {len(outcomes)} checks failed: {', '.join(failed)}.",
                hint="Each failed check says what to do; REPAIR does what can be done by itself.",
                code="checks_failed",
            )
            return Stay(wrong, {"checks": outcomes})
        return Done({"checks": outcomes})
