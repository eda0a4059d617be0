"""The same documented answer, read by us and by the official client, means the same: whole, streamed, cut anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from pydantic import SecretStr

from lancelot.chat import Answer, Chunk, Usage
from lancelot.config import load_config
from lancelot.errors import BadInput, ProviderMalformed
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.profiles import build_provider, profile
from lancelot.providers.wire import Retry
from lancelot.settings import project_dir
from tests.providers.answers import STREAMED, WHOLE, event_bytes
from tests.recording import RecordingServer, Scripted, json_answer, redacted

NAMES = ["openai", "anthropic", "gemini"]
CASES = ["text", "tools", "refusal", "length", "filter"]
FINISH = {"text": "stop", "tools": "tool_calls", "length": "length", "filter": "content_filter"}
MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5", "gemini": "gemini-3.5-flash-lite"}


def ours(name: str, url: str) -> Provider:
    base = f"{url}/v1" if name == "openai" else url
    chosen = profile(load_config(project_dir() / "config"), name)
    return build_provider(chosen, SecretStr("key-0123456789"), base_url=base, retry=Retry(times=0))


@dataclass
class Meaning:
    """What an answer says, whoever read it."""

    text: str
    calls: list[tuple[str, str, Any]]
    refusal: str
    tokens: tuple[int | None, int | None, int, int, int]


def _usage(usage: Usage) -> tuple[int | None, int | None, int, int, int]:
    return usage.input, usage.output, usage.cached, usage.cache_write, usage.reasoning


def of_answer(answer: Answer) -> Meaning:
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in answer.message.get("tool_calls") or []
    ]
    return Meaning(
        answer.message.get("content") or "", calls, answer.message.get("refusal") or "", _usage(answer.usage)
    )


def of_chunks(chunks: list[Chunk]) -> tuple[Meaning, str | None]:
    """Chunks put together as an OpenAI client puts them together."""
    text = refusal = ""
    calls: dict[int, list[str]] = {}
    finish, usage = None, Usage()
    for chunk in chunks:
        text += chunk.delta.get("content") or ""
        refusal += chunk.delta.get("refusal") or ""
        for call in chunk.delta.get("tool_calls") or []:
            held = calls.setdefault(call["index"], ["", "", ""])
            held[0] += call.get("id") or ""
            held[1] += call["function"].get("name") or ""
            held[2] += call["function"].get("arguments") or ""
        finish = chunk.finish_reason or finish
        usage = chunk.usage or usage
    made = [(held[0], held[1], json.loads(held[2])) for _, held in sorted(calls.items())]
    return Meaning(text, made, refusal, _usage(usage)), finish


def official(name: str, url: str, *, stream: bool) -> Meaning:
    """The official client's own reading."""
    if name == "openai":
        with openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client:
            asked: dict[str, Any] = {"model": "m", "input": "q"}
            if stream:
                last = list(client.responses.create(**asked, stream=True))[-1]
                answer: Any = last.response
            else:
                answer = client.responses.create(**asked)
        calls = [(i.call_id, i.name, json.loads(i.arguments)) for i in answer.output if i.type == "function_call"]
        parts = [part for item in answer.output if item.type == "message" for part in item.content]
        refusal = "".join(part.refusal for part in parts if part.type == "refusal")
        used = answer.usage
        into, out = used.input_tokens_details, used.output_tokens_details
        tokens = used.input_tokens, used.output_tokens, into.cached_tokens, into.cache_write_tokens
        return Meaning(answer.output_text, calls, refusal, (*tokens, out.reasoning_tokens))
    if name == "anthropic":
        with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as claude:
            body: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]}
            if stream:
                with claude.messages.stream(**body) as events:
                    got: Any = events.get_final_message()
            else:
                got = claude.messages.create(**body)
        text = "".join(block.text for block in got.content if block.type == "text")
        calls = [(block.id, block.name, block.input) for block in got.content if block.type == "tool_use"]
        used = got.usage
        cached, written = used.cache_read_input_tokens, used.cache_creation_input_tokens
        whole = used.input_tokens + cached + written
        return Meaning(
            text, calls, "", (whole, used.output_tokens, cached, written, used.output_tokens_details.thinking_tokens)
        )
    with genai.Client(api_key="k", http_options=types.HttpOptions(base_url=url)) as google:
        if stream:
            pieces = list(google.models.generate_content_stream(model="m", contents="q"))
        else:
            pieces = [google.models.generate_content(model="m", contents="q")]
    parts = [
        part for piece in pieces for part in (piece.candidates[0].content.parts if piece.candidates else None) or []
    ]
    text = "".join(part.text for part in parts if part.text and not part.thought)
    calls = [(p.function_call.id, p.function_call.name, p.function_call.args) for p in parts if p.function_call]
    used = pieces[-1].usage_metadata
    output = used.candidates_token_count + used.thoughts_token_count
    tokens = (used.prompt_token_count, output, used.cached_content_token_count, 0, used.thoughts_token_count)
    return Meaning(text, calls, "", tokens)


