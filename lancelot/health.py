"""How well each part is; liveness (the process answers) and readiness (requests would be carried out) are others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["LOW_DISK_BYTES", "Part", "free_bytes", "parts"]

LOW_DISK_BYTES = 200_000_000  # below it a download or a busy day may fill the disk

LATE_RECEIPTS = 20_000  # waiting in memory; the loader takes more than that in a second or two


@dataclass(frozen=True, slots=True)
class Part:
    """One part: whether it is well, and why or why not in words."""

    well: bool
    why: str

    def to_dict(self) -> dict[str, Any]:
        """{"well", "why"}."""
        return asdict(self)


def parts(status: dict[str, Any], free: int | None) -> dict[str, Part]:
    """Every part by name.

    Args:
        status: what `Services.status()` says.
        free: bytes free where the data folder is; None is not known.
    """
    return {name: look(status) for name, look in LOOKS.items()} | {"disk": _disk(free)}


def free_bytes(folder: Path) -> int | None:
    """Bytes free on the folder's disk; None when it cannot be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _set_up(status: dict[str, Any]) -> Part:
    state = status["onboarding"]["state"]
    return Part(state == "READY", "finished" if state == "READY" else f"at {state}")


def _local_model(status: dict[str, Any]) -> Part:
    brain = status["local_model"]
    return Part(brain["state"] in ("ready", "external"), str(brain.get("last_error") or brain["state"]))


def _receipts(status: dict[str, Any]) -> Part:
    """Both ends: the journal takes lines, and the database takes them from there."""
    problem = status["receipts"]["problem"] or status["store"].get("problem")
    return Part(problem is None, problem["title"] if problem else "are kept")


def _journal(status: dict[str, Any]) -> Part:
    problem = status["receipts"]["problem"]
    return Part(problem is None, problem["title"] if problem else f"{status['store']['written']:,} lines, each synced")


def _database(status: dict[str, Any]) -> Part:
    store = status["store"]
    problem, waiting = store.get("problem"), store["waiting"]
    if problem is not None:
        return Part(False, problem["title"])
    return Part(waiting <= LATE_RECEIPTS, f"{waiting:,} receipts wait to be loaded" if waiting else "up to date")


def _comms(status: dict[str, Any]) -> Part:
    channel = status.get("comms")
    if not channel:
        return Part(False, "no channel is chosen")
    return Part(channel["verified"], f"{channel['label']}, {'verified' if channel['verified'] else 'not verified'}")


def _configuration(status: dict[str, Any]) -> Part:
    problem = status["config"]["problem"]
    return Part(problem is None, problem["title"] if problem else "in force")


def _lane(name: str) -> Callable[[dict[str, Any]], Part]:
    def look(status: dict[str, Any]) -> Part:
        lane = status["lanes"][name]
        if lane["breaker"]["state"] == "open":
            return Part(False, f"resting after failures: {lane['breaker']['reason']}")
        return Part(bool(lane["available"]), str(lane["why"] or lane["model"] or "available"))

    return look


def _disk(free: int | None) -> Part:
    if free is None:
        return Part(False, "the data folder's disk cannot be asked")
    return Part(free >= LOW_DISK_BYTES, f"{free // 1_000_000:,} MB free")


LOOKS: dict[str, Callable[[dict[str, Any]], Part]] = {
    "set_up": _set_up,
    "local_model": _local_model,
    "flagship_fast": _lane("fast"),
    "flagship_deep": _lane("deep"),
    "receipts": _receipts,
    "journal": _journal,
    "database": _database,
    "comms": _comms,
    "configuration": _configuration,
}
