"""The official `openai` client against the gateway: whole and streamed answers, tools, structured output, errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from lancelot.chat import Chunk
from lancelot.errors import ProviderOverloaded, ProviderRateLimited
from tests.api.conftest import Gateway
from tests.fakes import FakeCall, FakeProvider, text_answer, tool_answer

ASKED = "Mail the invoice to billing@example.com please"
ORIGINAL = b"billing@example.com"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "send_mail",
        "description": "Sends a mail",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
    },
}


class Invoice(BaseModel):
    """What a structured answer has to look like."""

    recipient: str
    total: float


def user(text: str = ASKED) -> Any:
    return {"role": "user", "content": text}


def answers(call: FakeCall) -> Any:
    """A flagship that knows a few things to do: it calls the tool it is offered, fills the schema it is given."""
    chat = call.chat
    text = chat.last_user_text()
    if chat.tools and chat.messages[-1].role == "user":
        return tool_answer("send_mail", {"to": "<EMAIL_1>"})
    if chat.messages[-1].role == "tool":
        return f"The tool said: {chat.messages[-1].content}"
    if chat.response_format:
        return json.dumps({"recipient": "<EMAIL_1>", "total": 12.5})
    if "long" in text:
        return text_answer("It was cut off", finish_reason="length")
    return "Understood: <EMAIL_1>."


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(answers)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.token, max_retries=0) as made:
        yield made


def sent(gateway: Gateway) -> bytes:
    return b"".join(call.sent for call in gateway.provider.calls)


def test_a_whole_answer(client: OpenAI, gateway: Gateway) -> None:
    answer = client.chat.completions.create(model="lancelot-fast", messages=[user()])
    assert answer.choices[0].message.content == "Understood: billing@example.com."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens == 15
    assert ORIGINAL not in sent(gateway)


def test_the_receipt_is_in_the_headers(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="lancelot-fast", messages=[user()])
    assert raw.headers["x-lancelot-redactions"] == "EMAIL=1"
    assert raw.headers["x-lancelot-lane"] == "fast"
    assert raw.headers["x-lancelot-receipt"]
    assert raw.parse().choices[0].message.content == "Understood: billing@example.com."


def test_a_stream_with_usage(client: OpenAI, gateway: Gateway) -> None:
    text, finish, usage, roles = "", [], [], []
    stream = client.chat.completions.create(
        model="lancelot-fast", messages=[user()], stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish += [choice.finish_reason] if choice.finish_reason else []
            roles += [choice.delta.role] if choice.delta.role else []
        if chunk.usage:
            usage.append(chunk.usage.total_tokens)
    assert text == "Understood: billing@example.com."
    assert (finish, usage, roles) == (["stop"], [15], ["assistant"])
    assert ORIGINAL not in sent(gateway)


def test_a_stream_without_usage_gives_none(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="lancelot-fast", messages=[user()], stream=True)
    assert [chunk.usage for chunk in stream if chunk.usage] == []


def test_the_streaming_helper(client: OpenAI) -> None:
    with client.chat.completions.stream(model="lancelot-fast", messages=[user()]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert kinds[-1] == "content.done"
    assert final.choices[0].message.content == "Understood: billing@example.com."


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_there_and_back(client: OpenAI, gateway: Gateway, streamed: bool) -> None:
    messages: list[Any] = [user()]
    if streamed:
        with client.chat.completions.stream(model="lancelot-fast", messages=messages, tools=[WEATHER]) as stream:
            first = stream.get_final_completion()
    else:
        first = client.chat.completions.create(model="lancelot-fast", messages=messages, tools=[WEATHER])  # type: ignore[assignment]
    assert first.choices[0].finish_reason == "tool_calls"
    (call,) = first.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "send_mail"
    assert json.loads(call.function.arguments) == {"to": "billing@example.com"}, "the client's tool gets the original"
    messages += [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": '{"sent_to": "billing@example.com"}'},
    ]
    second = client.chat.completions.create(model="lancelot-fast", messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == 'The tool said: {"sent_to": "billing@example.com"}'
    assert ORIGINAL not in sent(gateway)
    assert b"EMAIL_1" in sent(gateway), "the same search finds what did leave"


def test_a_message_can_be_sent_back_as_it_came(client: OpenAI) -> None:
    """Agents append the client's own message object."""
    first = client.chat.completions.create(model="lancelot-fast", messages=[user()], tools=[WEATHER])
    message = first.choices[0].message
    assert message.tool_calls
    tool_result: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sent"}
    second = client.chat.completions.create(model="lancelot-fast", messages=[user(), message, tool_result])  # type: ignore[list-item]
    assert second.choices[0].message.content == "The tool said: sent"


