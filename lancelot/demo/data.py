"""The demonstration's own data folder: made, shown and removed without a touch on the real one.

data/demo/          receipts, database and approvals, all made up
data/demo.new/      the next one while it is being made; it takes the place of the old one in one step
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from lancelot.approvals import ApprovalQueue
from lancelot.config import Budget, BudgetsConfig, Config
from lancelot.demo.asks import fill
from lancelot.demo.records import seed
from lancelot.errors import BadInput, Conflict, LancelotError, NotFound
from lancelot.files import lock_folder
from lancelot.routing.budget import BudgetKeeper
from lancelot.routing.ports import ConfigSource
from lancelot.store.ledger import ReceiptStore
from lancelot.store.usage import UsageQueries

__all__ = ["MOST", "DemoData", "DemoRecords"]

log = logging.getLogger(__name__)
MOST = 20_000_000
RECEIPTS_A_CENT = 40  # budgets in proportion, so that the dials show something whatever the number


@dataclass(frozen=True, slots=True)
class DemoRecords:
    """What pages read instead of the real records while the demonstration is shown. `until`: its newest moment."""

    receipts: ReceiptStore
    usage: UsageQueries
    approvals: ApprovalQueue
    budgets: BudgetKeeper
    until: datetime


class _DemoConfig:
    """The real configuration with budgets of the demonstration's own."""

    def __init__(self, real: ConfigSource, receipts: int) -> None:
        daily = max(Decimal(1), Decimal(receipts) / RECEIPTS_A_CENT / 100).quantize(Decimal(1))
        limits = Budget(daily_usd=daily, monthly_usd=daily * 20, daily_tokens=max(100_000, receipts * 40))
        self._budgets = BudgetsConfig(total=limits, lanes={"deep": Budget(daily_usd=daily)})
        self._real = real

    @property
    def current(self) -> Config:
        now = self._real.current
        return replace(now, router=now.router.model_copy(update={"budgets": self._budgets}))


class DemoData:
    """The demonstration of one data folder. Thread-safe; opened when it is first shown.

    Args:
        data_dir: the real data folder; the demonstration lives in demo/ in it.
        config: the configuration in force, for the budgets' rules.
    """

    def __init__(self, data_dir: Path, config: ConfigSource) -> None:
        self.folder = data_dir / "demo"
        self._fresh = data_dir / "demo.new"
        self._config = config
        self._lock = threading.RLock()
        self._open: DemoRecords | None = None
        self._making: dict[str, Any] | None = None
        self._problem: LancelotError | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def exists(self) -> bool:
        """Whether there is a demonstration to show."""
        return (self.folder / "lancelot.duckdb").exists()

    def status(self) -> dict[str, Any]:
        """{"exists", "data_dir", "making": {"done", "total"} | None, "problem": {code, title, hint} | None}."""
        making, problem = self._making, self._problem
        return {
            "exists": self.exists(),
            "data_dir": str(self.folder),
            "making": dict(making) if making else None,
            "problem": problem.to_dict() if problem else None,
        }

    def records(self) -> DemoRecords:
        """The demonstration's receipts, sums, approvals and budgets; opened at the first call.

        Raises:
            NotFound: none has been made. Conflict: another process has it open.
        """
        with self._lock:
            if self._open is None:
                if not self.exists():
                    raise NotFound(
                        "There is no demonstration data yet.", hint="`lancelot demo seed` makes it.", code="no_demo"
                    )
                self._open = self._opened()
            return self._open

    def _opened(self) -> DemoRecords:
        store = ReceiptStore(self.folder)
        try:
            newest, _ = store.page(None, None, 1)
            until = newest[0].at if newest else datetime.now(UTC)
            usage = UsageQueries(store)
            config = _DemoConfig(self._config, store.journal.head.n)
            budgets = BudgetKeeper(config, usage, clock=lambda: until)
            approvals = ApprovalQueue(self.folder, store)
        except BaseException:
            store.close()
            raise
        return DemoRecords(store, usage, approvals, budgets, until)

    def make(self, count: int, *, seed_number: int = 7, told: Callable[[int, int], None] | None = None) -> int:
        """Make the demonstration anew with exactly `count` receipts; the old one is shown until it is done.

        Raises:
            BadInput: count is not 1 to 20,000,000. Conflict: one is being made. StoreError: the old one stays.
        """
        self._take(count)
        return self._make(count, seed_number, told)

    def begin(self, count: int, *, seed_number: int = 7) -> None:
        """The same on a thread of its own; `status` tells how far it is, and what went wrong.

        Raises:
            BadInput, Conflict: as `make`.
        """
        self._take(count)

        def work() -> None:
            try:
                self._make(count, seed_number, None)
            except LancelotError as problem:
                self._problem = problem
            except Exception as problem:  # noqa: BLE001 - a thread's boundary
                log.error("making the demonstration failed: %s", type(problem).__name__)
                self._problem = LancelotError()

        self._thread = threading.Thread(target=work, name="demo", daemon=True)
        self._thread.start()

    def remove(self) -> bool:
        """Delete the demonstration; False when there was none."""
        with self._lock:
            there = self.folder.exists()
            self._let_go()
            shutil.rmtree(self.folder, ignore_errors=True)
            return there

    def close(self) -> None:
        """Stop what is being made and let go of the files."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)
        with self._lock:
            self._let_go()

    def _take(self, count: int) -> None:
        if not 1 <= count <= MOST:
            raise BadInput(f"A demonstration has 1 to {MOST:,} receipts.", param="receipts")
        with self._lock:
            if self._making is not None:
                raise Conflict("A demonstration is being made already.", hint="Wait for its end.")
            self._making, self._problem = {"done": 0, "total": count}, None

    def _make(self, count: int, seed_number: int, told: Callable[[int, int], None] | None) -> int:
        def tell(done: int) -> bool:
            self._making = {"done": done, "total": count}
            if told is not None:
                told(done, count)
            return not self._stop.is_set()

        lock = None
        try:
            lock = lock_folder(self.folder.parent, "demo.lock")
            shutil.rmtree(self._fresh, ignore_errors=True)
            store = ReceiptStore(self._fresh)
            try:
                written = seed(store, count, seed=seed_number, told=tell)
                fill(ApprovalQueue(self._fresh, store))
                store.flush(600)
            finally:
                store.close()
            if written < count:
                raise Conflict("The demonstration was not finished.", hint="Start it again.", code="stopped")
            self._swap()
            return written
        finally:
            if lock is not None:
                shutil.rmtree(self._fresh, ignore_errors=True)
                lock.release()
            self._making = None

    def _swap(self) -> None:
        old = self.folder.with_name(f"demo.old-{time.time_ns()}")
        with self._lock:
            self._let_go()
            if self.folder.exists():
                self.folder.rename(old)
            self._fresh.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def _let_go(self) -> None:
        if self._open is not None:
            self._open.receipts.close()
            self._open = None
