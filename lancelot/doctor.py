"""`lancelot doctor`: every check REPAIR knows, plus the chain of receipts, the configuration and the price list."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lancelot.config import ConfigStore
from lancelot.errors import LancelotError
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.remedies import due_checks
from lancelot.onboarding.snapshot import CheckOutcome
from lancelot.providers.prices import outdated
from lancelot.store.ledger import ReceiptStore

__all__ = ["Doctor"]


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

    def look(self) -> dict[str, Any]:
        """{"ok", "checks": [{"name", "title", "ok", "detail", "took_ms", "fix"}]}; blocks until all have run."""
        due = due_checks(list(self._flow.checks()), self._flow.snapshot)
        outcomes = [check.run(self._flow.snapshot) for check in due] + self.others()
        rows = [outcome.model_dump(mode="json") for outcome in outcomes]
        return {"ok": all(row["ok"] for row in rows), "checks": rows}

    def others(self) -> list[CheckOutcome]:
        """What the set-up's own checks do not look at: the chain of receipts, the configuration, the price list."""
        return [
            _timed(
                "receipts_chain", "Receipts hold together", "`lancelot receipts verify` names the place.", self._chain
            ),
            _timed(
                "configuration", "Configuration is in force", "Correct the named file and key.", self._configuration
            ),
            _timed("prices", "Prices are up to date", "Update config/prices.yaml.", self._prices),
        ]

    def mend(self) -> dict[str, Any]:
        """REPAIR, then look again: {"ok", "checks", "repairs", "text"}."""
        answer = self._flow.command("REPAIR")
        return self.look() | {"repairs": list(answer.get("repairs") or ()), "text": answer["text"]}

    def _chain(self) -> str:
        report = self._receipts.verify().to_dict()
        if not report["ok"]:
            raise LancelotError(str(report["problem"]), code="chain_broken")
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


def _timed(name: str, title: str, fix: str, look: Callable[[], str]) -> CheckOutcome:
    began = time.perf_counter()
    try:
        ok, detail = True, look()
    except LancelotError as problem:
        ok, detail = False, f"{problem.title} {problem.hint}"
    took = round((time.perf_counter() - began) * 1000, 1)
    return CheckOutcome(name=name, title=title, ok=ok, detail=detail, took_ms=took, fix=None if ok else fix)
