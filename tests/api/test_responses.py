"""The Responses route with the official `openai` client: whole, streamed, tools there and back, structured output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from lancelot.chat import Chunk
from lancelot.errors import ProviderOverloaded
from tests.api.conftest import Gateway
from tests.fakes import FakeCall, FakeProvider, text_answer, tool_answer

ASKED = "Mail the invoice to billing@example.com please"
TOOL: Any = {
    "type": "function",
    "name": "send_mail",
    "description": "Sends a mail",
    "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
    "strict": True,
}
MODEL = "lancelot-fast"


class Invoice(BaseModel):
    """What a structured answer has to look like."""

    recipient: str
    total: float


def answers(call: FakeCall) -> Any:
    chat = call.chat
    if chat.tools and chat.messages[-1].role == "user":
        return tool_answer("send_mail", {"to": "<EMAIL_1>"})
    if chat.messages[-1].role == "tool":
        return f"The tool said: {chat.messages[-1].content}"
    if chat.response_format:
        return json.dumps({"recipient": "<EMAIL_1>", "total": 12.5})
    if "long" in chat.last_user_text():
        return text_answer("It was cut off", finish_reason="length")
    return "Understood: <EMAIL_1>."


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(answers)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.token, max_retries=0) as made:
        yield made


def test_a_whole_response(client: OpenAI, gateway: Gateway) -> None:
    raw = client.responses.with_raw_response.create(model=MODEL, instructions="Be brief.", input=ASKED)
    answer = raw.parse()
    assert answer.output_text == "Understood: billing@example.com."
    assert (answer.status, answer.object, answer.store) == ("completed", "response", False)
    assert answer.instructions == "Be brief."
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (10, 5, 15)
    assert raw.headers["x-lancelot-redactions"] == "EMAIL=1"
    assert gateway.call("GET", f"/router/receipts/{raw.headers['x-lancelot-receipt']}").status_code == 200
    (call,) = gateway.provider.calls
    assert b"billing@example.com" not in call.sent
    assert (call.chat.messages[0].role, call.chat.messages[0].content) == ("developer", "Be brief.")


def test_a_stream_is_the_same_response(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input=ASKED) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    assert answer.output_text == "Understood: billing@example.com."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 15
    first = ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[:4] == first
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    last = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
    assert kinds[-4:] == [*last, "response.completed"]


def test_events_are_numbered(client: OpenAI) -> None:
    numbers = [event.sequence_number for event in client.responses.create(model=MODEL, input=ASKED, stream=True)]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_there_and_back(client: OpenAI, gateway: Gateway, streamed: bool) -> None:
    asked: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": ASKED}]}]
    if streamed:
        with client.responses.stream(model=MODEL, input=asked, tools=[TOOL]) as stream:
            assert "response.function_call_arguments.done" in [event.type for event in stream]
            answer: Any = stream.get_final_response()
    else:
        answer = client.responses.create(model=MODEL, input=asked, tools=[TOOL])
    (call,) = answer.output
    assert (call.type, call.name, json.loads(call.arguments)) == (
        "function_call",
        "send_mail",
        {"to": "billing@example.com"},
    )
    answered = {"type": "function_call_output", "call_id": call.call_id, "output": "sent to billing@example.com"}
    last = client.responses.create(model=MODEL, input=[*asked, call.to_dict(), answered], tools=[TOOL])
    assert last.output_text == "The tool said: sent to billing@example.com"
    sent = gateway.provider.calls[-1]
    assert [message.role for message in sent.chat.messages] == ["user", "assistant", "tool"]
    assert sent.chat.tools is not None
    assert sent.chat.tools[0]["function"]["strict"] is True
    assert b"billing@example.com" not in sent.sent


def test_an_answer_sent_back_is_a_turn(client: OpenAI, gateway: Gateway) -> None:
    answer = client.responses.create(model=MODEL, input=ASKED)
    history: list[Any] = [{"role": "user", "content": ASKED}, *(item.to_dict() for item in answer.output)]
    client.responses.create(model=MODEL, input=[*history, {"role": "user", "content": "And now?"}])
    assert [m.role for m in gateway.provider.calls[-1].chat.messages] == ["user", "assistant", "user"]


def test_structured_output(client: OpenAI, gateway: Gateway) -> None:
    answer = client.responses.parse(model=MODEL, input=ASKED, text_format=Invoice)
    assert answer.output_parsed == Invoice(recipient="billing@example.com", total=12.5)
    wanted = gateway.provider.calls[0].chat.response_format
    assert wanted is not None
    assert wanted["json_schema"]["schema"]["required"] == ["recipient", "total"]


def test_a_cut_off_answer_is_incomplete(client: OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input="a long story", max_output_tokens=20)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_options_reach_the_one_chat_request(client: OpenAI, gateway: Gateway) -> None:
    client.responses.create(
        model=MODEL,
        input="hello",
        max_output_tokens=64,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "low"},
        text={"verbosity": "low"},
        metadata={"a": "b"},
        user="u",
    )
    chat = gateway.provider.calls[0].chat
    assert (chat.output_limit, chat.temperature, chat.top_p) == (64, 0.5, 0.9)
    assert (chat.reasoning_effort, chat.verbosity, chat.metadata, chat.user) == ("low", "low", {"a": "b"}, "u")


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"previous_response_id": "resp_1"}, "unsupported_parameter", "previous_response_id"),
        ({"store": True}, "unsupported_parameter", "store"),
        ({"background": True}, "unsupported_parameter", "background"),
        ({"conversation": "c"}, "unsupported_parameter", "conversation"),
        ({"include": ["reasoning.encrypted_content"]}, "unsupported_parameter", "include"),
        ({"truncation": "auto"}, "unsupported_parameter", "truncation"),
        ({"top_logprobs": 3}, "unsupported_parameter", "top_logprobs"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools.0.type"),
        ({"reasoning": {"summary": "auto"}}, "unsupported_parameter", "reasoning.summary"),
        ({"text": {"format": {"type": "grammar"}}}, "unsupported_parameter", "text.format.type"),
        ({"tool_choice": {"type": "mcp"}}, "unsupported_parameter", "tool_choice"),
        ({"surprise": 1}, "unsupported_parameter", "surprise"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "unsupported_parameter", "input.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "unsupported_parameter",
            "input.0.content.0.type",
        ),
        ({"input": None}, "bad_input", "input"),
        ({"input": []}, "bad_input", "messages"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "bad_input", "messages.0.role"),
        ({"input": [{"role": "user", "content": [7]}]}, "bad_input", "input.0.content.0"),
        ({"instructions": 7}, "bad_input", "instructions"),
        ({"text": 7}, "bad_input", "text"),
        ({"max_output_tokens": 0}, "bad_input", "max_output_tokens"),
        ({"temperature": 9}, "bad_input", "temperature"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(gateway: Gateway, change: Any, code: str, param: str) -> None:
    response = gateway.call("POST", "/v1/responses", json={"model": MODEL, "input": "hello"} | change)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert not gateway.provider.calls, "nothing was sent"


def test_bodies_that_are_no_objects(gateway: Gateway) -> None:
    assert gateway.call("POST", "/v1/responses", content=b"[]").json()["error"]["code"] == "bad_input"
    assert gateway.call("POST", "/v1/responses", content=b"{").json()["error"]["code"] == "bad_json"
    assert gateway.call("POST", "/v1/responses", json={"input": "x"}, token=None).status_code == 401


class TestAFlagshipThatBreaksOff:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider([Chunk(delta={"role": "assistant"}), "Half a ", ProviderOverloaded()])

    def test_the_stream_ends_as_failed(self, client: OpenAI) -> None:
        events = list(client.responses.create(model=MODEL, input="hello", stream=True))
        assert events[-1].type == "response.failed"
        assert events[-1].response.error is not None
        assert events[-1].response.error.code == "provider_overloaded"


class TestAFlagshipInTrouble:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider(ProviderOverloaded(retry_after=4))

    def test_its_error_is_the_clients_error(self, client: OpenAI) -> None:
        with pytest.raises(openai.APIStatusError) as refused:
            client.responses.create(model=MODEL, input="hello")
        assert refused.value.response.headers["retry-after"] == "4"
