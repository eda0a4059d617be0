"""The same conversation, sent by us and by the official client to one recording server, gives the same request."""

from __future__ import annotations

import copy
import re
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from pydantic import SecretStr

from lancelot.config import load_config
from lancelot.errors import ProviderError
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.profiles import build_provider, profile
from lancelot.settings import project_dir
from tests.recording import Recorded, RecordingServer, Scripted, json_answer, redacted, sse_answer

KEY = "key-0123456789"
PNG = "iVBORw0KGgo="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather of a city.", "parameters": SCHEMA},
}
TOOL_TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "What is the weather in Oslo and Rome?"},
    {
        "role": "assistant",
        "content": "I will look.",
        "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}},
            {"id": "call_b", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_a", "content": '{"sky":"rain"}'},
    {"role": "tool", "tool_call_id": "call_b", "content": "sunny"},
]
SEEN = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is on it?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        ],
    }
]


def chats() -> dict[str, dict[str, Any]]:
    """The conversations by name, as fields of a chat request."""
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    return {
        "plain": {},
        "tools": {"messages": TOOL_TALK, "tools": [WEATHER], "tool_choice": "auto"},
        "forced": {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        "schema": {"response_format": wanted, "max_completion_tokens": 500},
        "effort": {"reasoning_effort": "low", "max_tokens": 200},
    }


# What a user of the official client writes for the same conversations, by provider.
OPENAI: dict[str, dict[str, Any]] = {
    "plain": {"input": [{"role": "user", "content": "What is the capital of France?"}]},
    "tools": {
        "input": [
            {"role": "system", "content": "You are brief."},
            {"role": "user", "content": "What is the weather in Oslo and Rome?"},
            {"role": "assistant", "content": "I will look."},
            {"type": "function_call", "call_id": "call_a", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call", "call_id": "call_b", "name": "get_weather", "arguments": '{"city":"Rome"}'},
            {"type": "function_call_output", "call_id": "call_a", "output": '{"sky":"rain"}'},
            {"type": "function_call_output", "call_id": "call_b", "output": "sunny"},
        ],
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "The weather of a city.",
                "parameters": SCHEMA,
                "strict": False,
            }
        ],
        "tool_choice": "auto",
    },
    "forced": {
        "input": [{"role": "user", "content": "What is the capital of France?"}],
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "The weather of a city.",
                "parameters": SCHEMA,
                "strict": False,
            }
        ],
        "tool_choice": {"type": "function", "name": "get_weather"},
    },
    "schema": {
        "input": [{"role": "user", "content": "What is the capital of France?"}],
        "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}},
        "max_output_tokens": 500,
    },
    "effort": {
        "input": [{"role": "user", "content": "What is the capital of France?"}],
        "reasoning": {"effort": "low"},
        "max_output_tokens": 200,
    },
}
ASKED = [{"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]}]
CLAUDE_TOOL = {"name": "get_weather", "description": "The weather of a city.", "input_schema": SCHEMA}
ANTHROPIC: dict[str, dict[str, Any]] = {
    "plain": {"messages": ASKED, "max_tokens": 16_384},
    "tools": {
        "system": [{"type": "text", "text": "You are brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is the weather in Oslo and Rome?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I will look."},
                    {"type": "tool_use", "id": "call_a", "name": "get_weather", "input": {"city": "Oslo"}},
                    {"type": "tool_use", "id": "call_b", "name": "get_weather", "input": {"city": "Rome"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_a", "content": '{"sky":"rain"}'},
                    {"type": "tool_result", "tool_use_id": "call_b", "content": "sunny"},
                ],
            },
        ],
        "tools": [CLAUDE_TOOL],
        "tool_choice": {"type": "auto"},
        "max_tokens": 16_384,
    },
    "forced": {
        "messages": ASKED,
        "tools": [CLAUDE_TOOL],
        "tool_choice": {"type": "tool", "name": "get_weather"},
        "max_tokens": 16_384,
    },
    "schema": {
        "messages": ASKED,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "max_tokens": 500,
    },
    "effort": {"messages": ASKED, "output_config": {"effort": "low"}, "max_tokens": 200},
}
GEMINI_TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather", description="The weather of a city.", parameters_json_schema=SCHEMA
        )
    ]
)
NOT_AUTOMATIC = types.AutomaticFunctionCallingConfig(disable=True)
QUESTION = [types.Content(role="user", parts=[types.Part(text="What is the capital of France?")])]


def _call(call_id: str, city: str, signature: bytes | None) -> types.Part:
    call = types.FunctionCall(id=call_id, name="get_weather", args={"city": city})
    return types.Part(function_call=call, thought_signature=signature)


def _response(call_id: str, value: dict[str, Any]) -> types.Part:
    return types.Part(function_response=types.FunctionResponse(id=call_id, name="get_weather", response=value))


