"""A gateway on loopback: the real routes, redactor, router and store, with a scripted flagship and local model."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from lancelot import settings
from lancelot.admission import Admission
from lancelot.api.app import DESCRIPTION, install
from lancelot.approvals import ApprovalQueue
from lancelot.config import Budget, ConfigStore
from lancelot.costs import Costs
from lancelot.errors import NotReady
from lancelot.keys import Keys
from lancelot.metrics import Metrics
from lancelot.providers.profiles import profile
from lancelot.redaction.redactor import Redactor
from lancelot.routing.budget import BudgetKeeper
from lancelot.routing.router import ModelRouter
from lancelot.store.ledger import ReceiptStore
from lancelot.store.usage import UsageQueries
from tests.fakes import FakeProvider
from tests.routing.fakes import FakeBrain


class FakeServices:
    """What the routes use of `Services`, put together without onboarding and without a child process."""

    def __init__(self, data_dir: Path, provider: FakeProvider) -> None:
        self.data_dir = data_dir
        self.config = ConfigStore(settings.config_dir())
        self.admission = Admission()
        self.metrics = Metrics()
        self.keys = Keys(data_dir)
        self.receipts = ReceiptStore(data_dir)
        self.receipts.subscribe(self.metrics.count)
        self.usage = UsageQueries(self.receipts)
        self.brain = FakeBrain()
        self.redactor = Redactor(self.config.current.router.redaction.policies)
        self.waiting_for: list[str] = []
        self.approvals = ApprovalQueue(data_dir, self.receipts, redactor=self.redactor)
        self.budgets = BudgetKeeper(self.config, self.usage, own=self._own_budget)
        self.costs = Costs(self.usage, self.config, self.budgets)
        self._router = ModelRouter(
            redactor=self.redactor,
            brain=self.brain,
            provider=provider,
            profile=profile(self.config.current, "openai"),
            config=self.config,
            receipts=self.receipts,
            approvals=self.approvals,
            budgets=self.budgets,
        )

    def _own_budget(self, key_id: str) -> Budget | None:
        key = next(key for key in self.keys.all() if key.id == key_id)
        return Budget(daily_tokens=key.daily_tokens) if key.daily_tokens else None

    def missing(self) -> list[str]:
        return self.waiting_for

    def router(self) -> ModelRouter:
        if self.waiting_for:
            raise NotReady(missing=self.waiting_for)
        return self._router

    async def router_soon(self) -> ModelRouter:
        return self.router()

    async def utility(self, task: str, payload: dict[str, Any], context: Any) -> dict[str, Any]:
        return await self._router.utility(task, payload, context)

    def explain(self, chat: Any) -> dict[str, Any]:
        return self._router.explain(chat).to_dict()

    def onboarding_state(self) -> str:
        return "READY"

    def status(self) -> dict[str, Any]:
        return {"up": True, "onboarding": {"state": "READY"}, **self._router.status()}


@dataclass
class Gateway:
    """Where it listens, who may call, and what stands behind it."""

    url: str
    token: str
    services: FakeServices
    provider: FakeProvider

    def call(self, method: str, path: str, *, token: str | None = "", **kwargs: Any) -> httpx.Response:
        """One call; the operator's token unless another (or None) is given."""
        headers = dict(kwargs.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.token}")
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30, **kwargs)

    def chat(self, text: str, **extra: Any) -> httpx.Response:
        body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": text}]} | extra
        return self.call("POST", "/v1/chat/completions", json=body)


@pytest.fixture
def provider() -> FakeProvider:
    """The flagship behind the gateway; a test may override it by its own fixture of this name."""
    return FakeProvider("Understood: <EMAIL_1>.")


@contextmanager
def serve(folder: Path, provider: FakeProvider) -> Iterator[Gateway]:
    """A served gateway with its data in the folder; stopped and its store closed afterwards."""
    services = FakeServices(folder, provider)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services
        yield

    app = FastAPI(title="Lancelot", description=DESCRIPTION, lifespan=lifespan)
    install(app)
    started = threading.Event()

    class Announcing(uvicorn.Server):
        async def startup(self, *args: Any, **kwargs: Any) -> None:
            await super().startup(*args, **kwargs)
            started.set()

    server = Announcing(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Gateway(f"http://127.0.0.1:{port}", services.keys.token(), services, provider)
    finally:
        server.should_exit = True
        thread.join(20)
        services.receipts.close()


@pytest.fixture
def gateway(data_folder: Path, provider: FakeProvider) -> Iterator[Gateway]:
    """A served gateway in front of the fixture `provider`."""
    with serve(data_folder, provider) as served:
        yield served
