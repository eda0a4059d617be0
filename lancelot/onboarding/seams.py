"""What onboarding needs of the rest of the house, as protocols: `wiring.py` has the real ones, the tests fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from lancelot.comms import AppriseSender, Sender, Terminal
from lancelot.credentials import Credentials
from lancelot.files import Disk
from lancelot.onboarding.clocks import Clock, SystemClock
from lancelot.onboarding.snapshot import ConsentClaim, Flagship
from local_models.tier import Tier

__all__ = ["Deps", "LocalModel", "ModelCard", "Preflight", "Progress", "ProviderDoor", "ProviderSheet", "Runner"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a person is told before they agree to an installation. Sizes are bytes and MiB."""

    id: str
    publisher: str
    file: str
    bytes: int
    sha256: str
    licence: str
    licence_url: str
    sources: tuple[str, ...]
    min_memory_mb: int
    context: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """One thing looked at before the installation, in words."""

    name: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of long work is. `rate` is bytes a second, `eta` seconds."""

    step: str
    detail: str = ""
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderSheet:
    """What is known of a provider before anything is called."""

    name: str
    title: str
    fast: str
    deep: str
    key_env: str
    needs_key: bool


class ProviderDoor(Protocol):
    def sheets(self) -> Sequence[ProviderSheet]:
        """The four providers a person chooses from."""
        ...

    def list_models(self, flagship: Flagship, key: SecretStr | None) -> list[str]:
        """The ids the key may use, by a real call. Raises ProviderError and its kin."""
        ...


class LocalModel(Protocol):
    @property
    def choice_file(self) -> Path:
        """Where the choice among the tiers is kept."""
        ...

    def tiers(self) -> Sequence[Tier]:
        """Every model of the lock file, the chosen and the suggested one marked."""
        ...

    def choose(self, model_id: str | None) -> None:
        """Take another model; None: the lock file's default again. Raises BadInput for one that cannot be had."""
        ...

    def card(self) -> ModelCard:
        """The chosen model of the lock file."""
        ...

    def preflight(self) -> Sequence[Preflight]:
        """Runtime, disk and memory. Raises LancelotError naming what is missing and what to do."""
        ...

    def verified(self, *, thorough: bool = False) -> bool:
        """Whether the weights are here with the pinned checksum; thorough reads every byte again."""
        ...

    def install(self, consent: ConsentClaim, report: Callable[[Progress], None], stop: Callable[[], bool]) -> None:
        """Fetch and verify the weights, resuming what is there. Raises LancelotError; returns early when stop()."""
        ...

    def start(self) -> None:
        """The service runs and answers when this returns; starting a running one is free. Raises LancelotError."""
        ...

    def restart(self) -> None: ...

    def smoke(self) -> str:
        """Known questions with known answers; one line that says how it went. Raises LancelotError."""
        ...

    def set_aside(self) -> Path | None:
        """Move weights that do not match their checksum out of the way; where they are now."""
        ...


class Runner(Protocol):
    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run the work, on a thread of its own or at once."""
        ...

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Run the work once, after about so many seconds; a runner without threads leaves it to the next call."""
        ...

    def close(self) -> None:
        """Wait for what runs to notice that it should stop."""
        ...


@dataclass(slots=True)
class Deps:
    """Everything the flow is built from. Only the first four have no default of their own."""

    data_dir: Path
    providers: ProviderDoor
    model: LocalModel
    extra_checks: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    canary: Callable[[Flagship], str] | None = None
    clock: Clock = field(default_factory=SystemClock)
    disk: Disk = field(default_factory=Disk)
    sender: Sender = field(default_factory=AppriseSender)
    terminal: Terminal = field(default_factory=Terminal)
    credentials: Credentials | None = None
    runner: Runner | None = None
    table: Any = None