GEMINI: dict[str, tuple[Any, types.GenerateContentConfig | None]] = {
    "plain": (QUESTION, None),
    "tools": (
        [
            types.Content(role="user", parts=[types.Part(text="What is the weather in Oslo and Rome?")]),
            types.Content(
                role="model",
                parts=[types.Part(text="I will look."), _call("call_a", "Oslo", None), _call("call_b", "Rome", None)],
            ),
            types.Content(
                role="user", parts=[_response("call_a", {"sky": "rain"}), _response("call_b", {"output": "sunny"})]
            ),
        ],
        types.GenerateContentConfig(
            system_instruction="You are brief.",
            tools=[GEMINI_TOOL],
            automatic_function_calling=NOT_AUTOMATIC,
            tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="AUTO")),
        ),
    ),
    "forced": (
        QUESTION,
        types.GenerateContentConfig(
            tools=[GEMINI_TOOL],
            automatic_function_calling=NOT_AUTOMATIC,
            tool_config=types.ToolConfig(
                function_calling_config=types.FunctionCallingConfig(mode="ANY", allowed_function_names=["get_weather"])
            ),
        ),
    ),
    "schema": (
        QUESTION,
        types.GenerateContentConfig(
            response_mime_type="application/json", response_json_schema=SCHEMA, max_output_tokens=500
        ),
    ),
    "effort": (
        QUESTION,
        types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_level="LOW"), max_output_tokens=200),
    ),
}
MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5", "gemini": "gemini-3.5-flash-lite"}
# what the answer of each needs so that the official client does not complain
ANSWERS: dict[str, Scripted] = {
    "openai": json_answer({"id": "r", "object": "response", "status": "completed", "model": "m", "output": []}),
    "anthropic": json_answer(
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    ),
    "gemini": json_answer(
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "STOP"}]}
    ),
}


def ours(name: str, url: str) -> tuple[Provider, str]:
    base = f"{url}/v1" if name == "openai" else url
    chosen = profile(load_config(project_dir() / "config"), name)
    return build_provider(chosen, SecretStr(KEY), base_url=base), MODELS[name]


def ask_official(name: str, url: str, case: str, *, stream: bool) -> None:
    if name == "openai":
        client = openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)
        extra = {"store": False, "include": ["reasoning.encrypted_content"], "stream": stream}
        answer = client.responses.create(model=MODELS[name], **OPENAI[case], **extra)
        if stream:
            list(answer)
        client.close()
    elif name == "anthropic":
        claude = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)
        answer = claude.messages.create(model=MODELS[name], **ANTHROPIC[case], stream=stream)
        if stream:
            list(answer)
        claude.close()
    else:
        google = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))
        contents, config = GEMINI[case]
        if stream:
            list(google.models.generate_content_stream(model=MODELS[name], contents=contents, config=config))
        else:
            google.models.generate_content(model=MODELS[name], contents=contents, config=config)
        google.close()


async def ask_ours(name: str, url: str, case: str, *, stream: bool) -> None:
    provider, model = ours(name, url)
    request = redacted(**chats()[case])
    try:
        if stream:
            async for _ in provider.stream(request, model=model, deadline=Deadline.after(10)):
                pass
        else:
            await provider.complete(request, model=model, deadline=Deadline.after(10))
    except ProviderError:
        assert stream  # the scripted stream is empty: only the request matters here
    finally:
        await provider.aclose()


FREE = {"parametersJsonSchema", "responseJsonSchema", "args", "response"}
SIGNED = {"authorization", "x-api-key", "x-goog-api-key", "anthropic-version", "content-type"}


def camel(value: Any, *, free: bool = False) -> Any:
    """Protocol buffers take snake and camel case alike, an empty message says nothing; free JSON is left alone."""
    if isinstance(value, list):
        return [camel(entry, free=free) for entry in value]
    if not isinstance(value, dict) or free:
        return value
    spelled = {re.sub(r"_(.)", lambda found: found.group(1).upper(), name): entry for name, entry in value.items()}
    kept = {name: camel(entry, free=name in FREE) for name, entry in spelled.items()}
    return {name: entry for name, entry in kept.items() if entry != {} or name in FREE}


def meaning(recorded: Recorded) -> dict[str, Any]:
    """Everything but the headers a client adds about itself, and JSON spelling that means the same."""
    body = copy.deepcopy(recorded.json)
    body.pop("stream", None) if body.get("stream") is False else None
    if "contents" in body:
        body = camel(body)
        for turn in body["contents"]:
            for part in turn["parts"]:
                part.pop("thoughtSignature", None)  # ours carries the documented stand-in; the client sends none
    headers = {name: value for name, value in recorded.headers.items() if name in SIGNED}
    return {"method": recorded.method, "path": recorded.path, "headers": headers, "body": body}


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", list(chats()))
@pytest.mark.parametrize("name", list(MODELS))
async def test_the_request_is_the_official_clients(server: RecordingServer, name: str, case: str, stream: bool) -> None:
    server.answers(sse_answer() if stream else ANSWERS[name])
    ask_official(name, server.url, case, stream=stream)
    await ask_ours(name, server.url, case, stream=stream)
    theirs, own = server.requests
    assert meaning(own) == meaning(theirs)


@pytest.mark.anyio
@pytest.mark.parametrize("name", list(MODELS))
async def test_listing_models_is_the_official_clients_request(server: RecordingServer, name: str) -> None:
    listed = {"object": "list", "data": [{"id": "a"}], "models": [{"name": "models/a"}]}
    server.answers(json_answer(listed))
    provider, _ = ours(name, server.url)
    assert await provider.list_models(deadline=Deadline.after(10)) == ["a"]
    await provider.aclose()
    if name == "openai":
        official: Any = openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1")
    elif name == "anthropic":
        official = anthropic.Anthropic(api_key=KEY, base_url=server.url)
    else:
        official = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=server.url))
    next(iter(official.models.list()))
    official.close()
    own, theirs = server.requests
    signed = SIGNED - {"content-type"}  # a request without a body has none
    assert (own.method, own.path.partition("?")[0]) == (theirs.method, theirs.path.partition("?")[0])
    assert {k: v for k, v in own.headers.items() if k in signed} == {
        k: v for k, v in theirs.headers.items() if k in signed
    }
    assert own.body == b""
