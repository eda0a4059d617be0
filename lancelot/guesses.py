"""How often an address may present a wrong token before its next tries are not even looked at."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["GuessLimit"]

ADDRESSES = 10_000  # the longest unseen ones are forgotten first


class GuessLimit:
    """A bucket of wrong tokens an address: `burst` at once, refilled over `window_s` seconds. Thread-safe.

    Args:
        burst: wrong tokens allowed in a row.
        window_s: seconds in which an empty bucket fills again.
        clock: seconds, monotonic.
    """

    def __init__(self, burst: int = 20, window_s: float = 60.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._window_s, self._clock = float(burst), window_s, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> (guesses left, when that was)
        self._guard = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Seconds until the address may guess again; 0 when it may now."""
        with self._guard:
            left = self._now(address)
        return 0.0 if left >= 1 else (1 - left) * self._window_s / self._burst

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        with self._guard:
            self._left[address] = (max(0.0, self._now(address) - 1), self._clock())
            self._left.move_to_end(address)
            if len(self._left) > ADDRESSES:
                self._left.popitem(last=False)

    def _now(self, address: str) -> float:
        now = self._clock()
        left, at = self._left.get(address, (self._burst, now))
        return min(self._burst, left + (now - at) * self._burst / self._window_s)
