"""The weight format in force for a downloaded model: what tuning remembered, as long as it still holds."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local_models.llama import library_version

__all__ = [
    "AS_IS",
    "REMEMBERED",
    "Choice",
    "Trial",
    "TuneReport",
    "choose_weights",
    "cpu_name",
    "fingerprint",
    "needs_tuning",
    "remembered",
]

AS_IS = "as-is"
REMEMBERED = "tuned.json"


@dataclass(frozen=True, slots=True)
class Choice:
    """Files to run with. adapter is None where it is merged into weights; chat_weights: base weights for chat then."""

    weights: Path
    adapter: Path | None
    chat_weights: Path | None
    format: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One format's result. verdict: chosen, slower, slower than as-is, loses quality: …, failed: …"""

    format: str
    bytes: int
    prefill_tps: float
    decode_tps: float
    verdict: str
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What is remembered. file, chat_file: names beside the original; None where the original runs. adapter: SHA-256
    of the one that was merged in."""

    winner: str
    file: str | None
    chat_file: str | None
    formats: list[Trial]
    cpu: str
    library: str
    original_bytes: int
    adapter: str | None
    tuned_at: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return asdict(self)


def cpu_name() -> str:
    """The CPU model and what it can do (a hash of its feature flags)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".strip()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = hashlib.sha256(told.get("flags", told.get("Features", "")).encode()).hexdigest()[:8]
    family = "/".join(told.get(key, "?") for key in ("cpu family", "model", "stepping"))
    return f"{told.get('model name', platform.machine())} ({family}, {flags}, {os.cpu_count()} cores)"


def remembered(original: Path) -> TuneReport | None:
    """The last result for this file, whatever the CPU was; None when there is none or it cannot be read."""
    try:
        told = json.loads((original.parent / REMEMBERED).read_text(encoding="utf-8"))
        return TuneReport(**told | {"formats": [Trial(**trial) for trial in told["formats"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def fingerprint(adapter: Path | None) -> str | None:
    """SHA-256 of an adapter's file; None for none."""
    if adapter is None:
        return None
    try:
        return hashlib.sha256(adapter.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"


def needs_tuning(original: Path, adapter: Path | None) -> bool:
    """Whether nothing is remembered for this file, adapter, CPU and library."""
    known = remembered(original)
    return known is None or not _still_true(known, original, adapter)


def choose_weights(original: Path, adapter: Path | None) -> Choice:
    """What to run for a downloaded file: the tuned files while CPU, library, file and adapter are the same, else
    itself."""
    known = remembered(original)
    if known is None or known.file is None or not _still_true(known, original, adapter):
        return Choice(original, adapter, None, AS_IS)
    weights = original.parent / known.file
    chat = original.parent / known.chat_file if known.chat_file else original
    if not weights.is_file() or not chat.is_file():
        return Choice(original, adapter, None, AS_IS)
    return Choice(weights, None, chat, known.winner)


def _still_true(known: TuneReport, original: Path, adapter: Path | None) -> bool:
    same_machine = known.cpu == cpu_name() and known.library == library_version()
    same_file = original.is_file() and known.original_bytes == original.stat().st_size
    return same_machine and same_file and known.adapter == fingerprint(adapter)
