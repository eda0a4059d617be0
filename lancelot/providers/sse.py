"""Server-sent events from raw bytes (WHATWG HTML, section 9.2), however they are cut into pieces."""

from __future__ import annotations

from typing import NamedTuple

from lancelot.errors import ProviderMalformed

__all__ = ["Event", "EventParser"]

MAX_PENDING = 8_000_000  # bytes of one unfinished event; a healthy event is a few kilobytes


class Event(NamedTuple):
    """One event: its name (`message` when none was given) and its data lines joined by newlines."""

    name: str
    data: bytes


class EventParser:
    """Feed bytes, get whole events. Comments, ids and retry hints are passed over; CRLF, LF and CR all end a line."""

    __slots__ = ("_data", "_name", "_pending", "_started")

    def __init__(self) -> None:
        self._pending = b""
        self._name = ""
        self._data: list[bytes] = []
        self._started = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that piece completes.

        Raises:
            ProviderMalformed: an event grows without end.
        """
        text = self._pending + piece
        if not self._started:
            if len(text) < 3 and b"\xef\xbb\xbf".startswith(text):
                self._pending = text
                return []
            text = text.removeprefix(b"\xef\xbb\xbf")
            self._started = True
        if b"\r" in text:
            # a lone CR at the very end may be the first half of CRLF: keep it for the next piece
            held = b"\r" if text.endswith(b"\r") else b""
            text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            held = b""
        lines = text.split(b"\n")
        self._pending = lines.pop() + held
        if len(self._pending) + sum(map(len, self._data)) > MAX_PENDING:
            raise ProviderMalformed("The provider sent an event without an end.")
        events: list[Event] = []
        for line in lines:
            self._line(line, events)
        return events

    def finish(self) -> list[Event]:
        """The events still held when the connection has closed.

        The standard drops an unfinished last event; servers that forget the last empty line exist, so it is kept
        here, and whether the answer is whole is decided by what the events say.
        """
        events: list[Event] = []
        for line in (self._pending.rstrip(b"\r"), b""):
            self._line(line, events)
        self._pending = b""
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        if not line:
            if self._data:
                events.append(Event(self._name or "message", b"\n".join(self._data)))
            self._name, self._data = "", []
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