def stream_of(name: str, case: str, *, cut: int | None = None) -> Scripted:
    body = b"".join(event_bytes(name, STREAMED[name][case]))
    return Scripted(body, 200, {"content-type": "text/event-stream"}, cut=cut)


async def streamed(name: str, server: RecordingServer, **fields: Any) -> list[Chunk]:
    provider = ours(name, server.url)
    try:
        stream = provider.stream(redacted(**fields), model=MODELS[name], deadline=Deadline.after(10))
        return [chunk async for chunk in stream]
    finally:
        await provider.aclose()


async def completed(name: str, server: RecordingServer, **fields: Any) -> Answer:
    provider = ours(name, server.url)
    try:
        return await provider.complete(redacted(**fields), model=MODELS[name], deadline=Deadline.after(10))
    finally:
        await provider.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
async def test_a_whole_answer_reads_as_the_official_client_reads_it(
    server: RecordingServer, name: str, case: str
) -> None:
    server.answers(json_answer(WHOLE[name][case]))
    theirs = official(name, server.url, stream=False)
    answer = await completed(name, server)
    assert of_answer(answer) == theirs
    if case in FINISH:
        assert answer.finish_reason == FINISH[case]
    assert answer.model.startswith(MODELS[name])
    assert answer.upstream_id


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
async def test_a_stream_reads_as_the_official_client_reads_it(server: RecordingServer, name: str, case: str) -> None:
    server.answers(stream_of(name, case))
    theirs = official(name, server.url, stream=True)
    chunks = await streamed(name, server)
    meaning, finish = of_chunks(chunks)
    assert meaning == theirs
    server.answers(json_answer(WHOLE[name][case]))
    whole = await completed(name, server)
    assert (meaning, finish) == (of_answer(whole), whole.finish_reason)


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_cutting_the_bytes_differently_changes_nothing(server: RecordingServer, name: str) -> None:
    body = b"".join(event_bytes(name, STREAMED[name]["tools"])).replace(b"\n", b"\r\n")
    expected = of_chunks(await _with(server, name, [body]))
    for size in (1, 7, 50, 1000):
        pieces = [body[place : place + size] for place in range(0, len(body), size)]
        assert of_chunks(await _with(server, name, pieces)) == expected


