"""The final checks by name: each says in words what it found, how long it took, and what would fix it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lancelot.config import AUTO
from lancelot.credentials import Credentials
from lancelot.errors import LancelotError
from lancelot.onboarding.clocks import Clock
from lancelot.onboarding.facts import Facts
from lancelot.onboarding.seams import Deps
from lancelot.onboarding.snapshot import CheckOutcome, OnboardingSnapshot
from lancelot.onboarding.snapshot_store import SnapshotStore
from lancelot.onboarding.states import State

__all__ = ["Check", "CheckFailed", "build_checks"]

DISK_NEEDED = 200 * 1024 * 1024
EARLIEST_PLAUSIBLE = 1_750_000_000.0  # mid 2025, Unix seconds: no Lancelot is older
CLOCK_SLACK_S = 300.0


class CheckFailed(LancelotError):
    code, status = "check_failed", 503


@dataclass(frozen=True, slots=True)
class Check:
    """One named check. `look` returns what it found in words, or raises LancelotError."""

    name: str
    title: str
    fix: str
    look: Callable[[OnboardingSnapshot], str]

    def run(self, snapshot: OnboardingSnapshot) -> CheckOutcome:
        """The outcome with the time it took; a failure is an outcome, never an exception."""
        began = time.perf_counter()
        try:
            ok, detail = True, self.look(snapshot)
        except LancelotError as failed:
            ok, detail = False, f"{failed.title} {failed.hint}"
        except Exception as broken:  # noqa: BLE001 a check that breaks is a check that failed; its name is enough
            ok, detail = False, f"The check itself broke ({type(broken).__name__}). Run `lancelot doctor`."
        took = (time.perf_counter() - began) * 1000.0
        return CheckOutcome(
            name=self.name, title=self.title, ok=ok, detail=detail, took_ms=round(took, 1), fix=None if ok else self.fix
        )


class _Looks:
    def __init__(self, deps: Deps, store: SnapshotStore, credentials: Credentials, facts: Facts) -> None:
        self.deps, self.store, self.credentials, self.facts = deps, store, credentials, facts

    def snapshot(self, snapshot: OnboardingSnapshot) -> str:
        on_disk = self.store.revision_on_disk()
        if on_disk is None and snapshot.revision == 0 and not self.store.path.exists():
            return "Nothing is written yet: the set-up has not begun."
        if on_disk is None:
            raise CheckFailed("The set-up record on disk is missing or damaged.", hint="REPAIR writes it anew.")
        if on_disk < snapshot.revision:
            raise CheckFailed("The set-up record on disk is older than what is shown.", hint="REPAIR writes it anew.")
        return f"Readable, revision {on_disk}, {len(self.store.copies())} older copies."

    def keys(self, snapshot: OnboardingSnapshot) -> str:
        wrong = self.credentials.problem()
        if wrong is not None:
            raise CheckFailed(wrong, hint="REPAIR sets this right.")
        if not (
            self.facts.met(State.CREDENTIALS_CAPTURE, snapshot) and self.facts.met(State.CREDENTIALS_VERIFY, snapshot)
        ):
            raise CheckFailed("The stored key is not the one that was verified.", hint="Enter and verify it again.")
        if snapshot.credentials is not None and snapshot.credentials.source == "none":
            return "No key is needed."
        return "Stored privately and verified by the provider."

    def lanes(self, snapshot: OnboardingSnapshot) -> str:
        flagship = snapshot.flagship
        if flagship is None:
            raise CheckFailed("No flagship is chosen.", hint="RESET ONBOARDING starts over.")
        sheet = next((sheet for sheet in self.deps.providers.sheets() if sheet.name == flagship.provider), None)
        if sheet is None:
            raise CheckFailed("The flagship is no longer configured.", hint="See config/models.yaml.")
        seen = self.deps.providers.list_models(flagship, self.facts.key_of(snapshot))
        wanted = [seen[0] if model == AUTO and seen else model for model in (sheet.fast, sheet.deep)]
        missing = sorted({model for model in wanted if model not in seen})
        if len(missing) == len(set(wanted)):
            raise CheckFailed(
                f"{sheet.title} answers, but not with {' or '.join(missing)}.",
                hint="Name other models under this provider in config/models.yaml.",
            )
        told = f"Called just now. Fast: {wanted[0]}; deep: {wanted[1]}."
        return told + (f" Not offered to this key: {', '.join(missing)}; the other lane stands in." if missing else "")

    def local_model(self, snapshot: OnboardingSnapshot) -> str:
        if not self.deps.model.verified():
            raise CheckFailed("The model file is missing or changed.", hint="REPAIR installs it again.")
        self.deps.model.start()
        return self.deps.model.smoke() or "Answers."

    def comms(self, snapshot: OnboardingSnapshot) -> str:
        if not (self.facts.met(State.COMMS_CONFIGURE, snapshot) and self.facts.met(State.COMMS_VERIFY, snapshot)):
            raise CheckFailed("The channel is not the one the code was sent to.", hint="BACK, and verify it again.")
        return f"{snapshot.comms.label if snapshot.comms else ''}: a code came through."

    def disk(self, snapshot: OnboardingSnapshot) -> str:
        return free_disk(self.deps.data_dir)

    def clock(self, snapshot: OnboardingSnapshot) -> str:
        return plausible_clock(self.deps.clock, snapshot)

    def canary(self, snapshot: OnboardingSnapshot) -> str:
        if self.deps.canary is None or snapshot.flagship is None:
            raise CheckFailed("The redaction check cannot run here.", hint="Start the console and try again.")
        return self.deps.canary(snapshot.flagship)


def free_disk(folder: Path) -> str:
    """How much space is free, in words.

    Raises:
        CheckFailed: less than 200 MB.
    """
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < DISK_NEEDED:
        raise CheckFailed(
            f"Only {free // 1_000_000} MB are free where the data folder is.",
            hint="Free some space; 200 MB are needed to keep receipts.",
        )
    return f"{free / 1e9:.1f} GB free."


def plausible_clock(clock: Clock, snapshot: OnboardingSnapshot) -> str:
    """That the wall clock can be right: not before this software existed, not before the last saved step.

    Raises:
        CheckFailed: it cannot be right.
    """
    now = clock.wall()
    if now < EARLIEST_PLAUSIBLE:
        raise CheckFailed("This machine's clock stands years back.", hint="Set the clock; receipts carry its time.")
    if snapshot.saved is not None and now < snapshot.saved.wall - CLOCK_SLACK_S:
        raise CheckFailed(
            "This machine's clock stands before the last saved step.", hint="Set the clock; receipts carry its time."
        )
    return "Plausible."


def build_checks(deps: Deps, store: SnapshotStore, credentials: Credentials, facts: Facts) -> list[Check]:
    """All checks in the order they run and are shown: cheap ones first, the canary last."""
    looks = _Looks(deps, store, credentials, facts)
    extra: Mapping[str, Callable[[], str]] = deps.extra_checks
    named = [
        Check("snapshot", "Set-up record", "REPAIR writes it anew.", looks.snapshot),
        Check("credentials", "Key", "REPAIR, or BACK to the key and enter it again.", looks.keys),
        Check("comms", "Message channel", "BACK to the channel and verify it again.", looks.comms),
        Check("disk", "Disk space", "Free some space, then run the checks again.", looks.disk),
        Check("clock", "Clock", "Set this machine's clock, then run the checks again.", looks.clock),
    ]
    for name, look in extra.items():
        title = name.replace("_", " ").capitalize()
        fix = "REPAIR, or `lancelot doctor --fix`, then run the checks again."
        named.append(Check(name, title, fix, lambda _snapshot, look=look: look()))  # type: ignore[misc]
    return [
        *named,
        Check("local_model", "Local model", "REPAIR restarts or installs it again.", looks.local_model),
        Check("lanes", "Lanes", "BACK to the key, or see config/models.yaml.", looks.lanes),
        Check("redaction_canary", "Redaction canary", "Do not send anything yet; run `lancelot doctor`.", looks.canary),
    ]
