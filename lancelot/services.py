"""The composition root: builds every service once, in order, and closes them the other way round."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from starlette.concurrency import run_in_threadpool

from lancelot import settings
from lancelot.admission import Admission
from lancelot.approvals import Approval, ApprovalQueue, State
from lancelot.changes import Changes
from lancelot.chat import ChatRequest
from lancelot.config import Config, ConfigStore
from lancelot.costs import Costs
from lancelot.credentials import Credentials
from lancelot.demo import DemoData
from lancelot.doctor import Doctor
from lancelot.errors import LancelotError, NotReady
from lancelot.files import FolderLock, lock_folder
from lancelot.health import free_bytes
from lancelot.keys import Keys
from lancelot.local_model import LocalModel
from lancelot.mending import Mending
from lancelot.metrics import Metrics
from lancelot.notices import tell_of_approval
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.snapshot import Flagship
from lancelot.onboarding.states import State as OnboardingState
from lancelot.onboarding.tiers import TierSwitch
from lancelot.onboarding.wiring import build_flow
from lancelot.providers.base import Provider
from lancelot.providers.profiles import ProviderProfile, build_provider, profile
from lancelot.redaction.redactor import Redactor
from lancelot.redaction.vault import ConversationVaults
from lancelot.routing.budget import BudgetKeeper
from lancelot.routing.context import RequestContext
from lancelot.routing.router import ModelRouter
from lancelot.store.ledger import ReceiptStore
from lancelot.store.tables import OutcomeLedger
from lancelot.store.usage import UsageQueries

__all__ = ["Services", "build_services", "running"]

log = logging.getLogger(__name__)
T = TypeVar("T")
TICK_S = 3.0
BRAIN_PATIENCE_S = 15.0  # how long a request waits for a local model that is starting


class Services:
    """Everything one process runs, opened with `async with`. `call` reaches its event loop from other threads.

    Args:
        data_dir: everything that is written.
        config_dir: the folder of the YAML files.
        url: address of this process's server, told to command lines through the folder's lock; None without one.

    Raises:
        Conflict: another process owns the data folder.
        BadConfig, StoreError: said in words; nothing is left open.
    """

    def __init__(self, data_dir: Path, config_dir: Path, url: str | None = None) -> None:
        self.data_dir = data_dir
        self._url = url
        self._lock: FolderLock = lock_folder(data_dir)
        self._opened: list[Any] = [self._lock.release]
        try:
            self._build(config_dir)
        except BaseException:
            self._close_blocking()
            raise
        self.loop: asyncio.AbstractEventLoop | None = None
        self._flagship: tuple[object, ...] = ()
        self._provider: Provider | None = None

    def _build(self, config_dir: Path) -> None:
        self.config = ConfigStore(config_dir)
        gateway = self.config.current.router.gateway
        self.admission = Admission(gateway.max_concurrent, gateway.max_queued, per_minute=gateway.requests_per_minute)
        self.metrics = Metrics()
        self.keys = Keys(self.data_dir)
        self.keys.token()
        self.credentials = Credentials(self.data_dir)
        self.receipts = ReceiptStore(self.data_dir)
        self._opened.append(self.receipts.close)
        self.receipts.subscribe(self.metrics.count)
        self.metrics.watch(
            gateway_running=("Requests being carried out", lambda: self.admission.inside),
            receipts_waiting=("Journal lines not yet in the database", lambda: self.receipts.state().waiting),
            disk_free_bytes=("Free where the data folder is", lambda: free_bytes(self.data_dir) or 0),
            approvals_pending=("Requests that wait for a person", self._pending_approvals),
        )
        self.usage = UsageQueries(self.receipts)
        self.changes = Changes(self.config, self.receipts)
        self.local = LocalModel(self.data_dir, self.receipts.database, self._masked)
        self.upkeep, self.supervisor = self.local.upkeep, self.local.supervisor
        self._opened += [self.supervisor.stop, self.upkeep.close]
        redaction = self.config.current.router.redaction
        self.redactor = Redactor(
            redaction.policies,
            span_finder=self.local.spans,
            conversations=ConversationVaults(redaction.conversation_ttl_s, redaction.conversations),
        )
        self.config.on_change(self._config_changed)
        self.onboarding: OnboardingFlow = build_flow(
            data_dir=self.data_dir,
            config=self.config,
            supervisor=self.supervisor,
            redactor=self.redactor,
            receipts=self.receipts,
            credentials=self.credentials,
        )
        self._opened.append(self.onboarding.close)
        self.tiers = TierSwitch(self.onboarding, self.supervisor, self.data_dir, external=self.local.external)
        self.local.tiers = self.tiers
        self.doctor = Doctor(self.onboarding, self.receipts, self.config)
        self.mending = Mending(self.onboarding, self.doctor, self.config, self.changes, self.receipts.event)
        self.budgets = BudgetKeeper(
            self.config, self.usage, own=self.keys.budget_of, keys=lambda: [key.id for key in self.keys.all()]
        )
        self.costs = Costs(self.usage, self.config, self.budgets, self.local.window)
        self.approvals = ApprovalQueue(self.data_dir, self.receipts, notify=self._tell_operator, redactor=self.redactor)
        self.doctor.anew = {"token": self.keys.write_anew, "approvals.json": self.approvals.write_anew}
        self.demo = DemoData(self.data_dir, self.config)
        self._opened.append(self.demo.close)
        outcomes = OutcomeLedger(self.receipts.database)
        self._opened.append(outcomes.save)
        self._router = ModelRouter(
            redactor=self.redactor,
            brain=self.local.client,
            provider=None,
            profile=None,
            config=self.config,
            receipts=self.receipts,
            ledger=outcomes,
            approvals=self.approvals,
            flagged=self.upkeep.flagged,
            budgets=self.budgets,
        )

    # ---- life

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        await run_in_threadpool(self._start)
        self._tick = asyncio.create_task(self._look_after(), name="services-tick")
        _RUNNING.append(self)
        return self

    async def _look_after(self) -> None:
        """Every few seconds: bring an edited configuration into force, refresh the gauges."""
        kept_up = ""  # the model that was tuned and examined
        while True:
            await run_in_threadpool(self.config.reload_if_changed)
            self.metrics.ready.set(not self.missing())
            await self.local.look()
            self.metrics.brain_ready.set(self.local.status()["state"] in ("ready", "external"))
            self.metrics.queued.set(self.admission.queued)
            if self._url is not None and not self.local.external and not self.missing():
                chosen = self.onboarding.deps.model.card().id
                if kept_up != chosen and not self.upkeep.busy:
                    kept_up = chosen
                    self.upkeep.begin_wanted()
            await asyncio.sleep(TICK_S)

    def _pending_approvals(self) -> int:
        return len(self.approvals.list(State.PENDING))

    def _start(self) -> None:
        for fault in self.doctor.faults():
            log.warning("%s `lancelot doctor` says what to do.", fault.outcome.detail)
        self._lock.note({"url": self._url} if self._url else {})
        if self._url and not self.local.external:  # a command line starts the model only when it needs it
            self.local.start()
        self.onboarding.open()
        if self._url:  # the name tagger takes half a second to load; the first request should not wait for it
            warm_up = threading.Thread(target=self.redactor.redact, args=("Hello Anna.",), name="redactor-warm-up")
            warm_up.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        _RUNNING.remove(self)
        self._tick.cancel()
        if self._provider is not None:
            await self._provider.aclose()
        await self.local.client.aclose()
        await run_in_threadpool(self._close_blocking)

    def _close_blocking(self) -> None:
        while self._opened:
            self._opened.pop()()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float | None = 300.0) -> T:
        """The result of a coroutine run on the services' event loop; for pages, which live in other threads."""
        assert self.loop is not None, "the services are not open"
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()
            raise

    # ---- what requests need

    def is_ready(self) -> bool:
        """Whether the set-up is finished."""
        return self.onboarding.is_ready

    def missing(self) -> list[str]:
        """What keeps a request from being carried out right now, in words; empty when nothing does."""
        missing = self.onboarding.missing()
        if not missing and (said := self.local.missing()) is not None:
            missing.append(said)
        return missing

    def router(self) -> ModelRouter:
        """The router with the present flagship.

        Raises:
            NotReady: with what is missing.
        """
        missing = self.missing()
        if missing:
            raise NotReady(f"Lancelot is not ready yet: {'; '.join(missing)}.", missing=missing, retry_after=5)
        self._point_to_flagship()
        return self._router

    async def router_soon(self) -> ModelRouter:
        """The router, after a short wait when all that is missing is the local model's start.

        Raises:
            NotReady: with what is missing.
        """
        if self.onboarding.is_ready and self.local.asleep:
            self.local.start()
            await run_in_threadpool(self.supervisor.wait_ready, BRAIN_PATIENCE_S)
        return self.router()

    def _point_to_flagship(self) -> None:
        """Give the router the flagship the operator has verified, when it has changed."""
        chosen, key = self.onboarding.flagship(), self.onboarding.key()
        plain = key.get_secret_value() if key else None
        facts = (chosen, hash(plain), id(self.config.current))
        if facts == self._flagship:
            return
        if chosen is None:
            raise NotReady("No flagship is verified.", hint="Finish the set-up, or run REPAIR.")
        found = profile(self.config.current, chosen.provider)
        provider = build_provider(found, key, base_url=self._flagship_url(chosen, found))
        old, self._provider, self._flagship = self._provider, provider, facts
        self._router.set_brains(brain=self.local.client, provider=provider, profile=found.at(chosen.base_url))
        if old is not None and self.loop is not None:
            asyncio.run_coroutine_threadsafe(old.aclose(), self.loop)

    def _flagship_url(self, chosen: Flagship, found: ProviderProfile) -> Any:
        """The flagship's address; our own local service may come back on another port, so it is asked each time."""
        if chosen.base_url is None and found.name == "selfhosted" and found.base_url is None:
            return self.local.chat_url
        return chosen.base_url

    async def utility(self, task: str, payload: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """One utility task, with a receipt. Redaction works as soon as the process runs; the rest needs the model."""
        if task == "redact" and payload.get("mode", "fast") != "thorough":
            return await self._router.utility(task, payload, context)
        return await (await self.router_soon()).utility(task, payload, context)

    def explain(self, chat: ChatRequest) -> dict[str, Any]:
        """Lane, score, risk, task and reasons; no call is made."""
        with suppress(LancelotError):  # a dry run needs no flagship
            self._point_to_flagship()
        return self._router.explain(chat).to_dict()

    # ---- what pages and routes show

    def budget_banner(self) -> str | None:
        """Why lanes are narrowed at the moment, in words; None when they are not."""
        return self.budgets.banner()

    def onboarding_state(self) -> str:
        """The set-up's state by name."""
        return str(self.onboarding.state)

    def status(self) -> dict[str, Any]:
        """The whole system: set-up, local model, flagship lanes, receipts, configuration, data folder."""
        with suppress(LancelotError):
            self._point_to_flagship()
        chosen = self.onboarding.flagship()
        missing = self.missing()
        state = self.receipts.state()
        return {
            "up": True,
            "ready": not missing,
            "missing": missing,
            "onboarding": {"state": self.onboarding_state()},
            "local_model": self.local.status(),
            "flagship": {"provider": chosen.provider if chosen else None},
            **self._router.status(),
            "store": state._asdict(),
            "comms": self._comms(),
            "config": self.config.status(),
            "gateway": {"running": self.admission.inside, "queued": self.admission.queued},
            "data_dir": str(self.data_dir),
        }

    def _comms(self) -> dict[str, Any] | None:
        """The channel that reaches the operator: its name and whether a code came through; None before it is chosen."""
        snapshot = self.onboarding.snapshot
        if snapshot.comms is None:
            return None
        try:
            verified = self.onboarding.facts.met(OnboardingState.COMMS_VERIFY, snapshot)
        except LancelotError:
            verified = False
        return {"kind": snapshot.comms.kind, "label": snapshot.comms.label, "verified": verified}

    def _tell_operator(self, approval: Approval) -> None:
        tell_of_approval(approval, self.credentials, self.onboarding, self._url)

    def _masked(self, text: str) -> str:
        """What a local brain beyond this machine is shown, unless the operator trusts it."""
        return self.redactor.redact(text, mode="rules").text

    def _config_changed(self, config: Config) -> None:
        self.redactor.set_policies(config.router.redaction.policies)


# Pages of this process run without arguments and find the services here; see docs/decisions/0003.
_RUNNING: list[Services] = []


def running() -> Services:
    """The services this process has open.

    Raises:
        NotReady: none are.
    """
    if not _RUNNING:
        raise NotReady("No services are open in this process.", hint="Start the console with `make run`.")
    return _RUNNING[-1]


def build_services(url: str | None = None) -> Services:
    """The services on the data folder and configuration that the environment names."""
    return Services(settings.data_dir(), settings.config_dir(), url)
