"""Callers that wait on their event loops for a decision made in another thread."""

from __future__ import annotations

import asyncio
import threading

__all__ = ["Bell"]


class Bell:
    """Rings for everybody who listens for an approval. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    def listen(self, approval_id: str) -> asyncio.Event:
        """An event of the running loop that `ring` sets; give it back with `leave`."""
        event = asyncio.Event()
        with self._lock:
            self._listening.setdefault(approval_id, []).append((asyncio.get_running_loop(), event))
        return event

    def leave(self, approval_id: str, event: asyncio.Event) -> None:
        """Listen no longer."""
        with self._lock:
            rest = [one for one in self._listening.pop(approval_id, []) if one[1] is not event]
            if rest:
                self._listening[approval_id] = rest

    def ring(self, approval_id: str) -> None:
        """Wake all who listen for this approval; from any thread."""
        with self._lock:
            listening = list(self._listening.get(approval_id, []))
        for loop, event in listening:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
