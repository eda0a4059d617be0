"""Fakes behind the router's seams: brain, receipts, configuration; and a router put together from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from lancelot.chat import Answer, ChatRequest, Chunk
from lancelot.config import Config, ModelEntry, ModelPrice, ModelsConfig, PricesConfig, ProviderEntry, RouterConfig
from lancelot.errors import DiskFull
from lancelot.providers.profiles import ProviderProfile, profile
from lancelot.redaction.redactor import Redactor
from lancelot.routing.router import ModelRouter
from lancelot.store.receipts import Receipt
from tests.fakes import FakeProvider, text_answer

EMAIL = "billing@example.com"


@dataclass
class FakeBrain:
    """A local model that answers with a fixed text and classifies as told."""

    reply: str = "local says hi"
    label: str = "chat"
    confidence: float = 0.9
    delay_s: float = 0.0
    is_loopback: bool = True
    trusted: bool | None = None
    problem: Exception | None = None
    chats: list[ChatRequest] = field(default_factory=list)
    classified: list[str] = field(default_factory=list)
    model_id: str = "tiny"

    async def classify(self, text: str, labels: Any = None) -> Any:
        self.classified.append(text)
        await asyncio.sleep(self.delay_s)
        if self.problem is not None:
            raise self.problem
        return SimpleNamespace(label=self.label, confidence=self.confidence, below_bar=False)

    async def chat(self, request: ChatRequest, deadline: Any) -> Answer:
        self.chats.append(request)
        if self.problem is not None:
            raise self.problem
        return text_answer(self.reply, model=self.model_id)

    async def stream(self, request: ChatRequest, deadline: Any) -> AsyncIterator[Chunk]:
        answer = await self.chat(request, deadline)
        for word in str(answer.message["content"]).split():
            yield Chunk(delta={"content": word + " "}, model=self.model_id)
        yield Chunk(finish_reason="stop", usage=answer.usage, model=self.model_id)

    async def summarize(self, text: str) -> str:
        await asyncio.sleep(self.delay_s)
        return text[:10]


class FakeReceipts:
    """Keeps receipts in a list; `broken` makes writing fail as on a full disk."""

    def __init__(self, *, quick: bool = False) -> None:
        self.written: list[Receipt] = []
        self.in_loop = 0  # written without another thread
        self.quick = quick
        self.broken = False
        self.slow_s = 0.0

    def write(self, receipt: Receipt) -> None:
        self._keep(receipt)
        self.in_loop += 1

    async def awrite(self, receipt: Receipt) -> None:
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        self._keep(receipt)

    def _keep(self, receipt: Receipt) -> None:
        if self.broken:
            raise DiskFull()
        self.written.append(receipt.model_copy(deep=True))

    @property
    def attempts(self) -> list[Receipt]:
        return [receipt for receipt in self.written if receipt.kind == "attempt"]


def make_config(**router: Any) -> Config:
    """A configuration whose fast model costs 1 and 2 dollars a million tokens, its deep model ten times that."""
    able = {"provider": "openai", "max_input_tokens": 100_000}
    return Config(
        models=ModelsConfig(
            providers={
                "openai": ProviderEntry(
                    title="OpenAI", base_url="https://api.example/v1", key_env="K", fast="small-1", deep="large-1"
                )
            },
            models={"small-1": ModelEntry(**able, vision=False), "large-1": ModelEntry(**able)},
        ),
        router=RouterConfig(**router),
        prices=PricesConfig(
            version="test-1",
            date=date(2026, 1, 1),
            models={
                "small-1": ModelPrice(input=Decimal(1), output=Decimal(2)),
                "large-1": ModelPrice(input=Decimal(10), output=Decimal(20)),
            },
        ),
    )


class FakeConfig:
    """A configuration that can be replaced in flight."""

    def __init__(self, current: Config) -> None:
        self.current = current


@dataclass
class World:
    """One router with everything around it within reach."""

    router: ModelRouter
    provider: FakeProvider
    brain: FakeBrain
    receipts: FakeReceipts
    config: FakeConfig
    profile: ProviderProfile


def world(*script: Any, brain: FakeBrain | None = None, provider: Any = None, **router: Any) -> World:
    """A router whose flagship follows the script; keyword arguments are `router.yaml` fields and router seams."""
    seams = {name: router.pop(name) for name in ("budgets", "ledger", "approvals") if name in router}
    router.setdefault("redaction_mode", "rules")
    config = FakeConfig(make_config(**router))
    brain = brain or FakeBrain()
    provider = provider or FakeProvider(*script)
    receipts = FakeReceipts()
    chosen = profile(config.current, "openai")
    made = ModelRouter(
        redactor=Redactor(),
        brain=brain,
        provider=provider,
        profile=chosen,
        config=config,
        receipts=receipts,
        **seams,
    )
    return World(made, provider, brain, receipts, config, chosen)


def chat(text: str = "Describe the tides of the sea.", model: str = "lancelot", **more: Any) -> dict[str, Any]:
    """A request body."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}
