"""The chosen local model behind onboarding's seam: installed, verified, started by the supervisor, asked questions."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import psutil

from lancelot.brain.states import BrainStatus
from lancelot.errors import BadInput, LocalModelError
from lancelot.onboarding.seams import ModelCard, Preflight, Progress
from lancelot.onboarding.snapshot import ConsentClaim
from local_models import fetch_events
from local_models.consent import Consent
from local_models.errors import ModelError
from local_models.fetch_model import ensure_model, verify_model, weights_path
from local_models.lockfile import Lock, PinnedModel, Source, load_lock
from local_models.smoke_test import run_smoke
from local_models.tier import Tier, choice_file, choose_model, chosen_model, forget_choice, tiers

__all__ = ["PinnedLocalModel", "in_our_words", "known_answers"]

READY_S = 90.0
MEGABYTE = 1024 * 1024


@contextmanager
def in_our_words() -> Iterator[None]:
    """The local model's errors as ours: the same code, title and hint."""
    try:
        yield
    except ModelError as failed:
        raise LocalModelError(failed.title, hint=failed.hint, code=failed.code) from failed


class Supervising(Protocol):
    """What is needed of the supervisor."""

    @property
    def base_url(self) -> str | None: ...
    def status(self) -> BrainStatus: ...
    def start(self) -> None: ...
    def restart(self) -> None: ...
    def wait_ready(self, timeout_s: float) -> bool: ...


class PinnedLocalModel:
    """The chosen model of the lock file, its weights in `folder`, its service under the supervisor.

    Args:
        pin: this model, whatever is chosen. lock: the lock file in force when left out.
        first: sources tried before the pinned ones.
        external: address of a service that somebody else runs; then nothing is started here.
    """

    def __init__(
        self,
        folder: Path,
        supervisor: Supervising,
        *,
        pin: PinnedModel | None = None,
        lock: Lock | None = None,
        first: Sequence[Source] = (),
        external: str | None = None,
    ) -> None:
        self._folder, self._supervisor, self._first, self._external = folder, supervisor, first, external
        self._given = pin
        with in_our_words():
            self._lock = lock or load_lock()
        self._seen: tuple[tuple[int, ...], bool] | None = None

    @property
    def _pin(self) -> PinnedModel:
        return self._given or chosen_model(self._lock, self._folder)

    @property
    def choice_file(self) -> Path:
        """Where the choice is kept."""
        return choice_file(self._folder)

    def tiers(self) -> list[Tier]:
        """Every model of the lock file, seen from this machine."""
        return tiers(self._lock, self._folder)

    def choose(self, model_id: str | None) -> None:
        """Take another model from now on; None: the lock file's default again.

        Raises:
            BadInput: no such model, or only a candidate.
        """
        if model_id is None:
            forget_choice(self._folder)
            return
        try:
            choose_model(self._lock, model_id, self._folder)
        except ModelError as failed:
            raise BadInput(failed.title, hint=failed.hint, code=failed.code, param="model_id") from failed

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
        with in_our_words():
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
        if self._supervisor.status().model_id in (None, self._pin.id):
            self._supervisor.start()
        else:
            self._supervisor.restart()
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
        return known_answers(address)

    def set_aside(self) -> Path | None:
        """Move weights that are not the pinned ones to `<name>.bad`; None when there is nothing to move."""
        path = weights_path(self._pin, self._folder)
        if not path.exists() or self.verified(thorough=True):
            return None
        aside = path.with_name(f"{path.name}.bad")
        path.replace(aside)
        self._seen = None
        return aside


def known_answers(address: str) -> str:
    """Known questions to the service at an address; one line that says how it went.

    Raises:
        LocalModelError: an answer is wrong, or none came.
    """
    with in_our_words():
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