async def _with(server: RecordingServer, name: str, pieces: list[bytes]) -> list[Chunk]:
    server.answers(Scripted(b"", 200, {"content-type": "text/event-stream"}, pieces=pieces))
    return await streamed(name, server)


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_stream_that_ends_early_is_never_taken_for_a_whole_answer(server: RecordingServer, name: str) -> None:
    events = event_bytes(name, STREAMED[name]["tools"])
    for kept in range(len(events)):
        clean = Scripted(b"".join(events[:kept]), 200, {"content-type": "text/event-stream"})
        server.answers(clean)
        with pytest.raises(ProviderMalformed) as caught:
            await streamed(name, server)
        assert caught.value.extra["truncated"] is True


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_connection_that_breaks_inside_a_stream_says_so(server: RecordingServer, name: str) -> None:
    length = len(stream_of(name, "text").body)
    for cut in (1, length // 3, length // 2, length - 1):
        server.answers(stream_of(name, "text", cut=cut))
        with pytest.raises(ProviderMalformed):
            await streamed(name, server)


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"data: {not json\n\n", b"data: [1]\n\n", b'data: "text"\n\n'])
@pytest.mark.parametrize("name", NAMES)
async def test_garbage_in_a_stream_is_malformed(server: RecordingServer, name: str, body: bytes) -> None:
    server.answers(Scripted(body, 200, {"content-type": "text/event-stream"}))
    with pytest.raises(ProviderMalformed):
        await streamed(name, server)


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_reasoning_state_goes_back_with_the_tool_result(server: RecordingServer, name: str) -> None:
    """OpenAI's encrypted reasoning, Gemini's signatures and Claude's thinking return (docs/decisions, 11)."""
    server.answers(json_answer(WHOLE[name]["tools"]))
    provider = ours(name, server.url)
    asked = {"role": "user", "content": "What is the weather?"}
    first = await provider.complete(redacted(messages=[asked]), model=MODELS[name], deadline=Deadline.after(10))
    talk = [
        asked,
        first.message,
        *({"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in first.message["tool_calls"]),
    ]
    await provider.complete(redacted(messages=talk), model=MODELS[name], deadline=Deadline.after(10))
    await provider.aclose()
    sent = server.requests[-1].json
    if name == "openai":
        kinds = [item.get("type", "message") for item in sent["input"]]
        assert kinds == ["message", "message", "reasoning", *["function_call"] * 2, *["function_call_output"] * 2]
        assert sent["input"][2]["encrypted_content"] == "gAAAAAB-opaque"
    elif name == "gemini":
        calls = [part for part in sent["contents"][1]["parts"] if "functionCall" in part]
        assert [part.get("thoughtSignature") for part in calls] == ["c2lnbmF0dXJl", None]
    else:
        assert sent["messages"][1]["content"] == WHOLE[name]["tools"]["content"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "model", "said", "back"),
    [
        ("What is the weather?", "claude-haiku-5-5", "", True),
        ("What is the weather now?", "claude-haiku-5-5", "", False),
        ("What is the weather?", "claude-opus-5-5", "", False),
        ("What is the weather?", "claude-haiku-5-5", " Edited.", False),
    ],
)
async def test_thinking_goes_back_only_where_all_before_it_is_the_same(
    server: RecordingServer, asked: str, model: str, said: str, back: bool
) -> None:
    """Kept from a stream; another first message, another model or an edited turn: the thinking stays out."""
    provider = ours("anthropic", server.url)
    server.answers(stream_of("anthropic", "tools"))
    begun = redacted(messages=[{"role": "user", "content": "What is the weather?"}])
    async for _ in provider.stream(begun, model="claude-haiku-5-5", deadline=Deadline.after(10)):
        pass
    whole = WHOLE["anthropic"]["tools"]["content"]
    text = "".join(block.get("text", "") for block in whole)
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in whole
        if block["type"] == "tool_use"
    ]
    talk = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": (text + said) or None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in calls),
    ]
    server.answers(json_answer(WHOLE["anthropic"]["text"]))
    await provider.complete(redacted(messages=talk), model=model, deadline=Deadline.after(10))
    await provider.aclose()
    sent = server.requests[-1].json["messages"][1]["content"]
    assert (sent == whole) is back
    assert any(block["type"] == "thinking" for block in sent) is back


@pytest.mark.anyio
async def test_gemini_gets_the_documented_stand_in_for_a_lost_signature(server: RecordingServer) -> None:
    server.answers(json_answer(WHOLE["gemini"]["text"]))
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    talk = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "x", "content": "done"},
    ]
    await completed("gemini", server, messages=talk)
    part = server.requests[-1].json["contents"][1]["parts"][0]
    assert part["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("name", "stop", "kept"),
    [("openai", [". Ça", "東京"], "Paris is the capital of France"), ("anthropic", [" ", "X"], "Paris")],
)
async def test_stop_sequences_hold_where_the_api_has_none(
    server: RecordingServer, name: str, stop: list[str], kept: str, stream: bool
) -> None:
    if stream:
        server.answers(stream_of(name, "text"))
        meaning, finish = of_chunks(await streamed(name, server, stop=stop))
    else:
        server.answers(json_answer(WHOLE[name]["text"]))
        answer = await completed(name, server, stop=stop)
        meaning, finish = of_answer(answer), answer.finish_reason
    assert (meaning.text, finish) == (kept, "stop")


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_half_a_character_is_refused_in_words(server: RecordingServer, name: str) -> None:
    with pytest.raises(BadInput, match="Unicode"):
        await completed(name, server, messages=[{"role": "user", "content": "cut \ud83d off"}])
    assert not server.requests
