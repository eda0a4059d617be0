"""Which pinned model suits this machine. A suggestion only: the operator may choose any installable one."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from local_models.lockfile import Lock, PinnedModel

__all__ = ["Machine", "Suggestion", "carries", "look_at_machine", "suggest"]

MB = 1 << 20
CORES_FOR = ((8192, 8), (4096, 4))  # a model that wants this much memory (MiB) is too slow on fewer cores
DISK_FACTOR = 4  # the file, its tuned copies and room for the next download


@dataclass(frozen=True)
class Machine:
    """Memory and disk in MiB; `cores` this process may use; `processor` as the system names it."""

    memory_mb: int
    available_mb: int
    cores: int
    disk_free_mb: int
    processor: str


@dataclass(frozen=True)
class Suggestion:
    """`model_id` to install, `reason` in one sentence; `later` are candidates that would fit once they are pinned."""

    model_id: str
    reason: str
    fits: bool
    later: tuple[str, ...]
    machine: Machine

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe fields."""
        return asdict(self) | {"later": list(self.later)}


def look_at_machine(folder: Path) -> Machine:
    """What this machine has; `folder` is where weights would go (it need not exist yet)."""
    memory = psutil.virtual_memory()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    return Machine(
        memory_mb=memory.total // MB,
        available_mb=memory.available // MB,
        cores=len(os.sched_getaffinity(0)),
        disk_free_mb=shutil.disk_usage(place).free // MB,
        processor=platform.processor() or platform.machine(),
    )


def suggest(lock: Lock, machine: Machine) -> Suggestion:
    """The largest installable model this machine carries with room to spare, else the default with a warning."""
    able = [model for model in lock.models if carries(machine, model)]
    installable = [model for model in able if not model.candidate and _disk_enough(machine, model)]
    later = tuple(model.id for model in able if model.candidate)
    if installable:
        best = max(installable, key=lambda model: model.min_memory_mb)
        reason = f"{best.title} wants {best.min_memory_mb} MB of memory; {machine.memory_mb} MB are here."
        return Suggestion(best.id, reason, True, later, machine)
    smallest = lock.default_model
    lacking = "disk space" if carries(machine, smallest) else "memory"
    reason = f"Even {smallest.title} may be too large: there is little {lacking}."
    return Suggestion(smallest.id, reason, False, later, machine)


def carries(machine: Machine, model: PinnedModel) -> bool:
    """Half of the memory stays with the console and everything else; a large model wants cores as well."""
    cores = next((cores for memory, cores in CORES_FOR if model.min_memory_mb >= memory), 1)
    return machine.memory_mb >= 2 * model.min_memory_mb and machine.cores >= cores


def _disk_enough(machine: Machine, model: PinnedModel) -> bool:
    return machine.disk_free_mb >= DISK_FACTOR * (model.bytes or 0) // MB
