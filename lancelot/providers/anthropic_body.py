"""OpenAI's form of a request said in the words of Anthropic's Messages API."""

from __future__ import annotations

import re
from typing import Any, Final

from lancelot.chat import ChatRequest, Message
from lancelot.config import ModelEntry
from lancelot.errors import UnsupportedParameter
from lancelot.providers.anthropic_schema import closed_schema
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

__all__ = ["anthropic_body"]

CALLS: Final = "messages.tool_calls"
FORMAT: Final = "response_format.json_schema"
DEFAULT_OUTPUT: Final = 16_384  # the API requires a limit; used where neither request nor configuration names one
EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
CONTINUE: Final = "Continue exactly where your last message ends."
JSON_ONLY: Final = "Answer with one JSON object and nothing else."
MUST_CALL: Final = "Answer this turn by calling a tool."


def anthropic_body(chat: ChatRequest, model: str, takes: ModelEntry | None) -> dict[str, Any]:
    """The body of a Messages request; what the model refuses is left out or said in words."""
    takes = takes or ModelEntry(provider="anthropic")
    limit = chat.output_limit or takes.default_output_tokens or DEFAULT_OUTPUT
    system = system_texts(chat.messages)
    messages = _messages([message for message in chat.messages if not is_system(message)])
    if not messages:
        if not system:
            raise nothing_to_answer()
        messages, system = [{"role": "user", "content": [{"type": "text", "text": text} for text in system]}], []
    if messages[-1]["role"] == "assistant":
        if takes.prefill:
            _trim(messages[-1]["content"][-1])
        else:
            messages.append({"role": "user", "content": [{"type": "text", "text": CONTINUE}]})
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": min(limit, takes.max_output_tokens or limit),
        "messages": messages,
    }
    if stops := [stop for stop in stop_list(chat.stop) if not stop.isspace()]:
        body["stop_sequences"] = stops
    if user := chat.safety_identifier or chat.user:
        body["metadata"] = {"user_id": user}
    output: dict[str, Any] = {}
    if chat.reasoning_effort in EFFORTS:
        output["effort"] = EFFORTS[chat.reasoning_effort]
    elif chat.reasoning_effort == "none":
        if takes.thinking_always_on:
            output["effort"] = "low"
        else:
            body["thinking"] = {"type": "disabled"}
    wanted = chat.response_format or {}
    if wanted.get("type") == "json_schema":
        schema = schema_of(schema_of(wanted.get("json_schema"), FORMAT).get("schema"), FORMAT)
        output["format"] = {"type": "json_schema", "schema": closed_schema(schema)}
    elif wanted.get("type") == "json_object":
        system.append(JSON_ONLY)
    if output:
        body["output_config"] = output
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        choice, hint = _choice(chat, takes)
        if choice:
            body["tool_choice"] = choice
        if hint:
            system.append(hint)
    if system:
        body["system"] = [{"type": "text", "text": text} for text in system]
    return body


def _messages(messages: list[Message]) -> list[dict[str, Any]]:
    """Turns of content blocks; neighbours of one role become one turn, as tool results have to."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            role, blocks = "user", [_result(message)]
        elif message.role == "assistant":
            role = "assistant"
            blocks = [_block(part) for part in parts(message) if says_something(part)]
            blocks += [
                {
                    "type": "tool_use",
                    "id": _id(call.get("id")),
                    "name": function_of(call, CALLS)["name"],
                    "input": arguments(call),
                }
                for call in message.tool_calls or []
            ]
        else:
            role, blocks = "user", [_block(part) for part in parts(message) if says_something(part)]
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _trim(block: dict[str, Any]) -> None:
    """A beginning given to the model may not end in white space."""
    if block["type"] == "text":
        block["text"] = block["text"].rstrip()


def _result(message: Message) -> dict[str, Any]:
    content = [_block(part) for part in parts(message) if says_something(part)]
    whole = message.content if isinstance(message.content, str) else content
    return {"type": "tool_result", "tool_use_id": _id(message.tool_call_id), "content": whole}


def _id(call_id: Any) -> str:
    """Only letters, digits, _ and - may stand in a tool call's id here."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(call_id))


def _block(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "text", "text": str(part.get("refusal") or "")}
    if kind == "image_url":
        address = image_url(part)
        inline = data_url(address)
        if inline is None:
            return {"type": "image", "source": {"type": "url", "url": address}}
        return {"type": "image", "source": {"type": "base64", "media_type": inline[0], "data": inline[1]}}
    if kind == "file":
        media, data, name = file_data(part)
        source = {"type": "base64", "media_type": media, "data": data}
        return {"type": "document", "source": source} | ({"title": name} if name else {})
    raise UnsupportedParameter(f"Anthropic takes no `{kind}` parts.", param="messages.content")


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = function_of(tool, "tools")
    schema = schema_of(function.get("parameters"), "tools.function.parameters") or {"type": "object", "properties": {}}
    sent: dict[str, Any] = {"name": function.get("name"), "input_schema": schema}
    if function.get("description"):
        sent["description"] = function["description"]
    if function.get("strict"):
        sent |= {"strict": True, "input_schema": closed_schema(schema)}
    return sent


def _choice(chat: ChatRequest, takes: ModelEntry) -> tuple[dict[str, Any] | None, str | None]:
    """(tool_choice, a sentence for the system prompt where forcing is refused by the model)."""
    choice, hint = chat.tool_choice, None
    sent: dict[str, Any] | None = None
    if choice in ("auto", "none"):
        sent = {"type": choice}
    elif choice is not None:
        name = function_of(choice, "tool_choice")["name"] if isinstance(choice, dict) else None
        if takes.forced_tool_use:
            sent = {"type": "tool", "name": name} if name else {"type": "any"}
        else:
            hint = f"Answer this turn by calling the tool {name}." if name else MUST_CALL
    if chat.parallel_tool_calls is False and (sent or {}).get("type") != "none":
        sent = (sent or {"type": "auto"}) | {"disable_parallel_tool_use": True}
    return sent, hint
