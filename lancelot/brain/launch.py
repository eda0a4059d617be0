"""What to run as the local service: a command line, or None while there are no weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_models.choice import choose_weights
from local_models.fetch_model import weights_path
from local_models.leftovers import clear_leftovers
from local_models.lockfile import Lock, PinnedModel, load_lock
from local_models.tier import chosen_model

__all__ = ["Launch", "installed_model", "launch_of", "service_command"]


@dataclass(frozen=True, slots=True)
class Launch:
    """A service to start. The supervisor appends --announce and --log to argv."""

    argv: tuple[str, ...]
    model_id: str | None = None
    weight_format: str | None = None


def service_command(
    weights: Path,
    *,
    adapter: Path | None = None,
    chat_weights: Path | None = None,
    model_id: str = "local",
    weight_format: str = "as-is",
) -> Launch:
    """The real service for these files."""
    argv = [sys.executable, "-m", "local_models.service", "--watch-stdin", "--weights", str(weights)]
    argv += ["--model-id", model_id, "--format", weight_format]
    if adapter is not None:
        argv += ["--adapter", str(adapter)]
    if chat_weights is not None:
        argv += ["--chat-weights", str(chat_weights)]
    return Launch(tuple(argv), model_id, weight_format)


def launch_of(pin: PinnedModel, lock: Lock, folder: Path) -> Launch | None:
    """The service on one model's weights under folder, in the format tuned for this CPU; None without weights."""
    weights = weights_path(pin, folder)
    if not weights.is_file():
        return None
    clear_leftovers(weights)
    adapter = lock.adapter_for(pin)
    chosen = choose_weights(weights, adapter.path() if adapter else None)
    return service_command(
        chosen.weights,
        adapter=chosen.adapter,
        chat_weights=chosen.chat_weights,
        model_id=pin.id,
        weight_format=chosen.format,
    )


def installed_model(folder: Path) -> Callable[[], Launch | None]:
    """Looks, at each start, for the weights of the chosen model under folder."""

    def look() -> Launch | None:
        lock = load_lock()
        return launch_of(chosen_model(lock, folder), lock, folder)

    return look