@pytest.mark.parametrize(
    "choice", ["auto", "none", "required", {"type": "function", "function": {"name": "send_mail"}}]
)
def test_every_tool_choice_is_carried(client: OpenAI, gateway: Gateway, choice: Any) -> None:
    client.chat.completions.create(
        model="lancelot-fast", messages=[user()], tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False
    )
    assert gateway.provider.calls[0].chat.tool_choice == choice
    assert gateway.provider.calls[0].chat.parallel_tool_calls is False


def test_structured_output(client: OpenAI, gateway: Gateway) -> None:
    answer = client.chat.completions.parse(model="lancelot-fast", messages=[user()], response_format=Invoice)
    assert answer.choices[0].message.parsed == Invoice(recipient="billing@example.com", total=12.5)
    wanted = gateway.provider.calls[0].chat.response_format
    assert wanted is not None
    assert wanted["json_schema"]["name"] == "Invoice"
    assert set(wanted["json_schema"]["schema"]["properties"]) == {"recipient", "total"}


def test_structured_output_streamed(client: OpenAI) -> None:
    with client.chat.completions.stream(model="lancelot-fast", messages=[user()], response_format=Invoice) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Invoice(recipient="billing@example.com", total=12.5)


def test_json_mode(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="lancelot-fast", messages=[user()], response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {"recipient": "billing@example.com", "total": 12.5}


def test_content_in_parts_and_a_developer_message(client: OpenAI, gateway: Gateway) -> None:
    parts: Any = [{"type": "text", "text": "Mail it to"}, {"type": "text", "text": "billing@example.com"}]
    developer: Any = {"role": "developer", "content": "Be brief."}
    answer = client.chat.completions.create(
        model="lancelot-fast", messages=[developer, {"role": "user", "content": parts, "name": "ann"}]
    )
    assert answer.choices[0].message.content == "Understood: billing@example.com."
    assert ORIGINAL not in sent(gateway)


def test_every_supported_parameter_reaches_the_flagship(client: OpenAI, gateway: Gateway) -> None:
    given: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "max_completion_tokens": 50,
        "stop": ["END", "STOP"],
        "seed": 7,
        "user": "customer-17",
        "metadata": {"run": "nightly"},
        "reasoning_effort": "low",
        "prompt_cache_key": "k1",
        "safety_identifier": "s1",
        "service_tier": "auto",
        "verbosity": "low",
        "n": 1,
    }
    client.chat.completions.create(model="lancelot-fast", messages=[user("hello")], **given)
    arrived = gateway.provider.calls[0].chat
    assert {name: getattr(arrived, name) for name in given if name != "n"} == {
        n: v for n, v in given.items() if n != "n"
    }


def test_max_tokens_by_its_old_name(client: OpenAI, gateway: Gateway) -> None:
    client.chat.completions.create(model="lancelot-fast", messages=[user("hello")], max_tokens=9)
    assert gateway.provider.calls[0].chat.output_limit == 9


def test_a_cut_off_answer_says_so(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="lancelot-fast", messages=[user("something long")])
    assert answer.choices[0].finish_reason == "length"


