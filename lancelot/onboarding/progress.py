"""How long work is run and watched: threads, a stream of events, and what is known of the running work."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lancelot.onboarding.seams import Progress
from lancelot.onboarding.states import State

__all__ = ["Event", "EventHub", "InlineRunner", "Job", "ThreadRunner"]

EVENTS_KEPT = 500


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is Unix seconds; `data` is JSON-safe and free of secrets."""

    id: int
    kind: str
    data: dict[str, Any]
    at: float


class EventHub:
    """The last 500 events, and a way to wait for the next. Thread-safe; ids grow by one."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._changed = threading.Condition()
        self._next = 1
        self._now = now
        self._closed = False

    def publish(self, kind: str, **data: Any) -> None:
        with self._changed:
            self._events.append(Event(self._next, kind, data, self._now()))
            self._next += 1
            self._changed.notify_all()

    @property
    def last_id(self) -> int:
        with self._changed:
            return self._next - 1

    @property
    def closed(self) -> bool:
        return self._closed

    def after(self, last: int, timeout_s: float = 0.0) -> list[Event]:
        """The events with an id above `last`, waiting up to timeout_s seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next - 1 > last, timeout=timeout_s)
            return [event for event in self._events if event.id > last]

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class ThreadRunner:
    """Each piece of work on a daemon thread of its own: a closed tab or a slow network holds nobody up."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"onboarding-{name}", daemon=True)
        with self._lock:
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        def wait() -> None:
            if not self._closed.wait(seconds):
                work()

        self.start("timer", wait)

    def close(self, timeout_s: float = 10.0) -> None:
        self._closed.set()
        ends = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, ends - time.monotonic()))


class InlineRunner:
    """Work is done at once, in the caller's thread; nothing happens later by itself."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        work()

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        return

    def close(self) -> None:
        return


@dataclass(slots=True)
class Job:
    """The long work of one state while it runs, and what it last said."""

    state: State
    substeps: Sequence[tuple[str, str]]
    stop: threading.Event = field(default_factory=threading.Event)
    running: bool = True
    launched: bool = False
    told: float = 0.0
    current: str | None = None
    latest: Progress | None = None
    details: dict[str, str] = field(default_factory=dict)

    def tell(self, progress: Progress) -> None:
        self.current, self.latest = progress.step, progress
        if progress.detail:
            self.details[progress.step] = progress.detail

    def view(self, failed: bool) -> dict[str, Any]:
        """{"running", "substeps": [{"name", "title", "standing", "detail"}], "done", "total", "rate", "eta"}; bytes,
        bytes a second, seconds."""
        names = [name for name, _ in self.substeps]
        at = names.index(self.current) if self.current in names else -1
        rows = []
        for index, (name, title) in enumerate(self.substeps):
            if index < at or (index == at and not self.running and not failed):
                standing = "done"
            elif index == at:
                standing = "running" if self.running else "failed"
            else:
                standing = "open"
            rows.append({"name": name, "title": title, "standing": standing, "detail": self.details.get(name, "")})
        latest = self.latest
        return {
            "state": str(self.state),
            "running": self.running,
            "step": self.current,
            "detail": latest.detail if latest else "",
            "substeps": rows,
            "done": latest.done if latest else None,
            "total": latest.total if latest else None,
            "rate": latest.rate if latest else None,
            "eta": latest.eta if latest else None,
        }
