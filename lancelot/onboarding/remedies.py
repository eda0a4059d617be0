"""What REPAIR can do about each failing check during set-up, as plans in words with the files they touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lancelot.credentials import Credentials
from lancelot.onboarding.checks import Check
from lancelot.onboarding.keeper import Keeper
from lancelot.onboarding.seams import LocalModel
from lancelot.onboarding.snapshot import CheckOutcome, OnboardingSnapshot
from lancelot.onboarding.states import State, position
from lancelot.repair import Plan

__all__ = ["Remedies", "due_checks"]

ALWAYS = ("snapshot", "disk", "clock")
# from which state on a check means something
SINCE: dict[str, State] = {
    "credentials": State.LOCAL_UTILITY_SETUP,
    "local_model": State.COMMS_SELECTION,
    "comms": State.FINAL_CHECKS,
}


def due_checks(checks: list[Check], snapshot: OnboardingSnapshot) -> list[Check]:
    """The checks that can be expected to pass where the set-up stands."""
    here = position(snapshot.standing)
    return [
        check for check in checks if check.name in ALWAYS or here >= position(SINCE.get(check.name, State.FINAL_CHECKS))
    ]


@dataclass(frozen=True, slots=True)
class Remedies:
    """Plans for findings. `begin` starts the work of the present step again."""

    keeper: Keeper
    credentials: Credentials
    model: LocalModel
    begin: Callable[[], None]

    def plan(self, outcome: CheckOutcome) -> Plan:
        """The plan for a failed check; without steps when only a person can act."""
        builders: dict[str, Callable[[str], Plan]] = {
            "snapshot": self._snapshot,
            "credentials": self._keys,
            "local_model": self._local_model,
        }
        builder = builders.get(outcome.name)
        return builder(outcome.detail) if builder else Plan(outcome.name, outcome.detail, (), (), _nothing)

    def _snapshot(self, finding: str) -> Plan:
        store = self.keeper.store

        def write_anew() -> None:
            self.keeper.put(self.keeper.snapshot)

        steps = ("Keep a copy of the record as it is.", "Write the record anew from what is known to be true.")
        return Plan("snapshot", finding, steps, (store.path,), write_anew)

    def _keys(self, finding: str) -> Plan:
        path = self.credentials.path
        if "may be read by others" in finding:
            steps = ("Let only you read credentials.json (mode 0600).",)
            return Plan("credentials", finding, steps, (path,), self.credentials.make_private)
        if "damaged" in finding:

            def restore() -> None:
                self.credentials.restore_copy()

            return Plan(
                "credentials", finding, ("Put the older copy of credentials.json in its place.",), (path,), restore
            )
        return Plan("credentials", finding, (), (), _nothing)

    def _local_model(self, finding: str) -> Plan:
        if self.model.verified(thorough=True):
            steps = ("Stop the local service and start it again.", "Ask it the known questions.")
            return Plan("local_model", finding, steps, (), self.model.restart)

        def reinstall() -> None:
            self.model.set_aside()
            with self.keeper.changing():  # the missing weights are noticed here, and the state goes back by itself
                pass
            self.begin()

        steps = (
            "Move the file that does not match aside; nothing is deleted.",
            "Fetch the pinned model again under the consent you gave, and verify it.",
        )
        return Plan("local_model", finding, steps, (), reinstall)


def _nothing() -> None:
    return
