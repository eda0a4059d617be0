"""Stop sequences for an API that has none: the text is cut here, before the sequence, as OpenAI's form promises."""

from __future__ import annotations

from lancelot.providers.reading import stop_list

__all__ = ["StopCutter"]


class StopCutter:
    """Feed text, get the part that is safe to pass on; `stopped` says that a sequence was met."""

    __slots__ = ("_held", "_stops", "stopped")

    def __init__(self, stops: str | list[str] | None) -> None:
        self._stops = stop_list(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that cannot be the beginning of a stop sequence any more."""
        if self.stopped or not self._stops:
            return "" if self.stopped else text
        self._held += text
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.stopped = True
            safe, self._held = self._held[: min(places)], ""
            return safe
        keep = max(self._overlap(stop) for stop in self._stops)
        cut = len(self._held) - keep
        safe, self._held = self._held[:cut], self._held[cut:]
        return safe

    def flush(self) -> str:
        """What was held back when the answer has ended."""
        held, self._held = self._held, ""
        return held

    def _overlap(self, stop: str) -> int:
        """Characters at the end that may become this stop sequence."""
        for length in range(min(len(stop) - 1, len(self._held)), 0, -1):
            if self._held.endswith(stop[:length]):
                return length
        return 0
