"""A scripted flagship that does what it is told well enough for other people's test suites.

It fills schemas and tool arguments from their JSON schema, calls the tool it is offered or has to call, reads tool
results back, obeys stop sequences and output limits. It sees placeholders only, as a real flagship does.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lancelot.chat import Answer, ChatRequest, Usage
from tests.fakes import FakeCall

__all__ = ["clever"]

TALK = "Hello! I am glad to help you with that. Here is a longer answer, so that it arrives in more than one piece."


def clever(call: FakeCall) -> Answer:
    """The answer of a flagship that follows instructions."""
    chat = call.chat
    finish = "stop"
    message: dict[str, Any] = {"role": "assistant", "content": None}
    called = _tools_called(chat)
    if called:
        message["tool_calls"] = called
        finish = "tool_calls"
    else:
        text, finish = _cut(_text(chat), chat)
        message["content"] = text
    size = sum(len(m.content) if isinstance(m.content, str) else 10 for m in chat.messages)
    return Answer(message=message, finish_reason=finish, usage=Usage(input=5 + size // 4, output=20), model="clever")


def _text(chat: ChatRequest) -> str:
    wanted = chat.response_format or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(_instance(wanted["json_schema"]["schema"], wanted["json_schema"]["schema"], chat))
    if wanted.get("type") == "json_object":
        return json.dumps({"setup": "Why?", "punchline": "Because."})
    last = chat.messages[-1]
    if last.role == "tool":
        return f"The tool answered {last.content}."
    return TALK


def _cut(text: str, chat: ChatRequest) -> tuple[str, str]:
    for stop in [chat.stop] if isinstance(chat.stop, str) else chat.stop or []:
        text = text.split(stop)[0]
    if chat.output_limit is not None and len(text) > 4 * chat.output_limit:
        return text[: 4 * chat.output_limit], "length"
    return text, "stop"


def _tools_called(chat: ChatRequest) -> list[dict[str, Any]]:
    functions = [tool["function"] for tool in chat.tools or []]
    choice = chat.tool_choice
    if isinstance(choice, dict):
        functions = [f for f in functions if f["name"] == choice["function"]["name"]]
    forced = isinstance(choice, dict) or choice == "required"
    said = " ".join(str(m.content) for m in chat.messages if m.role == "user").lower()
    named = [f for f in functions if _mentioned(f["name"], said)]
    if not functions or choice == "none" or (chat.messages[-1].role == "tool" and not forced):
        return []
    chosen = (named or functions)[0]
    arguments = _instance(chosen.get("parameters") or {}, chosen.get("parameters") or {}, chat)
    ident = f"call_{len(chat.messages)}"
    function = {"name": chosen["name"], "arguments": json.dumps(arguments, ensure_ascii=False)}
    return [{"id": ident, "type": "function", "function": function}]


def _mentioned(name: str, said: str) -> bool:
    return any(word in said for word in re.split(r"[_-]", name.lower()) if len(word) > 3)


def _instance(schema: dict[str, Any], root: dict[str, Any], chat: ChatRequest) -> Any:
    """A value that fits a JSON schema; a number or a quoted text the user named where one fits."""
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return _instance(found, root, chat)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _instance(schema[several][0], root, chat)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _instance(inner, root, chat) for name, inner in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [_instance(schema.get("items") or {"type": "string"}, root, chat)]
    said = chat.last_user_text()
    if kind in ("integer", "number"):
        numbers = re.findall(r"\d+", said)
        return int(numbers[-1]) if numbers else 3
    if kind == "boolean":
        return True
    quoted = re.findall(r"['\"]([^'\"]+)['\"]", said)
    return quoted[0] if quoted else "San Francisco"
