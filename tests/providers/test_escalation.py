"""From the fast lane to the deep one through the real providers: on a recording server, and live with a key."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from lancelot.config import Config, RouterConfig, ThresholdsConfig, load_config
from lancelot.providers.profiles import build_provider, profile
from lancelot.redaction.redactor import Redactor
from lancelot.routing.router import ModelRouter
from lancelot.settings import project_dir
from lancelot.store.receipts import Receipt
from tests.providers.answers import WHOLE
from tests.recording import NoNames, RecordingServer, json_answer

SHIPPED = load_config(project_dir() / "config")
POLICY = RouterConfig(redaction_mode="rules", classify=False, thresholds=ThresholdsConfig(deep_score=1.0))
CONFIG = Config(SHIPPED.models, POLICY, SHIPPED.prices)
NAMES = ["openai", "anthropic", "gemini"]


class Receipts:
    """Keeps the receipts of attempts."""

    quick = False

    def __init__(self) -> None:
        self.written: list[Receipt] = []

    async def awrite(self, receipt: Receipt) -> None:
        self.write(receipt)

    def write(self, receipt: Receipt) -> None:
        if receipt.kind == "attempt":
            self.written.append(receipt)


class Fixed:
    current = CONFIG


def router_over(name: str, key: SecretStr, base_url: str | None, **lanes: str) -> tuple[ModelRouter, Receipts, Any]:
    chosen = replace(profile(CONFIG, name), **lanes)  # type: ignore[arg-type]
    provider = build_provider(chosen, key, base_url=base_url)
    receipts = Receipts()
    router = ModelRouter(
        redactor=Redactor(tagger=NoNames()),  # type: ignore[arg-type]
        brain=None,
        provider=provider,
        profile=chosen,
        config=Fixed(),
        receipts=receipts,
    )
    return router, receipts, provider


def lanes(receipts: Receipts) -> list[tuple[str | None, str | None]]:
    return [(str(receipt.lane), receipt.finish_reason) for receipt in receipts.written]


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_cut_off_answer_goes_deep(server: RecordingServer, name: str) -> None:
    server.answers(json_answer(WHOLE[name]["length"]), json_answer(WHOLE[name]["text"]))
    base_url = f"{server.url}/v1" if name == "openai" else server.url
    router, receipts, provider = router_over(name, SecretStr("key-0123456789"), base_url)
    request = {
        "model": "lancelot",
        "messages": [{"role": "user", "content": "Mail jo@example.com: what is Paris?"}],
    }
    routed = await router.handle(request)
    await provider.aclose()
    assert lanes(receipts) == [("fast", "length"), ("deep", "stop")], [r.reasons for r in receipts.written]
    assert routed.answer.message["content"].startswith("Paris is the capital")
    assert lanes(receipts) == [("fast", "length"), ("deep", "stop")]
    first, second = receipts.written
    assert second.parent_id == first.id
    assert all(receipt.cost_usd and receipt.sent_sha256 for receipt in receipts.written)
    chosen = profile(CONFIG, name)
    for sent, model in zip(server.requests, (chosen.fast, chosen.deep), strict=True):
        assert model in sent.path + sent.body.decode()
        assert b"jo@example.com" not in sent.raw


@pytest.mark.integration
@pytest.mark.timeout(300)
@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_failing_fast_lane_goes_deep_live(name: str) -> None:
    key = os.environ.get(f"LANCELOT_LIVE_{name.upper()}_KEY")
    if not key:
        pytest.skip(f"LANCELOT_LIVE_{name.upper()}_KEY is not set")
    router, receipts, provider = router_over(name, SecretStr(key), None, fast="no-such-model")
    asked = {"role": "user", "content": "Reply with the single word: pong"}
    routed = await router.handle({"messages": [asked]})
    await provider.aclose()
    assert "pong" in routed.answer.message["content"].lower()
    assert [(receipt.lane, receipt.status) for receipt in receipts.written] == [("fast", "error"), ("deep", "ok")]
