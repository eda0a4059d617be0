"""The egress proof: what really goes over the wire, byte by byte, for every provider, plain, streamed and with tools.

Each field of a request that can hold text gets a canary of its own: personal data with a random run of letters and
digits in it that no encoding changes. The recording server keeps the raw bytes, and the runs are looked for there. The
control sends the same request under a policy that keeps everything, and must find them.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from lancelot.chat import Answer, ChatRequest
from lancelot.config import RedactionPolicy
from lancelot.errors import RedactionFailed
from lancelot.providers.anthropic import Anthropic
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.gemini import Gemini
from lancelot.providers.openai import OpenAI
from lancelot.providers.selfhosted import SelfHosted
from lancelot.redaction.finding import Finder
from lancelot.redaction.policy import builtin_policies
from lancelot.redaction.redactor import Redactor
from tests.recording import NoNames, RecordingServer, json_answer
from tests.redaction.canaries import found, request
from tests.redaction.egress_answers import SAID, streamed, whole

PROVIDERS = ("openai", "anthropic", "gemini", "selfhosted")
EVERYWHERE = {
    "system", "user", "user part", "assistant", "tool result", "tool result key", "arguments", "arguments key",
    "tool name", "tool description", "property name", "property description", "enum", "stop",
}  # fmt: skip
"""Fields every provider carries; the control must find them all."""
CARRIED = {
    "openai": EVERYWHERE - {"stop"} | {"user field", "metadata value", "metadata key", "cache key", "format schema"},
    "anthropic": EVERYWHERE | {"safety field", "format schema"},
    "gemini": EVERYWHERE | {"format schema"},
    "selfhosted": EVERYWHERE
    | {"user field", "metadata value", "metadata key", "cache key", "format schema", "author name"},
}


def provider(name: str, url: str) -> Provider:
    key = SecretStr("k")
    made: dict[str, Provider] = {
        "openai": OpenAI(base_url=url, key=key),
        "anthropic": Anthropic(base_url=url, key=key),
        "gemini": Gemini(base_url=url, key=key),
        "selfhosted": SelfHosted(base_url=url, key=key),
    }
    return made[name]


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    made = RecordingServer()
    yield made
    made.close()


def redactor() -> Redactor:
    return Redactor(
        builtin_policies() | {"control": RedactionPolicy(default_action="keep")},
        finder=Finder(NoNames()),  # type: ignore[arg-type]
    )


async def send(
    server: RecordingServer, name: str, given: ChatRequest, *, policy: str, stream: bool
) -> tuple[Answer, bytes]:
    """The restored answer, and every byte that left."""
    server.requests.clear()
    server.answers(streamed(name) if stream else json_answer(whole(name)))
    made = redactor().redact_request(given, policy=policy)
    calling = provider(name, server.url)
    try:
        if stream:
            answer = await collected(calling, made)
        else:
            raw = await calling.complete(made, model="m", deadline=Deadline.after(20))
            answer = made.restore_answer(raw)
    finally:
        await calling.aclose()
    (seen,) = server.requests
    assert answer.sent_sha256 == hashlib.sha256(seen.body).hexdigest(), "the hash is of the bytes that really left"
    return answer, b"".join(recorded.raw for recorded in server.requests)


async def collected(calling: Provider, made: Any) -> Answer:
    restorer = made.restorer()
    content, arguments, sent, usage = "", "", None, None
    arrived = [chunk async for chunk in calling.stream(made, model="m", deadline=Deadline.after(20))]
    shown = [out for chunk in arrived for out in restorer.feed(chunk)] + restorer.flush()
    for chunk in shown:
        content += chunk.delta.get("content") or ""
        for call in chunk.delta.get("tool_calls") or []:
            arguments += call["function"].get("arguments") or ""
        sent, usage = chunk.sent_sha256 or sent, chunk.usage or usage
    message = {"content": content, "tool_calls": [{"function": {"arguments": arguments}}]}
    return Answer(message=message, finish_reason="tool_calls", usage=usage, model="m", sent_sha256=sent)


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("tools", [False, True], ids=["texts", "tools"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_no_canary_leaves_in_any_field(server: RecordingServer, name: str, tools: bool, stream: bool) -> None:
    for policy in ("default", "strict"):
        given, canaries = request(random.randrange(2**32), tools=tools)
        answer, raw = await send(server, name, given, policy=policy, stream=stream)
        assert found(canaries, raw) == set()
        assert answer.message["content"] != SAID, "the placeholder in the answer was restored"
        assert "@mail.example.com" in answer.message["content"]
        (call,) = answer.message["tool_calls"]
        assert json.loads(call["function"]["arguments"])["to"].endswith("@mail.example.com")


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_the_same_search_finds_them_when_nothing_is_hidden(
    server: RecordingServer, name: str, stream: bool
) -> None:
    given, canaries = request(7, tools=True)
    _, raw = await send(server, name, given, policy="control", stream=stream)
    assert CARRIED[name] - found(canaries, raw) == set()


@pytest.mark.anyio
@pytest.mark.parametrize("name", PROVIDERS)
async def test_names_are_legal_where_the_provider_asks_for_it(server: RecordingServer, name: str) -> None:
    given, _ = request(11, tools=True)
    _, raw = await send(server, name, given, policy="default", stream=False)
    assert b"redacted_CARD_" in raw
    for field in ('"name": "<', '"name":"<'):
        assert field.encode() not in raw


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_nothing_but_a_redacted_request_is_sent(server: RecordingServer, name: str, stream: bool) -> None:
    given, _ = request(3, tools=False)
    forged = redactor().redact_request(given)
    forged.chat.messages[2].content = "put back later: billing@example.com"
    for wrong in (given, forged, {"chat": given}):
        calling = provider(name, server.url)
        deadline = Deadline.after(5)
        call: Any = calling.stream if stream else calling.complete
        answer = call(wrong, model="m", deadline=deadline)
        with pytest.raises(RedactionFailed):
            await (anext(answer) if stream else answer)
        await calling.aclose()
    assert server.connections == 0, "not even a connection was made"


@pytest.mark.anyio
async def test_a_failing_detector_lets_nothing_out(server: RecordingServer) -> None:
    def broken(_: str) -> list[Any]:
        raise ValueError("boom")

    failing = Redactor(finder=Finder(NoNames(), rules=(broken,)))  # type: ignore[arg-type]
    given, _ = request(5, tools=True)
    async with httpx.AsyncClient() as client:
        calling = SelfHosted(base_url=server.url, key=None, client=client)
        with pytest.raises(RedactionFailed):
            await calling.complete(failing.redact_request(given), model="m", deadline=Deadline.after(5))
    assert server.connections == 0
