"""`lancelot doctor`: every check REPAIR knows, plus the chain of receipts, the configuration and the price list."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lancelot.config import ConfigStore
from lancelot.errors import LancelotError
from lancelot.filecheck import PREFIX, Fault, damaged
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.remedies import due_checks
from lancelot.onboarding.snapshot import CheckOutcome
from lancelot.onboarding.states import State
from lancelot.providers.prices import outdated
from lancelot.repair import Repaired, Repairer
from lancelot.store.ledger import ReceiptStore

__all__ = ["Doctor", "mended"]


class Doctor:
    """Looks at everything and, when asked, lets REPAIR mend what it can.

    Args:
        flow: the set-up with its checks and its REPAIR.
        receipts, config: the other things that can be wrong.
    """

    def __init__(self, flow: OnboardingFlow, receipts: ReceiptStore, config: ConfigStore) -> None:
        self._flow = flow
        self._receipts = receipts
        self._config = config
        self.anew: dict[str, Callable[[], None]] = {}  # files that a running server can write again from memory

    def look(self) -> dict[str, Any]:
        """{"ok", "checks": [{"name", "title", "ok", "detail", "took_ms", "fix"}]}; blocks until all have run."""
        due = due_checks(list(self._flow.checks()), self._flow.snapshot)
        outcomes = [check.run(self._flow.snapshot) for check in due] + self.others()
        rows = [outcome.model_dump(mode="json") for outcome in outcomes]
        return {"ok": all(row["ok"] for row in rows), "checks": rows}

    def others(self) -> list[CheckOutcome]:
        """What the set-up's own checks do not look at: files, the chain of receipts, the configuration, prices."""
        return [
            *([fault.outcome for fault in self.faults()] or [_timed("files", "Files can be read", "", lambda: "All.")]),
            _timed("set_up", "Set-up", "Go on with it: its page says how, or `lancelot onboard`.", self._set_up),
            _timed(
                "receipts_chain", "Receipts hold together", "`lancelot receipts verify` names the place.", self._chain
            ),
            _timed(
                "configuration", "Configuration is in force", "Correct the named file and key.", self._configuration
            ),
            _timed("prices", "Prices are up to date", "Update config/prices.yaml.", self._prices),
        ]

    def faults(self) -> list[Fault]:
        """The files of the data folder that cannot be read, each with its plan."""
        return damaged(self._flow.deps.data_dir, self.anew)

    def look_at(self, name: str) -> CheckOutcome:
        """One of the others again; a file that can be read by now is well."""
        found = next((one for one in self.others() if one.name == name), None)
        well = CheckOutcome(name=name, title=f"File {name.removeprefix(PREFIX)}", ok=True, detail="Well.", took_ms=0.0)
        return found or well

    def mend(self) -> dict[str, Any]:
        """Damaged files, then REPAIR, then look again: {"ok", "checks", "repairs", "text"}."""
        done = [mended(self._flow.repairer, fault, self.look_at) for fault in self.faults()]
        answer = self._flow.command("REPAIR")
        text = f"{len(done)} damaged files are set aside. " if done else ""
        repairs = [one.to_dict() for one in done] + list(answer.get("repairs") or ())
        return self.look() | {"repairs": repairs, "text": text + answer["text"]}

    def _set_up(self) -> str:
        """A set-up that had to go back says so until it is finished again."""
        snapshot = self._flow.snapshot
        if snapshot.state is State.READY:
            return "Finished."
        back = [notice for notice in snapshot.notices if notice.code in ("snapshot_corrected", "snapshot_lost")]
        if back:
            raise LancelotError(back[-1].text, hint="Nothing else is lost.", code="set_up_went_back")
        return f"It is at {snapshot.state}."

    def _chain(self) -> str:
        report = self._receipts.verify().to_dict()
        if not report["ok"]:
            kept = "What is there stays readable; only a backup brings lost lines back."
            raise LancelotError(str(report["problem"]), hint=kept, code="chain_broken")
        return f"{report['checked']} lines checked since the last checkpoint."

    def _configuration(self) -> str:
        if self._config.problem is not None:
            raise self._config.problem
        return "Read without a fault."

    def _prices(self) -> str:
        old = outdated(self._config.current.prices, datetime.now(UTC).date())
        if old:
            raise LancelotError(f"The listed price has run out for {', '.join(map(str, old))}.", code="prices_outdated")
        return f"Price list {self._config.current.prices.version}."


def mended(repairer: Repairer, fault: Fault, again: Callable[[str], CheckOutcome]) -> Repaired:
    """One damaged file set right, with a copy to go back to; `again` looks at a check by its name."""

    def recheck() -> tuple[bool, str]:
        outcome = again(fault.outcome.name)
        return outcome.ok, outcome.detail

    return repairer.carry_out(fault.plan, recheck)


def _timed(name: str, title: str, fix: str, look: Callable[[], str]) -> CheckOutcome:
    began = time.perf_counter()
    try:
        ok, detail = True, look()
    except LancelotError as problem:
        ok, detail = False, f"{problem.title} {problem.hint}"
    took = round((time.perf_counter() - began) * 1000, 1)
    return CheckOutcome(name=name, title=title, ok=ok, detail=detail, took_ms=took, fix=None if ok else fix)
