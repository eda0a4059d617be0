"""OpenAI's chat form of a request said in the words of Gemini's generateContent."""

from __future__ import annotations

import mimetypes
from typing import Any, Final

import orjson

from lancelot.chat import ChatRequest, Message
from lancelot.config import ModelEntry
from lancelot.errors import UnsupportedParameter
from lancelot.providers.carried import Carried
from lancelot.providers.reading import (
    arguments,
    data_url,
    file_data,
    function_of,
    image_url,
    is_system,
    nothing_to_answer,
    parts,
    says_something,
    schema_of,
    stop_list,
    system_texts,
)

__all__ = ["gemini_body"]

CALLS: Final = "messages.tool_calls"
FORMAT: Final = "response_format.json_schema"
# the documented stand-in for a thought signature that is not there any more (history of another model, a restart)
NO_SIGNATURE: Final = "skip_thought_signature_validator"
LEVELS: Final = {
    "none": "LOW", "minimal": "LOW", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH",
}  # fmt: skip
CONTINUE: Final = "Continue exactly where your last message ends."


def gemini_body(chat: ChatRequest, takes: ModelEntry | None, carried: Carried) -> dict[str, Any]:
    """The body of a generateContent request; what the model refuses is left out or said in words."""
    takes = takes or ModelEntry(provider="gemini")
    system = system_texts(chat.messages)
    contents = _contents([message for message in chat.messages if not is_system(message)], carried, takes)
    if not contents:
        if not system:
            raise nothing_to_answer()
        contents, system = [{"role": "user", "parts": [{"text": text} for text in system]}], []
    if not takes.prefill and contents[-1]["role"] == "model":
        contents.append({"role": "user", "parts": [{"text": CONTINUE}]})
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"role": "user", "parts": [{"text": text} for text in system]}
    if config := _generation(chat, takes):
        body["generationConfig"] = config
    if chat.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in chat.tools]}]
        if chat.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(chat.tool_choice, takes)}
    return body


def _generation(chat: ChatRequest, takes: ModelEntry) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if takes.sampling_params:
        sampling = (("temperature", chat.temperature), ("topP", chat.top_p))
        penalties = (("presencePenalty", chat.presence_penalty), ("frequencyPenalty", chat.frequency_penalty))
        config |= {name: value for name, value in (*sampling, *penalties) if value is not None}
    if chat.output_limit is not None:
        config["maxOutputTokens"] = min(chat.output_limit, takes.max_output_tokens or chat.output_limit)
    if stops := stop_list(chat.stop):
        config["stopSequences"] = stops
    if chat.seed is not None:
        config["seed"] = chat.seed
    if chat.reasoning_effort in LEVELS and takes.reasoning:
        config["thinkingConfig"] = {"thinkingLevel": LEVELS[chat.reasoning_effort]}
    wanted = chat.response_format or {}
    if wanted.get("type") in ("json_object", "json_schema"):
        config["responseMimeType"] = "application/json"
    if wanted.get("type") == "json_schema":
        config["responseJsonSchema"] = schema_of(schema_of(wanted.get("json_schema"), FORMAT).get("schema"), FORMAT)
    return config


def _contents(messages: list[Message], carried: Carried, takes: ModelEntry) -> list[dict[str, Any]]:
    """Turns of parts; neighbours of one role become one turn, as parallel tool results have to."""
    names: dict[str, str] = {}
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            # What is no text stands beside the result: the field itself takes JSON alone.
            role, pieces = "user", [_result(message, names), *map(_part, _beside(message))]
        elif message.role == "assistant":
            role = "model"
            pieces = [_part(part) for part in parts(message) if says_something(part)]
            for place, call in enumerate(message.tool_calls or []):
                names[str(call.get("id"))] = function_of(call, CALLS)["name"]
                pieces.append(_call(call, carried, takes, first=place == 0))
        else:
            role, pieces = "user", [_part(part) for part in parts(message) if says_something(part)]
        if not pieces:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += pieces
        else:
            turns.append({"role": role, "parts": pieces})
    return turns


def _call(call: dict[str, Any], carried: Carried, takes: ModelEntry, *, first: bool) -> dict[str, Any]:
    """A past call with its thought signature; the first of a step must have one, or the request is refused."""
    sent: dict[str, Any] = {
        "functionCall": {"id": call.get("id"), "name": call["function"]["name"], "args": arguments(call)}
    }
    signature = carried.get(call.get("id"))
    if signature is None and first and takes.reasoning:
        signature = NO_SIGNATURE
    return sent | ({"thoughtSignature": signature} if signature else {})


def _result(message: Message, names: dict[str, str]) -> dict[str, Any]:
    texts = [str(part.get("text") or "") for part in parts(message) if part.get("type") == "text"]
    text = "\n".join(texts)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    response = value if isinstance(value, dict) else {"output": value}
    call_id = str(message.tool_call_id)
    name = names.get(call_id) or message.name or "tool"
    return {"functionResponse": {"id": call_id, "name": name, "response": response}}


def _beside(message: Message) -> list[dict[str, Any]]:
    return [part for part in parts(message) if part.get("type") != "text"]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"text": part["text"]}
    if kind == "refusal":
        return {"text": str(part.get("refusal") or "")}
    if kind == "image_url":
        address = image_url(part)
        inline = data_url(address)
        if inline is None:
            guessed = mimetypes.guess_type(address.partition("?")[0])[0] or "image/jpeg"
            return {"fileData": {"mimeType": guessed, "fileUri": address}}
        return {"inlineData": {"mimeType": inline[0], "data": inline[1]}}
    if kind == "file":
        media, data, _ = file_data(part)
        return {"inlineData": {"mimeType": media, "data": data}}
    if kind == "input_audio":
        audio = part.get("input_audio") or {}
        return {"inlineData": {"mimeType": f"audio/{audio.get('format') or 'wav'}", "data": audio.get("data")}}
    raise UnsupportedParameter(f"Gemini takes no `{kind}` parts.", param="messages.content")


def _declaration(tool: dict[str, Any]) -> dict[str, Any]:
    function = function_of(tool, "tools")
    sent = {"name": function.get("name")}
    if function.get("description"):
        sent["description"] = function["description"]
    if schema := schema_of(function.get("parameters"), "tools.function.parameters"):
        sent["parametersJsonSchema"] = schema
    return sent


def _calling(choice: str | dict[str, Any], takes: ModelEntry) -> dict[str, Any]:
    name = function_of(choice, "tool_choice")["name"] if isinstance(choice, dict) else None
    if choice in ("auto", "none"):
        return {"mode": str(choice).upper()}
    mode = "ANY" if takes.forced_tool_use else "AUTO"
    return {"mode": mode} | ({"allowedFunctionNames": [name]} if name and mode == "ANY" else {})
