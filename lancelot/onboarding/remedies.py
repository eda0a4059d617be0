"""What REPAIR can do about each failing check during set-up, as plans in words with the files they touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lancelot.credentials import Credentials
from lancelot.filediff import file_diff
from lancelot.files import read_or_none
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
        fresh = self.keeper.snapshot.model_dump_json().encode()
        diff = file_diff(store.path.name, _content(store.path), fresh)
        return Plan("snapshot", finding, steps, (store.path,), write_anew, diff)

    def _keys(self, finding: str) -> Plan:
        path = self.credentials.path
        if "may be read by others" in finding:
            steps = ("Let only you read credentials.json (mode 0600).",)
            content, mode = _content(path), path.stat().st_mode & 0o777
            diff = file_diff(path.name, content, content, mode, 0o600)
            return Plan("credentials", finding, steps, (path,), self.credentials.make_private, diff)
        if "damaged" in finding:

            def restore() -> None:
                self.credentials.restore_copy()

            steps = ("Put the older copy of credentials.json in its place.",)
            diff = file_diff(path.name, _content(path), _content(path.with_name(f"{path.name}.1")))
            return Plan("credentials", finding, steps, (path,), restore, diff)
        return Plan("credentials", finding, (), (), _nothing)

    def _local_model(self, finding: str) -> Plan:
        if self.model.verified(thorough=True):
            restart = ("Stop the local service and start it again.", "Ask it the known questions.")
            return Plan("local_model", finding, restart, (), self.model.restart, "@ no file changes")

        def reinstall() -> None:
            self.model.set_aside()
            with self.keeper.changing():  # the missing weights are noticed here, and the state goes back by itself
                pass
            self.begin()

        steps = (
            "Move the file that does not match aside; nothing is deleted.",
            "Fetch the pinned model again under the consent you gave, and verify it.",
        )
        card = self.model.card()
        diff = (
            f"@ models/{card.id}\n-{card.file} (missing, or not the pinned file)\n+{card.file} (SHA-256 {card.sha256})"
        )
        return Plan("local_model", finding, steps, (), reinstall, diff)


def _nothing() -> None:
    return


def _content(path: Path) -> bytes | None:
    try:
        return read_or_none(path)
    except OSError:
        return b""
