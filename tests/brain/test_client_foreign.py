"""The client against a server without utility routes: plain prompts, JSON schemas, the same guards."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import httpx
import pytest

from lancelot.brain.client import LocalModelClient
from lancelot.brain.tasks import as_labels, as_turns, default_labels
from lancelot.brain.transport import LocalModelBusy, is_loopback
from lancelot.chat import parse_chat
from lancelot.errors import BadInput, ContextTooLong, LocalModelError
from tests.brain.foreign import Foreign, said

pytestmark = pytest.mark.anyio


def client(server: Foreign, url: str = "http://127.0.0.1:1/v1", **more: Any) -> LocalModelClient:
    return LocalModelClient(url, transport=server.transport, **more)


async def test_classify_asks_for_one_of_the_labels_and_reads_its_confidence() -> None:
    server = Foreign(lambda _body: said('{"label": "billing"}', logprobs=[-0.1, -0.1]))
    found = await client(server).classify("Where is my invoice?", ["billing", "shipping"])
    assert (found.label, found.below_bar) == ("billing", False)
    assert found.confidence == pytest.approx(math.exp(-0.2))
    body = server.bodies[0]
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == ["billing", "shipping"]
    assert body["model"] == "qwen"
    assert "Where is my invoice?" in body["messages"][1]["content"]


async def test_the_utility_route_is_tried_once_only() -> None:
    server = Foreign('{"label": "question"}')
    brain = client(server)
    await brain.classify("What?")
    await brain.classify("Why?")
    assert server.paths.count("/v1/utility/classify") == 1


async def test_without_log_probabilities_the_confidence_is_below_the_bar() -> None:
    found = await client(Foreign("I would say: question.")).classify("What?")
    assert (found.label, found.confidence, found.below_bar) == ("question", 0.5, True)


async def test_an_answer_that_names_no_label_has_no_confidence() -> None:
    found = await client(Foreign("It could be question or command")).classify("What?")
    assert found.confidence == 0
    assert found.below_bar


async def test_extract_is_always_the_schema() -> None:
    schema = {"total": "number", "paid": "boolean", "due": "date", "colour": ["red", "blue"]}
    answer = 'Sure!\n```json\n{"total": 12.5, "paid": "yes", "colour": "green", "more": 1}\n```'
    server = Foreign(answer)
    assert await client(server).extract("…", schema) == {"total": 12.5, "paid": None, "due": None, "colour": None}
    properties = server.bodies[0]["response_format"]["json_schema"]["schema"]["properties"]
    assert properties["total"] == {"type": ["number", "null"]}
    assert properties["colour"] == {"enum": ["red", "blue", None]}
    assert await client(Foreign("no idea")).extract("…", schema) == dict.fromkeys(schema)
    with pytest.raises(BadInput):
        await client(server).extract("…", {"a": "list"})


async def test_a_server_that_knows_no_schemas_is_asked_plainly() -> None:
    def reply(body: dict[str, Any]) -> httpx.Response:
        if "response_format" in body:
            return httpx.Response(400, json={"error": {"message": "response_format is not supported"}})
        return said('{"a": "b"}')

    assert await client(Foreign(reply)).extract("…", {"a": "string"}) == {"a": "b"}


async def test_summaries_and_rewrites_pass_the_guards() -> None:
    text = "The pump in hall 3 failed on 4 May. Verdin repaired it. The line runs again since noon that day."
    assert await client(Foreign("The pump failed on 4 May.")).summarize(text) == "The pump failed on 4 May."
    redone = await client(Foreign("The pump failed on 9 June.")).summarize(text)
    assert "9" not in redone
    assert redone.split(". ")[0] in text
    talk = [{"role": "user", "content": "Who repaired the pump?"}, {"role": "assistant", "content": "Verdin did."}]
    assert await client(Foreign("When did Verdin repair the pump?")).rewrite("When?", talk) == (
        "When did Verdin repair the pump?"
    )
    assert await client(Foreign("When was Rome founded?")).rewrite("When?", talk) == "When?"


async def test_spans_must_be_in_the_text() -> None:
    answer = json.dumps(
        {"spans": [{"type": "NAME", "text": "Anna Berg"}, {"type": "NAME", "text": "Zoe"}, {"type": "X", "text": "at"}]}
    )
    brain = client(Foreign(answer))
    text = "Write to Anna Berg at noon."
    assert await brain.redact_spans(text) == [{"start": 9, "end": 18, "label": "PERSON"}]


async def test_chat_carries_the_request_and_reports_what_was_sent() -> None:
    server = Foreign(lambda _body: said("Paris."))
    request = parse_chat(
        {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital?"}],
            "max_completion_tokens": 9,
            "temperature": 0,
            "user": "someone",
        }
    )
    answer = await client(server).chat(request)
    assert answer.message["content"] == "Paris."
    assert (answer.usage.input, answer.usage.output, answer.model) == (12, 3, "qwen")
    assert answer.sent_sha256 == hashlib.sha256(server.raw[0]).hexdigest()
    body = server.bodies[0]
    assert body["max_tokens"] == 9
    assert body["temperature"] == 0
    assert "user" not in body


async def test_streams_are_chunks_and_a_cut_one_is_an_error() -> None:
    events = [
        {"model": "qwen", "choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {"model": "qwen", "choices": [{"delta": {"content": "Par"}, "finish_reason": None}]},
        {"model": "qwen", "choices": [{"delta": {"content": "is"}, "finish_reason": "stop"}]},
        {"model": "qwen", "choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}},
    ]
    lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    request = parse_chat({"messages": [{"role": "user", "content": "Capital?"}]})

    def stream(text: str) -> Foreign:
        head = {"content-type": "text/event-stream"}
        return Foreign(lambda _body: httpx.Response(200, headers=head, content=text.encode()))

    chunks = [chunk async for chunk in client(stream(lines + "data: [DONE]\n\n")).stream(request)]
    assert "".join(chunk.delta.get("content", "") for chunk in chunks) == "Paris"
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.output == 2
    assert all(chunk.sent_sha256 for chunk in chunks)
    with pytest.raises(LocalModelError, match="broke off"):
        [chunk async for chunk in client(stream(lines)).stream(request)]
    broken = lines + 'data: {"error": {"message": "x", "code": "engine_failed", "title": "It broke."}}\n\n'
    with pytest.raises(LocalModelError, match="It broke"):
        [chunk async for chunk in client(stream(broken)).stream(request)]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(429, headers={"retry-after": "7"}), LocalModelBusy),
        (httpx.Response(503, json={"error": {"title": "Starting.", "code": "starting"}}), LocalModelError),
        (httpx.Response(500, content=b"<html>"), LocalModelError),
        (httpx.Response(400, json={"error": {"message": "the context length is exceeded"}}), ContextTooLong),
        (httpx.Response(400, json={"error": {"code": "bad_input", "title": "`x` is wrong."}}), BadInput),
        (httpx.Response(200, content=b"not json"), LocalModelError),
        (httpx.Response(200, json={"choices": []}), LocalModelError),
    ],
)
async def test_refusals_are_the_houses_errors(response: httpx.Response, kind: type[Exception]) -> None:
    request = parse_chat({"messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(kind) as caught:
        await client(Foreign(lambda _body: response)).chat(request)
    if isinstance(caught.value, LocalModelBusy):
        assert caught.value.retry_after == 7
        assert isinstance(caught.value, LocalModelError)


@pytest.mark.parametrize("problem", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.ReadError("x")])
async def test_a_server_that_cannot_be_reached_is_an_error_in_words(problem: Exception) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise problem

    brain = LocalModelClient("http://127.0.0.1:1", transport=lambda: httpx.MockTransport(fail))
    with pytest.raises(LocalModelError) as caught:
        await brain.classify("x")
    assert "x" not in caught.value.title.split()
    assert (await brain.health())["status"] == "unreachable"


async def test_a_brain_that_is_not_running_says_so() -> None:
    brain = LocalModelClient(lambda: None)
    assert brain.is_loopback
    with pytest.raises(LocalModelError, match="not running"):
        await brain.classify("x")
    with pytest.raises(LocalModelError):
        brain.redact_spans_sync("x")


def mask(text: str) -> str:
    return text.replace("anna@berg.org", "<EMAIL_1>")


async def test_beyond_this_machine_only_redacted_text_leaves() -> None:
    server = Foreign('{"label": "question"}')
    brain = client(server, "https://brain.example.org", redact=mask)
    assert not brain.is_loopback
    assert not brain.sees_raw
    found = await brain.classify("Mail anna@berg.org now")
    assert found.redacted
    talk = [{"role": "user", "content": "I am anna@berg.org"}]
    await brain.rewrite("Mail anna@berg.org", talk)
    await brain.summarize("anna@berg.org wrote.")
    await brain.extract("anna@berg.org", {"mail": "string"})
    await brain.redact_spans("anna@berg.org")
    parts = [{"type": "text", "text": "I am anna@berg.org"}]
    await brain.chat(parse_chat({"messages": [{"role": "user", "content": parts}, *talk]}))
    assert len(server.raw) >= 6
    assert not any(b"anna@berg.org" in raw for raw in server.raw)
    assert all(b"<EMAIL_1>" in raw for raw in server.raw)


@pytest.mark.parametrize("more", [{"url": "http://127.0.0.1:1"}, {"url": "https://b.example", "trusted": True}])
async def test_on_this_machine_or_trusted_it_sees_the_text(more: dict[str, Any]) -> None:
    server = Foreign('{"label": "question"}')
    found = await client(server, redact=mask, **more).classify("Mail anna@berg.org now")
    assert not found.redacted
    assert b"anna@berg.org" in server.raw[0]


async def test_health_of_a_foreign_server_is_its_list_of_models() -> None:
    brain = client(Foreign("x"))
    assert await brain.health() == {"status": "ready", "model": "qwen", "models": ["qwen", "other"], "own": False}
    assert brain.model_id == "qwen"
    assert client(Foreign("x"), model="other").model_id == "other"


def test_labels_and_turns_come_in_two_forms() -> None:
    assert [label.name for label in as_labels(["a", {"label": "b", "description": "x"}])] == ["a", "b"]
    assert [label["label"] for label in default_labels()] == [label.name for label in as_labels(None)]
    with pytest.raises(BadInput):
        as_labels([{"name": "x"}])
    assert [turn.role for turn in as_turns([{"role": "system", "content": "x"}, {"role": "user"}])] == ["user"]
    assert as_turns(None) == []


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://127.9.9.9", True),
        ("https://example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://192.168.1.4:8080", False),
    ],
)
def test_loopback_is_told_by_the_host(url: str, here: bool) -> None:
    assert is_loopback(url) is here
