"""Which pinned model is in use: the operator's choice, kept beside the weights, else the lock file's default."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_models.fetch_model import weights_path
from local_models.files import write_atomic
from local_models.hardware import Machine, carries, look_at_machine, suggest
from local_models.lockfile import Lock, PinnedModel

__all__ = ["Tier", "choice_file", "choose_model", "chosen_model", "forget_choice", "tiers"]


def choice_file(folder: Path) -> Path:
    """Where the choice is kept; absent while the lock file's default is meant."""
    return folder / "chosen.json"


def chosen_model(lock: Lock, folder: Path) -> PinnedModel:
    """The model to run. A choice that cannot be read, or is no longer installable, counts as none."""
    try:
        told = json.loads(choice_file(folder).read_bytes())
        found = next((pin for pin in lock.models if pin.id == told["model_id"]), None)
    except (OSError, ValueError, TypeError, KeyError):
        found = None
    return lock.default_model if found is None or found.candidate else found


def choose_model(lock: Lock, model_id: str, folder: Path) -> PinnedModel:
    """Record the choice (atomically) and return the pin.

    Raises:
        BadLock: no such model (code unknown_model). NotInstallable: a candidate; the title says what is not pinned.
    """
    pin = lock.model(model_id)
    pin.require_installable()
    if pin.id == lock.default and not choice_file(folder).exists():
        return pin
    content = {"model_id": pin.id, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(choice_file(folder), json.dumps(content).encode(), mode=0o644)
    return pin


def forget_choice(folder: Path) -> None:
    """The lock file's default is meant again; no weights are touched."""
    choice_file(folder).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Tier:
    """One model of the lock file as a person chooses among them.

    Attributes:
        bytes: size of the download, None where nobody has pinned it. min_memory_mb: MiB that should be free.
        state: candidate (cannot be installed: `missing` is not pinned), available, or installed.
        fits: whether this machine has memory and cores to spare for it.
    """

    id: str
    title: str
    publisher: str
    licence: str
    licence_url: str
    bytes: int | None
    sha256: str | None
    min_memory_mb: int
    context: int | None
    recommended: str
    state: str
    missing: tuple[str, ...]
    chosen: bool
    suggested: bool
    fits: bool

    @property
    def installable(self) -> bool:
        return self.state != "candidate"

    @property
    def standing(self) -> str:
        """Its state in words."""
        if not self.installable:
            return f"candidate: {', '.join(self.missing)} not pinned"
        words = ["in use" if self.chosen and self.state == "installed" else self.state]
        words += ["chosen"] if self.chosen and self.state != "installed" else []
        words += ["suggested for this machine"] if self.suggested else []
        words += [] if self.fits else ["this machine is small for it"]
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, with `standing`."""
        return asdict(self) | {"missing": list(self.missing), "standing": self.standing}


def tiers(lock: Lock, folder: Path, machine: Machine | None = None) -> list[Tier]:
    """Every model of the lock file in its order, seen from this machine."""
    machine = machine or look_at_machine(folder)
    chosen, suggested = chosen_model(lock, folder), suggest(lock, machine)
    return [
        Tier(
            id=pin.id,
            title=pin.title,
            publisher=pin.publisher,
            licence=pin.licence,
            licence_url=pin.licence_url,
            bytes=pin.bytes,
            sha256=pin.sha256,
            min_memory_mb=pin.min_memory_mb,
            context=pin.context,
            recommended=pin.recommended,
            state=_state(pin, folder),
            missing=pin.missing,
            chosen=pin.id == chosen.id,
            suggested=pin.id == suggested.model_id,
            fits=carries(machine, pin),
        )
        for pin in lock.models
    ]


def _state(pin: PinnedModel, folder: Path) -> str:
    if pin.candidate:
        return "candidate"
    return "installed" if weights_path(pin, folder).is_file() else "available"
