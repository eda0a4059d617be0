"""What each provider is sent: refused parameters never, limits where required, parts carried or refused by name."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import anthropic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lancelot.chat import ChatRequest
from lancelot.config import ModelEntry, load_config
from lancelot.errors import BadInput, UnsupportedParameter
from lancelot.providers.anthropic_body import anthropic_body
from lancelot.providers.carried import Carried
from lancelot.providers.gemini_body import gemini_body
from lancelot.providers.openai_body import openai_body
from lancelot.providers.profiles import profile
from lancelot.settings import project_dir

CONFIG = load_config(project_dir() / "config")
MODELS = CONFIG.models.models
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
FORCED = {"type": "function", "function": {"name": "look"}}
ASK = {"role": "user", "content": "Hello"}


def chat(**fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"messages": [ASK]} | fields)


def body_for(model: str, entry: ModelEntry | None = None, **fields: Any) -> dict[str, Any]:
    takes = entry or MODELS[model]
    if takes.provider == "openai":
        return openai_body(chat(**fields), model, takes, Carried())
    if takes.provider == "anthropic":
        return anthropic_body(chat(**fields), model, takes)
    return gemini_body(chat(**fields), takes, Carried())


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for entry in value.values() for key in keys(entry)}
    if isinstance(value, list):
        return {key for entry in value for key in keys(entry)}
    return set()


SAMPLING = {"temperature", "top_p", "topP", "top_k", "topK", "presencePenalty", "frequencyPenalty"}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_no_model_is_sent_what_it_refuses(model: str) -> None:
    takes = MODELS[model]
    ended = [ASK, {"role": "assistant", "content": "Once upon"}]
    sampling = {"temperature": 0.2, "top_p": 0.9, "presence_penalty": 0.5, "frequency_penalty": 0.5}
    body = body_for(model, messages=ended, tools=[TOOL], tool_choice=FORCED, reasoning_effort="none", **sampling)
    if not takes.sampling_params:
        assert not keys(body) & SAMPLING
    if not takes.prefill:
        turns = body.get("messages") or body.get("contents") or []
        assert turns[-1]["role"] == "user"
    if not takes.forced_tool_use:
        assert "tool_choice" not in body
        assert "look" in str(body["system"])
    if takes.thinking_always_on:
        assert "thinking" not in body
        assert body["output_config"]["effort"] == "low"


def test_a_model_that_takes_them_gets_sampling_parameters() -> None:
    body = body_for("gemini-3.5-flash", temperature=0.2, top_p=0.9)
    assert body["generationConfig"] == {"temperature": 0.2, "topP": 0.9}
    open_model = ModelEntry(provider="openai")
    assert body_for("x", open_model, temperature=0.2)["temperature"] == 0.2


@pytest.mark.parametrize("model", sorted(name for name in MODELS if MODELS[name].provider == "anthropic"))
def test_a_limit_is_sent_where_one_is_required(model: str) -> None:
    assert body_for(model)["max_tokens"] == 16_384
    assert body_for(model, max_tokens=77)["max_tokens"] == 77
    assert body_for(model, max_completion_tokens=9_999_999)["max_tokens"] == MODELS[model].max_output_tokens


def test_nothing_is_stored_at_openai_and_its_least_limit_is_kept() -> None:
    body = body_for("gpt-6-luna", max_tokens=1)
    assert (body["store"], body["max_output_tokens"]) == (False, 16)
    assert "max_output_tokens" not in body_for("gpt-6-luna")


def test_what_openai_takes_it_gets() -> None:
    said = {
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "service_tier": "flex",
    }
    body = body_for("gpt-6-luna", parallel_tool_calls=False, verbosity="low", reasoning_effort="high", **said)
    assert {name: body[name] for name in said} == said
    assert (body["text"], body["reasoning"]) == ({"verbosity": "low"}, {"effort": "high"})
    assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("choice", "openai", "anthropic", "gemini"),
    [
        ("auto", "auto", {"type": "auto"}, {"mode": "AUTO"}),
        ("none", "none", {"type": "none"}, {"mode": "NONE"}),
        ("required", "required", {"type": "any"}, {"mode": "ANY"}),
        (
            FORCED,
            {"type": "function", "name": "look"},
            {"type": "tool", "name": "look"},
            {"mode": "ANY", "allowedFunctionNames": ["look"]},
        ),
    ],
)
def test_tool_choice(choice: Any, openai: Any, anthropic: Any, gemini: Any) -> None:
    asked = {"tools": [TOOL], "tool_choice": choice}
    assert body_for("gpt-6-luna", **asked)["tool_choice"] == openai
    assert body_for("claude-haiku-5-5", **asked)["tool_choice"] == anthropic
    assert body_for("gemini-3.5-flash", **asked)["toolConfig"]["functionCallingConfig"] == gemini


def test_one_tool_call_at_a_time() -> None:
    body = body_for("claude-haiku-5-5", tools=[TOOL], parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
PARTS = [
    {"type": "text", "text": "Look"},
    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
]


def test_parts() -> None:
    messages = [{"role": "user", "content": PARTS}]
    assert body_for("gpt-6-luna", messages=messages)["input"][0]["content"] == [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": PNG, "detail": "low"},
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
    ]
    assert body_for("claude-haiku-5-5", messages=messages)["messages"][0]["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
    ]
    assert body_for("gemini-3.5-flash", messages=messages)["contents"][0]["parts"] == [
        {"text": "Look"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
    ]


@pytest.mark.parametrize("part", [{"type": "video"}, {"type": "file", "file": {"file_id": "f"}}, {"type": "image_url"}])
@pytest.mark.parametrize("model", ["gpt-6-luna", "claude-haiku-5-5", "gemini-3.5-flash"])
def test_a_part_that_cannot_be_carried_is_refused_by_name(model: str, part: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        body_for(model, messages=[{"role": "user", "content": [part]}])
    assert str(caught.value.extra["param"]).startswith("messages.content")


def test_a_tool_that_is_no_function_is_refused() -> None:
    with pytest.raises(UnsupportedParameter):
        body_for("gpt-6-luna", tools=[{"type": "web_search"}])


def test_arguments_that_are_no_json_still_travel() -> None:
    call = {"id": "c:1", "type": "function", "function": {"name": "look", "arguments": "{oops"}}
    messages = [
        ASK,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c:1", "content": "x"},
    ]
    used = body_for("claude-haiku-5-5", messages=messages)["messages"]
    assert used[1]["content"][0] == {"type": "tool_use", "id": "c_1", "name": "look", "input": {"arguments": "{oops"}}
    assert used[2]["content"][0]["tool_use_id"] == "c_1"
    called = body_for("gemini-3.5-flash", messages=messages)["contents"]
    assert called[1]["parts"][0]["functionCall"]["args"] == {"arguments": "{oops"}


def test_json_mode_without_a_schema() -> None:
    asked = {"response_format": {"type": "json_object"}}
    assert body_for("gpt-6-luna", **asked)["text"] == {"format": {"type": "json_object"}}
    assert "JSON object" in body_for("claude-haiku-5-5", **asked)["system"][0]["text"]
    assert body_for("gemini-3.5-flash", **asked)["generationConfig"] == {"responseMimeType": "application/json"}


def test_system_words_keep_their_weight() -> None:
    messages = [{"role": "developer", "content": "A"}, ASK, {"role": "system", "content": "B"}]
    assert [item["role"] for item in body_for("gpt-6-luna", messages=messages)["input"]] == [
        "developer",
        "user",
        "system",
    ]
    assert [part["text"] for part in body_for("claude-haiku-5-5", messages=messages)["system"]] == ["A", "B"]
    system = body_for("gemini-3.5-flash", messages=messages)["systemInstruction"]
    assert [part["text"] for part in system["parts"]] == ["A", "B"]


COLOURS: dict[str, Any] = {
    "temperature": 0.2, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": 0.1, "seed": 7, "user": "u",
    "safety_identifier": "s", "prompt_cache_key": "k", "metadata": {"a": "b"}, "reasoning_effort": "low",
    "verbosity": "low", "service_tier": "flex", "parallel_tool_calls": False, "stop": "x", "max_tokens": 50,
}  # fmt: skip


KINDS = ["gpt-6-luna", "claude-haiku-5-5", "claude-opus-5-5", "gemini-3.5-flash-lite", "gemini-3.5-flash"]


@pytest.mark.parametrize("field", sorted(COLOURS))
@pytest.mark.parametrize("model", KINDS)
def test_what_is_left_out_is_said_and_nothing_else_is(model: str, field: str) -> None:
    told = profile(CONFIG, MODELS[model].provider).left_out(chat(**{field: COLOURS[field]}), model)
    changes = body_for(model, tools=[TOOL], **{field: COLOURS[field]}) != body_for(model, tools=[TOOL])
    if field == "stop" and MODELS[model].provider == "openai":
        changes = True  # cut on our side
    assert told == ([] if changes else [field])


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "maximum": 150, "description": "In years"},
        "name": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
        "mail": {"type": "string", "format": "email"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 1, "maxItems": 5},
        "kind": {"enum": ["a", "b"]},
        "where": {"$ref": "#/$defs/place"},
        "either": {"oneOf": [{"type": "string"}, {"type": "null"}]},
        "inner": {"type": "object", "properties": {"x": {"type": "number", "multipleOf": 2}}, "required": ["x"]},
    },
    "required": ["age", "name"],
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": True}},
}


def without_words(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: without_words(value) for key, value in schema.items() if key != "description"}
    return [without_words(entry) for entry in schema] if isinstance(schema, list) else schema


def test_claudes_schema_is_cut_as_its_own_client_cuts_it() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    sent = body_for("claude-haiku-5-5", response_format=wanted)["output_config"]["format"]["schema"]
    assert without_words(sent) == without_words(anthropic.transform_schema(SCHEMA))
    assert sent["properties"]["age"]["description"] == "In years\n\n{minimum: 0, maximum: 150}"


NAMES = st.sampled_from(
    ["type", "text", "function", "name", "arguments", "id", "image_url", "url", "file", "file_data", "json_schema",
     "schema", "parameters", "properties", "anyOf", "refusal", "x"]
) | st.text(max_size=3)  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(NAMES, JUNK, max_size=4)


PART = OBJECT | st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "file", "input_audio"])})
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "tool", "system", "function"]),
        "content": st.lists(PART, max_size=2) | st.none() | st.text(max_size=3),
    },
    optional={
        "tool_calls": st.lists(OBJECT, max_size=2),
        "tool_call_id": st.text(min_size=1, max_size=3),
    },
)


@given(
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGE, min_size=1, max_size=3)},
        optional={
            "tools": st.lists(OBJECT | st.just(TOOL), max_size=2),
            "tool_choice": OBJECT | st.text(max_size=4) | st.just(FORCED),
            "response_format": OBJECT,
            "reasoning_effort": st.text(max_size=4),
        },
    )
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_odd_shapes_are_refused_in_words_or_carried_but_never_break(fields: dict[str, Any]) -> None:
    try:
        chat(**fields)
    except ValidationError:
        return
    for model in KINDS:
        with contextlib.suppress(BadInput):
            json.dumps(body_for(model, **fields))


IMAGE = {"type": "image_url", "image_url": {"url": "data:IMAGE/PNG;base64,iVBORw0KGgo="}}
CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CLAUDE, GEMINI = "claude-haiku-5-5", "gemini-3.5-flash-lite"


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
@pytest.mark.parametrize("content", ["", " \n ", []])
def test_a_conversation_without_a_word_is_refused_before_it_is_sent(model: str, content: Any) -> None:
    with pytest.raises(BadInput, match="nothing to answer"):
        body_for(model, messages=[{"role": "user", "content": content}])


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
def test_instructions_alone_are_asked_as_a_question(model: str) -> None:
    body = body_for(model, messages=[{"role": "system", "content": "Name a fruit."}])
    turn = (body.get("messages") or body.get("contents"))[0]
    assert turn["role"] == "user"
    assert "Name a fruit." in json.dumps(turn)
    assert "system" not in body
    assert "systemInstruction" not in body


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
def test_white_space_alone_is_no_part_of_a_conversation(model: str) -> None:
    talk = [
        ASK,
        {"role": "assistant", "content": " "},
        {"role": "user", "content": [{"type": "text", "text": "\n"}, IMAGE]},
    ]
    assert "\\n" not in json.dumps(body_for(model, messages=talk))


@pytest.mark.parametrize("model", ["gpt-6-luna", CLAUDE, GEMINI])
def test_an_earlier_refusal_is_remembered(model: str) -> None:
    talk = [ASK, {"role": "assistant", "content": None, "refusal": "I cannot."}, {"role": "user", "content": "Why?"}]
    assert "I cannot." in json.dumps(body_for(model, messages=talk))


@pytest.mark.parametrize("model", ["gpt-6-luna", CLAUDE, GEMINI])
def test_an_image_in_a_tool_result_arrives_with_its_type_in_small_letters(model: str) -> None:
    result = {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "see"}, IMAGE]}
    said = json.dumps(
        body_for(
            model, messages=[ASK, {"role": "assistant", "content": None, "tool_calls": [CALL]}, result], tools=[TOOL]
        )
    )
    assert "iVBORw0KGgo=" in said
    assert model == "gpt-6-luna" or "image/png" in said


@pytest.mark.parametrize("model", ["gpt-6-luna", CLAUDE, GEMINI])
def test_a_data_url_that_is_not_base64_is_refused_by_name(model: str) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg%3E"}}
    with pytest.raises(BadInput, match="base64"):
        body_for(model, messages=[{"role": "user", "content": [part]}])


def test_stop_sequences_of_white_space_are_not_sent_where_they_are_refused() -> None:
    assert body_for(CLAUDE, stop=["\n", "END", ""])["stop_sequences"] == ["END"]
    assert "stop_sequences" not in body_for(CLAUDE, stop="\n")
    assert body_for(GEMINI, stop=["\n", ""])["generationConfig"]["stopSequences"] == ["\n"]


def test_a_beginning_does_not_end_in_white_space() -> None:
    entry = ModelEntry(provider="anthropic", prefill=True)
    talk = [ASK, {"role": "assistant", "content": "The answer is "}]
    assert body_for("any", entry, messages=talk)["messages"][-1]["content"] == [
        {"type": "text", "text": "The answer is"}
    ]
