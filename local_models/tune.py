"""Which weight format runs: the one tuned for this CPU, or the file as downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Choice", "choose_weights"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Files to run with. adapter is None where it is merged into weights; chat_weights: base weights for chat then."""

    weights: Path
    adapter: Path | None
    chat_weights: Path | None
    format: str


def choose_weights(original: Path, adapter: Path | None) -> Choice:
    """The choice in force for a downloaded file."""
    return Choice(original, adapter, None, "as-is")
