"""The real things behind onboarding's seams: configured providers, the pinned model, its supervisor, the canary."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from lancelot.brain.supervisor import Supervisor
from lancelot.config import ConfigStore
from lancelot.credentials import Credentials
from lancelot.errors import LocalModelError, StoreError
from lancelot.onboarding.canary import run_canary
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.pinned import PinnedLocalModel
from lancelot.onboarding.seams import Deps, ProviderSheet
from lancelot.onboarding.snapshot import Flagship
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.profiles import build_provider, profile, profiles
from lancelot.providers.wire import Retry
from lancelot.redaction.redactor import Redactor
from lancelot.store.ledger import ReceiptStore

__all__ = ["ConfiguredProviders", "build_deps", "build_flow"]

LIST_S = 15.0
FLUSH_S = 15.0


class ConfiguredProviders:
    """The providers of models.yaml, called for real.

    Args:
        own_service: address of our own local service, or None while it is not running.
    """

    def __init__(self, config: ConfigStore, own_service: Callable[[], str | None]) -> None:
        self._config, self._own_service = config, own_service

    def sheets(self) -> Sequence[ProviderSheet]:
        return [
            ProviderSheet(found.name, found.title, found.fast, found.deep, found.key_env or "", found.needs_key)
            for found in profiles(self._config.current)
        ]

    def list_models(self, flagship: Flagship, key: SecretStr | None) -> list[str]:
        """The ids the key may use, by one real call of at most 15 seconds."""
        found = profile(self._config.current, flagship.provider)
        if flagship.own_service and found.base_url is None:
            provider = build_provider(found, None, base_url=self._own_address, retry=Retry(times=0))
        else:
            provider = build_provider(found, key, base_url=flagship.base_url, retry=Retry(times=0))
        return [name.removeprefix("models/") for name in _waited_for(_list(provider))]

    def _own_address(self) -> str:
        address = self._own_service()
        if address is None:
            raise LocalModelError("Our own local service is not running.", hint="REPAIR starts it again.")
        return address

    def for_receiver(self, flagship: Flagship, url: str) -> Provider:
        """The flagship's client pointed at the canary's receiver, with a made-up key: the real one stays here."""
        found = profile(self._config.current, flagship.provider)
        made_up = SecretStr(f"canary-{secrets.token_hex(16)}")
        return build_provider(found, made_up, base_url=url, retry=Retry(times=0))


async def _list(provider: Provider) -> list[str]:
    try:
        return await provider.list_models(deadline=Deadline.after(LIST_S))
    finally:
        await provider.aclose()


def _waited_for(work: object) -> list[str]:
    """The result of a coroutine on a loop of its own, from whatever thread this is called."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()  # type: ignore[arg-type]


def build_deps(
    *,
    data_dir: Path,
    config: ConfigStore,
    supervisor: Supervisor,
    redactor: Redactor,
    credentials: Credentials,
    extra_checks: Mapping[str, Callable[[], str]] | None = None,
) -> Deps:
    """The real dependencies of the flow."""
    external = os.environ.get("LANCELOT_LOCAL_LLM_URL")
    providers = ConfiguredProviders(config, lambda: external or supervisor.base_url)
    return Deps(
        data_dir=data_dir,
        providers=providers,
        model=PinnedLocalModel(data_dir / "models", supervisor, external=external),
        extra_checks=extra_checks or {},
        canary=lambda flagship: run_canary(redactor, lambda url: providers.for_receiver(flagship, url)),
        credentials=credentials,
    )


def journal_works(receipts: ReceiptStore) -> str:
    """Writes one event and has it on disk.

    Raises:
        StoreError, DiskFull: it could not be written.
    """
    event = receipts.event("setup_check")
    return f"An entry was written and synced ({event.id})."


def database_works(receipts: ReceiptStore) -> str:
    """What was just written can be read through the database.

    Raises:
        StoreError: it cannot.
    """
    if not receipts.flush(FLUSH_S):
        problem = receipts.state().problem or {}
        raise StoreError(str(problem.get("title") or "The database does not take entries in time."))
    (answer,) = receipts.database.query("select count(*) from receipts")
    return f"Writable; it holds {answer[0]:,} {'entry' if answer[0] == 1 else 'entries'}."


def build_flow(
    *,
    data_dir: Path,
    config: ConfigStore,
    supervisor: Supervisor,
    redactor: Redactor,
    receipts: ReceiptStore,
    credentials: Credentials,
) -> OnboardingFlow:
    """The flow of one data folder. `open()` it once everything is built."""
    checks = {"journal": lambda: journal_works(receipts), "database": lambda: database_works(receipts)}
    flow = OnboardingFlow(
        build_deps(
            data_dir=data_dir,
            config=config,
            supervisor=supervisor,
            redactor=redactor,
            credentials=credentials,
            extra_checks=checks,
        )
    )
    flow.exchange.note = receipts.event
    return flow