def test_models(client: OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed == ["lancelot", "lancelot-local", "lancelot-fast", "lancelot-deep"]


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "model_not_found"),
        ({"n": 2}, openai.BadRequestError, "unsupported_parameter"),
        ({"logprobs": True}, openai.BadRequestError, "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, openai.BadRequestError, "unsupported_parameter"),
        ({"extra_body": {"surprise": 1}}, openai.BadRequestError, "unsupported_parameter"),
        ({"temperature": 3}, openai.BadRequestError, "bad_input"),
        ({"messages": []}, openai.BadRequestError, "bad_input"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, openai.BadRequestError, "bad_input"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
                    }
                ]
            },
            openai.BadRequestError,
            "file_blocked",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_cannot_be_done_is_refused_in_words(
    client: OpenAI,
    gateway: Gateway,
    change: dict[str, Any],
    error: type[openai.APIStatusError],
    code: str,
    streamed: bool,
) -> None:
    given: dict[str, Any] = {"model": "lancelot-fast", "messages": [user("hello")], "stream": streamed} | change
    with pytest.raises(error) as refused:
        client.chat.completions.create(**given)
    assert refused.value.code == code
    assert refused.value.message
    assert not gateway.provider.calls, "nothing was sent"


def test_a_wrong_token(gateway: Gateway) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model="lancelot", messages=[user()])


class TestAFlagshipInTrouble:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider(ProviderRateLimited(retry_after=3))

    @pytest.mark.parametrize("streamed", [False, True])
    def test_its_rate_limit_is_the_clients_rate_limit_error(self, client: OpenAI, streamed: bool) -> None:
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="lancelot-fast", messages=[user("hello")], stream=streamed)
        assert refused.value.response.headers["retry-after"] == "3"


class TestAFlagshipThatBreaksOff:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider([Chunk(delta={"role": "assistant"}), "Half a ", ProviderOverloaded()])

    def test_the_client_learns_of_it(self, client: OpenAI) -> None:
        said = ""
        stream = client.chat.completions.create(model="lancelot-fast", messages=[user("hello")], stream=True)
        with pytest.raises(openai.APIError):  # noqa: PT012 - the pieces before it count too
            for chunk in stream:
                said += chunk.choices[0].delta.content or ""
        assert said == "Half a "


class TestAnEndlessAnswer:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider([f"word{number} " for number in range(20_000)])

    def test_closing_the_stream_stops_the_flagship(
        self, client: OpenAI, gateway: Gateway, until: Callable[..., Any]
    ) -> None:
        stream = client.chat.completions.create(model="lancelot-fast", messages=[user("hello")], stream=True)
        for number, _ in enumerate(stream):
            if number > 3:
                break
        stream.close()
        until(lambda: gateway.provider.streams_closed == 1)
        until(lambda: "cancelled" in {r["status"] for r in gateway.call("GET", "/router/receipts").json()["receipts"]})


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for something that happens on the server's side, at most ten seconds."""

    def wait(happened: Callable[[], bool]) -> None:
        async def poll() -> None:
            async with asyncio.timeout(10):
                while not await asyncio.to_thread(happened):
                    await asyncio.sleep(0.02)

        asyncio.run(poll())

    return wait


@pytest.mark.anyio
async def test_the_async_client_whole_streamed_and_many_at_once(gateway: Gateway) -> None:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.token, max_retries=0) as client:

        async def ask(number: int) -> str:
            answer = await client.chat.completions.create(
                model="lancelot-fast", messages=[user(f"Mail p{number}@example.com")]
            )
            return answer.choices[0].message.content or ""

        said = await asyncio.gather(*(ask(number) for number in range(24)))
        assert said == [f"Understood: p{number}@example.com." for number in range(24)]
        stream = await client.chat.completions.create(model="lancelot-fast", messages=[user()], stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert "".join(pieces) == "Understood: billing@example.com."
    assert b"@example.com" not in sent(gateway)


@pytest.mark.anyio
async def test_a_conversation_keeps_its_placeholders(gateway: Gateway) -> None:
    headers = {"x-lancelot-conversation": "c-1"}
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.token, max_retries=0) as client:
        for text in ("Mail a@example.com", "Mail b@example.com, not a@example.com"):
            await client.chat.completions.create(model="lancelot-fast", messages=[user(text)], extra_headers=headers)
    assert [call.chat.last_user_text() for call in gateway.provider.calls] == [
        "Mail <EMAIL_1>",
        "Mail <EMAIL_2>, not <EMAIL_1>",
    ]
