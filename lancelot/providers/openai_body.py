"""OpenAI's chat form of a request said in the words of its Responses API."""

from __future__ import annotations

from typing import Any, Final

from lancelot.chat import ChatRequest, Message
from lancelot.config import ModelEntry
from lancelot.errors import UnsupportedParameter
from lancelot.providers.carried import Carried
from lancelot.providers.reading import file_data, function_of, image_url, parts, schema_of

__all__ = ["openai_body"]

CALLS: Final = "messages.tool_calls"
FORMAT: Final = "response_format.json_schema"
LEAST_OUTPUT: Final = 16  # the API refuses smaller limits
CARRIED: Final = ("metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "service_tier", "user")


def openai_body(chat: ChatRequest, model: str, takes: ModelEntry | None, carried: Carried) -> dict[str, Any]:
    """The body of a Responses request: nothing is stored at the provider, reasoning comes back encrypted."""
    body: dict[str, Any] = {
        "model": model,
        "input": [item for message in chat.messages for item in _items(message, carried)],
        "store": False,
    }
    reasons = takes is None or takes.reasoning
    if reasons:
        body["include"] = ["reasoning.encrypted_content"]
    for name in CARRIED:
        value = getattr(chat, name)
        if value is not None:
            body[name] = value
    if chat.output_limit is not None:
        body["max_output_tokens"] = max(chat.output_limit, LEAST_OUTPUT)
    if takes is None or takes.sampling_params:
        for name in ("temperature", "top_p"):
            if getattr(chat, name) is not None:
                body[name] = getattr(chat, name)
    if chat.reasoning_effort and reasons:
        body["reasoning"] = {"effort": chat.reasoning_effort}
    text: dict[str, Any] = {}
    if chat.response_format and chat.response_format.get("type") != "text":
        text["format"] = _format(chat.response_format)
    if chat.verbosity:
        text["verbosity"] = chat.verbosity
    if text:
        body["text"] = text
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        if chat.tool_choice is not None:
            body["tool_choice"] = _choice(chat.tool_choice)
    return body


def _items(message: Message, carried: Carried) -> list[dict[str, Any]]:
    """A message as input items: itself, and each tool call or result as an item of its own."""
    if message.role == "tool":
        output = (
            message.content if isinstance(message.content, str) else [_part(part, "input") for part in parts(message)]
        )
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": output}]
    role = "user" if message.role == "function" else message.role
    items: list[dict[str, Any]] = []
    if message.content or message.refusal or not message.tool_calls:
        kind = "output" if role == "assistant" else "input"
        plain = isinstance(message.content, str)
        content = message.content if plain else [_part(part, kind) for part in parts(message)]
        items.append({"role": role, "content": content})
    for call in message.tool_calls or []:
        function = function_of(call, CALLS)
        items += carried.get(call.get("id")) or []  # the reasoning that led to the call
        items.append(
            {
                "type": "function_call",
                "call_id": call.get("id"),
                "name": function.get("name"),
                "arguments": function.get("arguments") or "{}",
            }
        )
    return items


def _part(part: dict[str, Any], kind: str) -> dict[str, Any]:
    name = part.get("type")
    if name == "text":
        return {"type": f"{kind}_text", "text": part["text"]}
    if name == "refusal":
        return {"type": "refusal", "refusal": str(part.get("refusal") or "")}
    if name == "image_url":
        image = part.get("image_url")
        detail = image.get("detail") if isinstance(image, dict) else None
        return {"type": "input_image", "image_url": image_url(part), "detail": detail or "auto"}
    if name == "file":
        media, data, filename = file_data(part)
        sent = {"type": "input_file", "file_data": f"data:{media};base64,{data}"}
        return sent | ({"filename": filename} if filename else {})
    raise UnsupportedParameter(f"OpenAI's Responses API takes no `{name}` parts.", param="messages.content")


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise UnsupportedParameter(f"Tools of type `{tool.get('type')}` are not supported.", param="tools.type")
    function = function_of(tool, "tools")
    schema = schema_of(function.get("parameters"), "tools.function.parameters")
    sent = {
        "type": "function",
        "name": function.get("name"),
        "parameters": schema or {"type": "object", "properties": {}},
        # the chat form is lenient unless told otherwise, this API strict: say which is meant
        "strict": bool(function.get("strict")),
    }
    return sent | ({"description": function["description"]} if function.get("description") else {})


def _choice(choice: str | dict[str, Any]) -> str | dict[str, Any]:
    if isinstance(choice, str):
        return choice
    return {"type": "function", "name": function_of(choice, "tool_choice")["name"]}


def _format(wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted.get("type") != "json_schema":
        return {"type": wanted.get("type")}
    schema = schema_of(wanted.get("json_schema"), FORMAT)
    sent = {
        "type": "json_schema",
        "name": schema.get("name") or "answer",
        "schema": schema_of(schema.get("schema"), FORMAT),
        "strict": bool(schema.get("strict")),
    }
    return sent | ({"description": schema["description"]} if schema.get("description") else {})
