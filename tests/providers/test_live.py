"""The real providers, when their keys are in the environment: one short call of each kind. Costs well under a cent."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import SecretStr

from lancelot.chat import Chunk
from lancelot.config import load_config
from lancelot.errors import ProviderAuth
from lancelot.providers.base import Deadline
from lancelot.providers.prices import cost
from lancelot.providers.profiles import build_provider, profile
from lancelot.settings import project_dir
from tests.recording import redacted

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CONFIG = load_config(project_dir() / "config")
NAMES = ["openai", "anthropic", "gemini"]


def key_of(name: str) -> SecretStr:
    key = os.environ.get(f"LANCELOT_LIVE_{name.upper()}_KEY")
    if not key:
        pytest.skip(f"LANCELOT_LIVE_{name.upper()}_KEY is not set")
    return SecretStr(key)


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_the_key_lists_both_lanes(name: str) -> None:
    chosen = profile(CONFIG, name)
    provider = build_provider(chosen, key_of(name))
    assert chosen.missing(await provider.list_models(deadline=Deadline.after(60))) == []
    await provider.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("lane", ["fast", "deep"])
@pytest.mark.parametrize("name", NAMES)
async def test_an_answer_with_usage_and_cost(name: str, lane: str) -> None:
    chosen = profile(CONFIG, name)
    provider = build_provider(chosen, key_of(name))
    asked = redacted(messages=[{"role": "user", "content": "Reply with the single word: pong"}], temperature=0.1)
    answer = await provider.complete(asked, model=chosen.model(lane), deadline=Deadline.after(120))
    await provider.aclose()
    assert "pong" in answer.message["content"].lower()
    assert answer.finish_reason == "stop"
    assert cost(answer.model, answer.usage, CONFIG.prices).usd


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_tool_loop_streamed(name: str) -> None:
    chosen = profile(CONFIG, name)
    provider = build_provider(chosen, key_of(name))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {
        "type": "function",
        "function": {"name": "get_weather", "description": "Weather now.", "parameters": schema},
    }
    talk: list[dict[str, Any]] = [{"role": "user", "content": "Use the tool: what is the weather in Oslo?"}]
    chunks = await _drain(provider, chosen.fast, talk, tool)
    calls: dict[int, dict[str, Any]] = {}
    for piece in (call for chunk in chunks for call in chunk.delta.get("tool_calls") or []):
        held = calls.setdefault(
            piece["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        held["id"] += piece.get("id") or ""
        held["function"]["name"] += piece["function"].get("name") or ""
        held["function"]["arguments"] += piece["function"].get("arguments") or ""
    assert calls[0]["function"]["name"] == "get_weather"
    talk.append({"role": "assistant", "content": None, "tool_calls": list(calls.values())})
    talk += [{"role": "tool", "tool_call_id": call["id"], "content": "rain, 4 degrees"} for call in calls.values()]
    text = "".join(c.delta.get("content") or "" for c in await _drain(provider, chosen.fast, talk, tool))
    await provider.aclose()
    assert "rain" in text.lower()


async def _drain(provider: Any, model: str, talk: list[dict[str, Any]], tool: dict[str, Any]) -> list[Chunk]:
    asked = redacted(messages=talk, tools=[tool])
    return [chunk async for chunk in provider.stream(asked, model=model, deadline=Deadline.after(120))]


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_wrong_key_is_told_apart(name: str) -> None:
    key_of(name)
    provider = build_provider(profile(CONFIG, name), SecretStr("sk-wrong-0000000000000000"))
    with pytest.raises(ProviderAuth):
        await provider.list_models(deadline=Deadline.after(60))
    await provider.aclose()
