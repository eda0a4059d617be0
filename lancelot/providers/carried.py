"""What a model must be shown again with its tool results and OpenAI's form has no place for; in memory, bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

__all__ = ["Carried"]


class Carried:
    """Opaque state of a provider by tool-call id: Gemini's thought signatures, OpenAI's encrypted reasoning items.

    It was written by the provider from redacted text, goes back to the same provider only, and is gone with the
    process; a missing entry costs quality, never correctness. The oldest entries make room for new ones.
    """

    def __init__(self, *, entries: int = 10_000, max_bytes: int = 64_000_000) -> None:
        self._held: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._entries = entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def keep(self, call_id: str, state: Any, size: int) -> None:
        """Remember state (about size bytes) for the tool call."""
        with self._lock:
            old = self._held.pop(call_id, None)
            self._bytes += size - (old[1] if old else 0)
            self._held[call_id] = (state, size)
            while len(self._held) > self._entries or self._bytes > self._max_bytes:
                _, (_, dropped) = self._held.popitem(last=False)
                self._bytes -= dropped

    def get(self, call_id: str | None) -> Any:
        """The state, or None."""
        with self._lock:
            found = self._held.get(call_id or "")
            return found[0] if found else None
