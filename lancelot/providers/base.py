"""What every provider offers: complete, stream, list_models; and the deadline all of them keep."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lancelot.chat import Answer, Chunk

if TYPE_CHECKING:
    from lancelot.redaction.redactor import RedactedRequest

__all__ = ["Deadline", "Provider"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment (time.monotonic seconds) after which a request is given up, retries included."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())


class Provider(Protocol):
    """One flagship. It refuses anything but a RedactedRequest.

    Implementations raise ProviderError and its kin, and UnsupportedParameter (before anything is sent) for a part or a
    tool their API cannot carry. One object serves one event loop: its pooled connections live there.
    """

    name: str

    async def complete(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> Answer:
        """One whole answer."""
        ...

    def stream(self, request: RedactedRequest, *, model: str, deadline: Deadline) -> AsyncIterator[Chunk]:
        """The answer piece by piece; closing the iterator closes the connection."""
        ...

    async def list_models(self, *, deadline: Deadline) -> list[str]:
        """The ids of the models the key may use; the cheapest call that proves the key."""
        ...

    async def aclose(self) -> None:
        """Close pooled connections."""
        ...
