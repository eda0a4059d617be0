"""The walk over a request: every field is searched, structure stays, placeholders are legal where they stand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lancelot.chat import ChatRequest
from lancelot.errors import BadInput, LancelotError
from lancelot.redaction.fields import Kind, walk
from tests.redaction.samples import redactor

LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "email": {"type": "string", "format": "email", "description": "for example billing@example.com"},
        "name": {"type": ["string", "null"], "enum": ["Alice Youngblood", "nobody"]},
        "when": {"$ref": "#/$defs/when"},
    },
    "$defs": {"when": {"type": "string", "default": "now", "examples": ["billing@example.com"]}},
    "required": ["email", "name"],
    "additionalProperties": False,
}


def request(**fields: Any) -> ChatRequest:
    fields.setdefault("messages", [{"role": "user", "content": "hello"}])
    return ChatRequest.model_validate(fields)


def tool(parameters: dict[str, Any], name: str = "get_weather") -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": "d", "parameters": parameters, "strict": True},
    }


def test_benign_structure_is_not_touched() -> None:
    """Tool names, schema keywords, property names, ids, options: even when the tagger would call them names."""
    structural = (
        "get_weather",
        "get",
        "weather",
        "email",
        "name",
        "string",
        "object",
        "type",
        "call_1",
        "auto",
        "when",
    )
    made = redactor(names=structural)
    given = request(
        messages=[
            {"role": "user", "content": "hello"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"when": 1}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '{"name": 3}'},
        ],
        tools=[tool({"type": "object", "properties": {"when": {"type": "string"}}, "required": ["when"]})],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        response_format={"type": "json_schema", "json_schema": {"name": "get_weather", "schema": {"type": "object"}}},
        reasoning_effort="low",
        metadata={"name": "x"},
        stream_options={"include_usage": True},
    )
    assert made.redact_request(given, policy="strict").chat == given


def test_a_schema_keeps_its_form_and_loses_its_data() -> None:
    redacted = redactor().redact_request(request(tools=[tool(SCHEMA)]), policy="strict")
    assert redacted.chat.tools is not None
    schema = redacted.chat.tools[0]["function"]["parameters"]
    assert schema["properties"]["email"] == {
        "type": "string",
        "format": "email",
        "description": "for example <EMAIL_1>",
    }
    assert schema["properties"]["when"] == {"$ref": "#/$defs/when"}
    assert schema["$defs"]["when"]["examples"] == ["<EMAIL_1>"]
    assert {key: schema[key] for key in ("$schema", "type", "required", "additionalProperties")} == {
        key: SCHEMA[key] for key in ("$schema", "type", "required", "additionalProperties")
    }


def test_personal_data_in_names_and_keys_gets_a_legal_placeholder_everywhere_alike() -> None:
    name = "mail_4111111111111111"
    arguments = json.dumps({"billing@example.com": 1})
    redacted = redactor().redact_request(
        request(
            messages=[
                {"role": "user", "content": "card 4111111111111111", "name": name},
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": "billing@example.com"},
            ],
            tools=[
                tool(
                    {"type": "object", "properties": {"billing@example.com": {}}, "required": ["billing@example.com"]},
                    name,
                )
            ],
            tool_choice={"type": "function", "function": {"name": name}},
            metadata={"billing@example.com": "billing@example.com"},
        )
    )
    chat = redacted.chat.model_dump()
    shown = chat["messages"][0]["name"]
    assert LEGAL_NAME.fullmatch(shown)
    assert "4111" not in shown
    call, function = chat["messages"][1]["tool_calls"][0]["function"], chat["tools"][0]["function"]
    assert shown == call["name"] == function["name"] == chat["tool_choice"]["function"]["name"]
    (key,) = json.loads(call["arguments"])
    assert LEGAL_NAME.fullmatch(key)
    assert [key] == list(function["parameters"]["properties"]) == function["parameters"]["required"]
    assert chat["metadata"] == {key: "<EMAIL_1>"}
    assert redacted.vault.restore(key) == "billing@example.com"
    assert redacted.vault.restore(shown) == name


def test_arguments_are_searched_as_json_and_stay_json() -> None:
    arguments = (
        '{"to" : "billing@example.com", "card": 4111111111111111, "list": [ "a\\"b billing@example.com" ], "n": 12}'
    )
    redacted = redactor().redact_request(
        request(
            messages=[
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}],
                }
            ]
        )
    )
    calls = redacted.chat.messages[0].tool_calls
    assert calls is not None
    shown = calls[0]["function"]["arguments"]
    assert json.loads(shown) == {"to": "<EMAIL_1>", "card": "<CARD_1>", "list": ['a"b <EMAIL_1>'], "n": 12}
    assert redacted.vault.restore(shown, in_json=True) == arguments, "layout and numbers come back too"


@pytest.mark.parametrize(
    "arguments", ["{broken billing@example.com", "billing@example.com", '"billing@example.com"', ""]
)
def test_arguments_that_are_no_json_are_searched_as_text(arguments: str) -> None:
    message = {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}],
    }
    redacted = redactor().redact_request(request(messages=[message]))
    calls = redacted.chat.messages[0].tool_calls
    assert calls is not None
    assert calls[0]["function"]["arguments"] == arguments.replace("billing@example.com", "<EMAIL_1>")


def test_a_key_is_the_cue_for_its_value() -> None:
    content = json.dumps({"patient": {"dateOfBirth": "1990-02-03", "mrn": "12345678"}, "version": "12345678x"})
    redacted = redactor().redact_request(request(messages=[{"role": "tool", "tool_call_id": "c", "content": content}]))
    shown = json.loads(str(redacted.chat.messages[0].content))
    assert shown["patient"] == {"dateOfBirth": "<DATE_OF_BIRTH_1>", "mrn": "<ID_1>"}


def test_what_one_field_gives_away_is_hidden_in_all_others() -> None:
    """The tagger sees the name in the sentence only."""
    made = redactor(names=("Tanisha Brightwater",))
    given = request(
        messages=[
            {"role": "user", "content": "I am Tanisha Brightwater."},
            {"role": "assistant", "content": "/home/TANISHA_BRIGHTWATER? no: tanisha brightwater!"},
            {"role": "tool", "tool_call_id": "c", "content": '{"url": "https://x.example/?n=Tanisha%20Brightwater"}'},
        ],
        stop=["Tanisha Brightwater"],
        prompt_cache_key="k Tanisha Brightwater",
        metadata={"tanisha brightwater": "x"},
    )
    redacted = made.redact_request(given)
    assert "brightwater" not in redacted.chat.model_dump_json().lower().replace("tanisha_brightwater", "")
    assert redacted.chat.stop == ["<PERSON_1>"]


def test_json_and_html_escaped_repeats_are_found() -> None:
    made = redactor(names=("Zoë O'Hara",))
    inner = json.dumps({"who": "Zoë O'Hara"})
    given = request(
        messages=[
            {"role": "user", "content": "I am Zoë O'Hara."},
            {"role": "user", "content": f"{inner} Zoë O&#x27;Hara"},
        ]
    )
    shown = str(made.redact_request(given).chat.messages[1].content)
    assert "Hara" not in shown
    assert made.redact_request(given).vault.restore(shown) == f"{inner} Zoë O&#x27;Hara"


def test_a_footnote_sign_does_not_hide_a_repeat() -> None:
    made = redactor(names=("Tanisha",))
    many = " ".join(f"p{number}@example.com" for number in range(50))
    for more in ("", many):
        given = request(
            messages=[{"role": "user", "content": f"Tanisha. {more}"}, {"role": "user", "content": "tanisha² é"}]
        )
        assert made.redact_request(given).chat.messages[1].content == "<PERSON_2>² é"


def test_everyday_words_are_not_hidden_because_somebody_bears_them() -> None:
    made = redactor(names=("Will", "May"))
    given = request(messages=[{"role": "user", "content": "Will and May will come; they may be late. WILL!"}])
    assert (
        made.redact_request(given).chat.text() == "<PERSON_1> and <PERSON_2> will come; they may be late. <PERSON_3>!"
    )


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {
            "type": "file",
            "file": {"filename": "cv of Alice Youngblood.pdf", "file_data": "data:application/pdf;base64,AA"},
        },
        {"type": "something_new", "x": "y"},
        {},
    ],
)
def test_parts_that_cannot_be_searched_are_refused(part: dict[str, Any]) -> None:
    given = request(messages=[{"role": "user", "content": [{"type": "text", "text": "look"}, part]}])
    with pytest.raises(BadInput) as refused:
        redactor().redact_request(given)
    assert refused.value.code == "file_blocked"
    assert "files: pass" in refused.value.hint


def test_names_and_addresses_of_parts_that_pass_are_searched() -> None:
    parts = [
        {
            "type": "file",
            "file": {"filename": "billing@example.com.pdf", "file_data": "data:application/pdf;base64,QUJD"},
        },
        {
            "type": "image_url",
            "image_url": {"url": "https://h.example/i.png?user=billing@example.com", "detail": "low"},
        },
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    shown = walk(
        request(messages=[{"role": "user", "content": parts}]),
        lambda kind, value, context: value.replace("billing@example.com", f"<{kind}>"),
        files="pass",
    )
    content = shown.messages[0].content
    assert isinstance(content, list)
    assert content[0]["file"] == {"filename": "<plain>.pdf", "file_data": "data:application/pdf;base64,QUJD"}
    assert content[1]["image_url"] == {"url": "https://h.example/i.png?user=<plain>", "detail": "low"}
    assert content[2] == parts[2]


def test_no_string_escapes_the_walk() -> None:
    """A request with a marker in every string it can hold, keys and unknown fields included."""
    marker = iter(f"mark{number}er" for number in range(10_000))
    unknown = {next(marker): {next(marker): [next(marker), {next(marker): next(marker)}]}}
    call = {
        "id": next(marker),
        "type": "function",
        "function": {"name": next(marker), "arguments": json.dumps(unknown)},
    }
    schema = {
        next(marker): next(marker),
        "properties": {
            next(marker): {"description": next(marker), "enum": [next(marker)], "const": {next(marker): next(marker)}}
        },
        "required": [next(marker)],
        "dependentRequired": {next(marker): [next(marker)]},
        "$ref": f"#/$defs/{next(marker)}",
        "anyOf": [{"title": next(marker), "pattern": next(marker), "default": next(marker)}],
        "type": f"{next(marker)}!",
        "format": f"{next(marker)}!",
    }
    given = request(
        model=next(marker),
        messages=[
            {"role": "system", "content": next(marker), "name": next(marker), "refusal": next(marker)},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": next(marker), next(marker): next(marker), "cache_control": unknown},
                    {"type": "refusal", "refusal": next(marker)},
                ],
            },
            {
                "role": "assistant",
                "reasoning_content": next(marker),
                "annotations": [unknown],
                "tool_calls": [
                    call,
                    {"id": "x", "type": "custom", "custom": {"name": next(marker), "input": next(marker)}},
                    unknown,
                ],
            },
            {"role": "tool", "tool_call_id": next(marker), "content": json.dumps(unknown)},
            {"role": "tool", "tool_call_id": "x", "content": [{"type": "text", "text": json.dumps(unknown)}]},
        ],
        tools=[
            {
                "type": f"{next(marker)}!",
                "function": {"name": next(marker), "description": next(marker), "parameters": schema},
            },
            unknown,
        ],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"tools": [{"function": {"name": next(marker)}}], next(marker): "x"},
        },
        response_format={
            "type": "json_schema",
            "json_schema": {"name": next(marker), "description": next(marker), "schema": schema},
        },
        stop=[next(marker)],
        user=next(marker),
        safety_identifier=next(marker),
        prompt_cache_key=next(marker),
        metadata={next(marker): next(marker)},
        reasoning_effort=next(marker),
        verbosity=next(marker),
        service_tier=next(marker),
        stream_options={next(marker): next(marker)},
    )
    seen: list[str] = []

    def blank(kind: Kind, value: str, context: str) -> str:
        seen.append(value)
        return f"seen{len(seen)}"

    assert "mark" in given.model_dump_json(), "the positive control"
    assert "mark" not in walk(given, blank).model_dump_json()
    assert given == ChatRequest.model_validate(given.model_dump()), "the given request is not changed"


def test_a_request_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"items": deep}
    with pytest.raises(BadInput) as refused:
        redactor().redact_request(request(tools=[tool(deep)]))
    assert refused.value.code == "too_deep"


def test_json_nested_past_reason_is_searched_as_text() -> None:
    content = "[" * 5000 + '"billing@example.com"' + "]" * 5000
    redacted = redactor().redact_request(request(messages=[{"role": "tool", "tool_call_id": "c", "content": content}]))
    assert "billing" not in redacted.chat.text()


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [{"type": ["odd"], "text": "billing@example.com"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": {"odd": "billing@example.com"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": "billing@example.com", "id": 4}]}]},
        {"tools": [{"type": {"odd": 1}, "function": ["billing@example.com", None, 1.5]}]},
        {"tool_choice": {"function": {"name": ["billing@example.com"]}}},
        {"response_format": {"json_schema": "billing@example.com"}},
    ],
)
def test_odd_shapes_are_searched_or_refused_but_never_let_through(fields: dict[str, Any]) -> None:
    try:
        left = redactor().redact_request(request(**fields)).chat.model_dump_json()
    except LancelotError as refused:
        left = str(refused)
    assert "billing" not in left


def test_an_end_users_id_stays_unless_it_says_who_it_is() -> None:
    """Providers tell end users apart by it; one placeholder for all would make them one."""
    made = redactor(names=("Priya",))
    for opaque in ("customer-17", "s1", "u_8f3a9c", "org:42/user:7"):
        shown = made.redact_request(request(user=opaque, safety_identifier=opaque), policy="strict").chat
        assert (shown.user, shown.safety_identifier) == (opaque, opaque)
    for telling in ("Priya", "billing@example.com", "4111111111111111", "536-22-8726", "@priya_w"):
        shown = made.redact_request(request(user=telling, safety_identifier=telling)).chat
        assert telling not in shown.model_dump_json()
