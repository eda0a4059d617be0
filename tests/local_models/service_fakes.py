"""An engine without a model for the HTTP tests: answers at once, or when it is let go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn

from local_models.batching import Batcher
from local_models.chatting import ChatOptions
from local_models.errors import ModelError
from local_models.results import Classified
from local_models.service import create_app
from local_models.serving import Holder
from local_models.work import Cancelled, Ticket
from local_models.writing import Written
from tests.local_models.engine_fakes import FakeDecoder

__all__ = ["FakeEngine", "served"]


class FakeEngine:
    """What the service needs of an engine. `problem` is raised at submission; `hold` keeps answers back."""

    def __init__(self, *, problem: ModelError | None = None, hold: bool = False) -> None:
        self.problem, self.hold = problem, hold
        self.tickets: list[Ticket[Any]] = []
        self.terms: list[dict[str, Any]] = []
        self.tasks = Batcher(FakeDecoder())
        self.alive, self.stalled_for = True, 0.0
        self.closed = False
        self.drained = threading.Event()

    def batchers(self) -> dict[str, Batcher]:
        return {"tasks": self.tasks}

    def _take(self, result: Any, terms: dict[str, Any]) -> Ticket[Any]:
        if self.problem:
            raise self.problem
        ticket: Ticket[Any] = Ticket(self._wake)
        ticket.timing.engine_ms, ticket.timing.queue_ms = 5.0, 1.0
        self.terms.append(terms)
        self.tickets.append(ticket)
        if not self.hold:
            ticket.future.set_result(result)
        return ticket

    def _wake(self) -> None:
        for ticket in self.tickets:
            if ticket.cancelled and not ticket.future.done():
                ticket.future.set_exception(Cancelled())

    def classify(self, text: str, labels: Any = None, **terms: Any) -> Ticket[Any]:
        return self._take(Classified("question", 0.9, False, {"question": 0.9, "other": 0.1}, 1), terms)

    def chat(
        self,
        messages: Any,
        options: ChatOptions,
        *,
        on_text: Callable[[str], None] | None = None,
        **terms: Any,
    ) -> Ticket[Any]:
        ticket = self._take(Written([1, 2], "Pa ris", "stop"), terms)
        ticket.timing.prompt_tokens, ticket.timing.output_tokens = 7, 2
        if on_text:
            on_text("Pa ")
            on_text("ris")
        return ticket

    def drain(self, timeout: float) -> bool:
        self.drained.set()
        return True

    def close(self) -> None:
        self.closed = True


class served:
    """`with served(engine) as url`: the service in a thread of this process."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self.holder = Holder(load, model_id="fake", weight_format="none")
        config = uvicorn.Config(create_app(self.holder), host="127.0.0.1", port=0, log_config=None, lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        until = time.monotonic() + 30
        while not self.server.started:
            assert time.monotonic() < until
            time.sleep(0.005)
        (listener,) = self.server.servers[0].sockets
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(30)
