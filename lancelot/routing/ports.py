"""The seams of the router: what it needs of its neighbours, so that each can be replaced by a fake in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Protocol

from lancelot.chat import Answer, ChatRequest, Chunk
from lancelot.config import Config
from lancelot.providers.base import Deadline
from lancelot.redaction.finding import Mode
from lancelot.redaction.redactor import Redacted, RedactedRequest
from lancelot.routing.decision import BudgetView
from lancelot.routing.lanes import Lane
from lancelot.routing.limits import Need
from lancelot.store.receipts import Receipt

__all__ = ["Budgets", "ConfigSource", "LocalBrain", "Outcomes", "ReceiptSink", "Redacts", "Reservation"]


class Redacts(Protocol):
    """`redaction.Redactor`."""

    def redact(self, text: str, policy: str = ..., mode: Mode = ...) -> Redacted: ...

    def redact_request(
        self,
        request: ChatRequest,
        *,
        policy: str = ...,
        mode: Mode = ...,
        conversation: str | None = ...,
        owner: str | None = ...,
    ) -> RedactedRequest: ...


class LocalBrain(Protocol):
    """`brain.LocalModelClient`."""

    @property
    def is_loopback(self) -> bool: ...

    async def classify(self, text: str, labels: Any = None) -> Any: ...

    async def chat(self, request: ChatRequest, deadline: Deadline) -> Answer: ...

    def stream(self, request: ChatRequest, deadline: Deadline) -> AsyncIterator[Chunk]: ...


class ReceiptSink(Protocol):
    """`store.ReceiptStore`; durable when `write` or `awrite` returns."""

    @property
    def quick(self) -> bool:
        """Whether `write` takes less time than handing over to another thread does."""
        ...

    def write(self, receipt: Receipt) -> Any: ...

    async def awrite(self, receipt: Receipt) -> Any: ...


class ConfigSource(Protocol):
    """`config.ConfigStore`."""

    @property
    def current(self) -> Config: ...


class Outcomes(Protocol):
    """What happened before on each task type."""

    def record(self, task: str, lane: str, sufficed: bool) -> None: ...

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """{(task, lane): (sufficed, all)}."""
        ...


class Reservation(Protocol):
    """Money and tokens set aside for one call."""

    share: float
    """Of what an answer without a limit may come to beyond the reservation: how much there is room for, 0..1."""

    def settle(self, usd: Decimal | None, tokens: int) -> None:
        """What it really cost; None is unknown. Settling twice changes nothing."""
        ...

    def release(self) -> None:
        """Nothing was spent."""
        ...


class Budgets(Protocol):
    """`routing.budget.BudgetKeeper`."""

    def view(self, key_id: str | None) -> BudgetView: ...

    def take_steps(self) -> list[Any]: ...

    def banner(self) -> str | None: ...

    def status(self) -> list[dict[str, Any]]: ...

    def reserve(self, lane: Lane, key_id: str | None, need: Need) -> Reservation:
        """Raises BudgetSpent when the call could pass a limit."""
        ...
