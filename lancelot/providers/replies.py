"""What comes back over the wire: a whole answer, or one that is still coming in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from lancelot.providers.base import Deadline
from lancelot.providers.doors import Opened
from lancelot.providers.failures import network_failure
from lancelot.providers.sse import Event, EventParser

__all__ = ["Live", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: decoded JSON, the hash of what was sent, and milliseconds to the first byte."""

    body: Any
    opened: Opened
    sent_bytes: int
    first_byte_ms: float

    @property
    def headers(self) -> httpx.Headers:
        """The answer's headers."""
        return self.opened.headers

    @property
    def sent_sha256(self) -> str | None:
        """Hex SHA-256 of the bytes that left."""
        return self.opened.sent_sha256


class Live:
    """A streamed answer: call `events()` until it gives None."""

    def __init__(self, opened: Opened, deadline: Deadline) -> None:
        self.sent_sha256 = opened.sent_sha256
        self.headers = opened.headers
        self._pieces = opened.body
        self._deadline = deadline
        self._parser = EventParser()
        self._ended = False

    async def events(self) -> list[Event] | None:
        """The next events (perhaps none yet); None when the connection has closed.

        Raises:
            ProviderTimeout: the deadline is over.
            ProviderMalformed: the connection broke inside the answer.
        """
        if self._ended:
            return None
        try:
            async with asyncio.timeout(self._deadline.left()):
                piece = await anext(self._pieces, None)
        except (TimeoutError, httpx.HTTPError) as problem:
            raise network_failure(problem, answered=True) from None
        if piece is None:
            self._ended = True
            events = self._parser.finish()
        else:
            events = self._parser.feed(piece)
        return [event for event in events if event.data]  # an empty one only keeps the line open
