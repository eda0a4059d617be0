"""Any OpenAI-compatible server, with the habits real ones have."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from pydantic import SecretStr

from lancelot.chat import Chunk, Usage
from lancelot.config import ModelEntry
from lancelot.errors import ProviderError, ProviderMalformed
from lancelot.providers.base import Deadline
from lancelot.providers.selfhosted import SelfHosted
from lancelot.providers.wire import Retry
from tests.recording import RecordingServer, json_answer, redacted, sse_answer


def whole(message: dict[str, Any], reason: Any = "stop", **more: Any) -> Any:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": reason}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return json_answer(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage} | more
    )


def provider(server: RecordingServer, **options: Any) -> SelfHosted:
    return SelfHosted(base_url=server.url, retry=Retry(times=0), **options)


async def complete(server: RecordingServer, model: str = "m", **fields: Any) -> Any:
    asked = provider(server, models={"no-sampling": ModelEntry(provider="selfhosted", sampling_params=False)})
    try:
        return await asked.complete(redacted(**fields), model=model, deadline=Deadline.after(5))
    finally:
        await asked.aclose()


async def stream(server: RecordingServer, **fields: Any) -> list[Chunk]:
    asked = provider(server)
    try:
        return [c async for c in asked.stream(redacted(**fields), model="m", deadline=Deadline.after(5))]
    finally:
        await asked.aclose()


@pytest.mark.anyio
async def test_the_request_is_the_official_clients(server: RecordingServer) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a tree"},
    ]
    fields: dict[str, Any] = {
        "messages": messages, "tools": [tool], "tool_choice": "auto", "temperature": 0.5, "stop": ["\n\n"],
        "max_tokens": 40, "seed": 7, "response_format": {"type": "json_object"},
    }  # fmt: skip
    server.answers(whole({"content": "ok"}))
    await complete(server, **fields)
    with openai.OpenAI(api_key="k", base_url=f"{server.url}/v1") as client:
        client.chat.completions.create(model="m", **fields)
    own, theirs = server.requests
    assert (own.method, own.path, own.json) == (theirs.method, theirs.path, theirs.json)
    assert "authorization" not in own.headers


@pytest.mark.anyio
async def test_a_key_is_a_bearer_token(server: RecordingServer) -> None:
    server.answers(json_answer({"data": [{"id": "a"}, {"id": "b"}]}))
    asked = provider(server, key=SecretStr(" secret-1 \n"))
    assert await asked.list_models(deadline=Deadline.after(5)) == ["a", "b"]
    await asked.aclose()
    assert server.requests[0].headers["authorization"] == "Bearer secret-1"
    assert "secret-1" not in repr(asked.__dict__)


PATHS = [("", "/v1/models"), ("/", "/v1/models"), ("/v1/", "/v1/models"), ("/api/x", "/api/x/models")]


@pytest.mark.anyio
@pytest.mark.parametrize(("base", "path"), PATHS)
async def test_the_version_is_added_to_a_bare_host(server: RecordingServer, base: str, path: str) -> None:
    server.answers(json_answer({"data": []}))
    asked = SelfHosted(base_url=server.url + base)
    await asked.list_models(deadline=Deadline.after(5))
    await asked.aclose()
    assert server.requests[0].path == path


@pytest.mark.anyio
async def test_auto_is_the_first_model_the_server_lists(server: RecordingServer) -> None:
    server.answers(json_answer({"data": [{"id": "tiny"}, {"id": "big"}]}), whole({"content": "ok"}))
    asked = provider(server)
    for _ in range(2):
        await asked.complete(redacted(), model="auto", deadline=Deadline.after(5))
    await asked.aclose()
    assert [r.path.rpartition("/")[2] for r in server.requests] == ["models", "completions", "completions"]
    assert server.requests[1].json["model"] == "tiny"
    server.answers(json_answer({"data": []}))
    with pytest.raises(ProviderError, match="lists no model"):
        await complete(server, model="auto")


@pytest.mark.anyio
async def test_refused_sampling_parameters_stay_here(server: RecordingServer) -> None:
    server.answers(whole({"content": "ok"}))
    await complete(server, model="no-sampling", temperature=0.1, top_p=0.2)
    assert not {"temperature", "top_p"} & set(server.requests[-1].json)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("message", "reason", "finish"),
    [
        ({"content": "x"}, "stop", "stop"),
        ({"content": "x"}, "length", "length"),
        ({"content": "x"}, "eos", "stop"),
        ({"content": "x"}, None, "stop"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "stop", "tool_calls"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "length", "length"),
        ({"content": ""}, "content_filter", "content_filter"),
    ],
)
async def test_finish_reasons(server: RecordingServer, message: dict[str, Any], reason: Any, finish: str) -> None:
    server.answers(whole(message, reason))
    assert (await complete(server)).finish_reason == finish


@pytest.mark.anyio
async def test_usage_with_its_parts_and_without(server: RecordingServer) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}
    server.answers(whole({"content": "x"}, usage={"prompt_tokens": 9, "completion_tokens": 3, **details}))
    assert (await complete(server)).usage == Usage(9, 3, cached=4, reasoning=2)
    for absent in (None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1}):
        server.answers(whole({"content": "x"}, usage=absent))
        assert (await complete(server)).usage == Usage(None, None)


@pytest.mark.anyio
async def test_a_stream_with_tools_reasoning_and_usage(server: RecordingServer) -> None:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    server.answers(
        sse_answer(
            {"model": "m", "choices": [{"delta": {"role": "assistant", "reasoning_content": "hm"}}]},
            {"choices": [{"delta": {"tool_calls": [first]}}]},
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
            done=True,
        )
    )
    chunks = await stream(server)
    assert server.requests[-1].json["stream_options"] == {"include_usage": True}
    assert [chunk.finish_reason for chunk in chunks] == [None, None, None, "tool_calls", None]
    assert chunks[1].delta == {"tool_calls": [first]}
    assert chunks[-1].usage == Usage(5, 2)


@pytest.mark.anyio
async def test_a_stream_without_done_is_whole_when_it_said_why_it_ended(server: RecordingServer) -> None:
    server.answers(sse_answer({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}))
    assert len(await stream(server)) == 1
    for cut_off in (sse_answer({"choices": [{"delta": {"content": "x"}}]}), sse_answer(done=True), sse_answer()):
        server.answers(cut_off)
        with pytest.raises(ProviderMalformed):
            await stream(server)
