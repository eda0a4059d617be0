"""The one walk over every string of a chat request. What is not walked here does not leave.

`walk` asks `visit` for each string, in a fixed order, and builds the request anew from the answers. Each string comes
with its kind, which says how it is searched and what a placeholder in it may look like:

    text     a person, tool or developer wrote it: everything is searched; `<EMAIL_1>`
    plain    a value with a form of its own (enum, file name, cache key): rules alone, no tagger
    key      a key of JSON, schema or metadata: rules alone; the whole key becomes `redacted_EMAIL_1`
    name     a tool's or author's name: as key
    account  an end user's id: as text, but an id that only looks like one stays, or all users would look the same
    id       made by a program, kept unless it repeats an original or is an e-mail address
    number   a number inside JSON; becomes a string
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

from lancelot.chat import ChatRequest, Message
from lancelot.errors import BadInput
from lancelot.redaction.jsontext import looks_like_json, walk_json_text

__all__ = ["Kind", "Visit", "walk"]

Kind = Literal["text", "plain", "key", "name", "account", "id", "number"]
Visit = Callable[[Kind, str, str], str]
"""visit(kind, value, context) -> value or what replaces it; context: the key or field the value belongs to."""

_OPAQUE: Final = frozenset({"type", "role", "strict", "detail", "format", "index", "syntax", "mode"})
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_.-]{0,31}")
_DIALECT: Final = re.compile(r"https?://json-schema\.org/[\w./-]{1,40}#?")
_LONG_NUMBER: Final = 10**6
_KNOWN_WORDS: Final = """
    additionalProperties allOf allowed_tools annotations anyOf arguments cache_control const contains custom
    data default definition dependentRequired dependentSchemas description detail else enum example examples
    exclusiveMaximum exclusiveMinimum file file_data file_id file_url filename format function grammar id if
    image_url index input input_audio input_schema items json_schema maxItems maxLength maxProperties maximum
    minItems minLength minProperties minimum mode multipleOf name not nullable oneOf parameters pattern
    patternProperties prefixItems properties propertyNames refusal required role schema strict syntax text
    then title tools type uniqueItems url $comment $defs $id $ref $schema definitions include_usage
    include_obfuscation source
"""
_KNOWN: Final = frozenset(_KNOWN_WORDS.split())
_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text", "refusal"})
_FILE_PARTS: Final = frozenset({"image_url", "input_image", "image", "input_audio", "file", "input_file", "document"})
_NAMED_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_SCHEMA_TEXTS: Final = frozenset({"description", "title", "$comment"})
_SCHEMA_WORDS: Final = frozenset({"type", "format", "$schema", "contentEncoding", "contentMediaType"})
_OPTIONS: Final = ("reasoning_effort", "verbosity", "service_tier")
_DEEPEST: Final = 64


def walk(request: ChatRequest, visit: Visit, *, files: str = "block") -> ChatRequest:
    """The request with every string replaced by what visit says; the given one is not changed.

    files: "block" refuses images and other parts whose content cannot be searched, "pass" lets them through.

    Raises:
        BadInput: such a part under "block" (code `file_blocked`), or JSON nested too deeply.
    """
    changes: dict[str, Any] = {"messages": [_message(message, visit, files) for message in request.messages]}
    if request.tools is not None:
        changes["tools"] = [_tool(tool, visit) for tool in request.tools]
    if isinstance(request.tool_choice, dict):
        changes["tool_choice"] = _named(request.tool_choice, visit)
    elif request.tool_choice is not None:
        changes["tool_choice"] = visit("name", request.tool_choice, "tool")
    if request.response_format is not None:
        changes["response_format"] = _tool(request.response_format, visit)
    if request.stop is not None:
        stops = [request.stop] if isinstance(request.stop, str) else request.stop
        stops = [visit("plain", stop, "") for stop in stops]
        changes["stop"] = stops[0] if isinstance(request.stop, str) else stops
    for field in ("user", "safety_identifier"):
        if (value := getattr(request, field)) is not None:
            changes[field] = visit("account", value, "")
    if request.prompt_cache_key is not None:
        changes["prompt_cache_key"] = visit("plain", request.prompt_cache_key, "")
    if request.metadata is not None:
        changes["metadata"] = {
            visit("key", key, ""): visit("text", value, key) for key, value in request.metadata.items()
        }
    for field in (*_OPTIONS, "model"):
        if value := getattr(request, field):
            changes[field] = visit("name", value, field)
    if request.stream_options is not None:
        changes["stream_options"] = _anything(request.stream_options, visit, "", 0)
    return request.model_copy(update=changes)


def _key(key: str, visit: Visit) -> str:
    """A key of the protocol as it is; any other one searched."""
    return key if key in _KNOWN else visit("key", key, "")


def _word(value: Any, visit: Visit) -> Any:
    """A value that should be one of the protocol's own words, and is searched when it does not look like one."""
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else visit("plain", value, "")
    return _anything(value, visit, "", 0, kind="plain")


def _message(message: Message, visit: Visit, files: str) -> Message:
    changes: dict[str, Any] = {}
    content = message.content
    if isinstance(content, str):
        changes["content"] = (
            _json_or_text(content, visit) if message.role in ("tool", "function") else visit("text", content, "")
        )
    elif content is not None:
        inside_tool = message.role in ("tool", "function")
        changes["content"] = [_part(part, visit, files, inside_tool) for part in content]
    if message.name is not None:
        changes["name"] = visit("name", message.name, "name")
    if message.tool_calls is not None:
        changes["tool_calls"] = [_tool_call(call, visit) for call in message.tool_calls]
    if message.tool_call_id is not None:
        changes["tool_call_id"] = visit("id", message.tool_call_id, "")
    if message.refusal is not None:
        changes["refusal"] = visit("text", message.refusal, "")
    if message.reasoning_content is not None:
        changes["reasoning_content"] = visit("text", message.reasoning_content, "")
    if message.annotations is not None:
        changes["annotations"] = _anything(message.annotations, visit, "", 0)
    return message.model_copy(update=changes)


def _json_or_text(text: str, visit: Visit) -> str:
    if not looks_like_json(text):
        return visit("text", text, "")
    return walk_json_text(text, lambda leaf, value, key: visit(leaf, value, key))


def _part(part: dict[str, Any], visit: Visit, files: str, inside_tool: bool) -> dict[str, Any]:
    kind = part.get("type")
    if kind not in _TEXT_PARTS:
        # A part of an unknown kind cannot be searched either.
        if files != "pass":
            shown = kind if kind in _FILE_PARTS else "unknown"
            raise BadInput(
                f"A message part of type `{shown}` cannot be searched, and the policy blocks such parts.",
                hint="Send its text instead, or set `files: pass` in the policy; nothing has been sent.",
                code="file_blocked",
                param="messages",
            )
        return {_key(key, visit): _file_field(key, value, visit, 0) for key, value in part.items()}
    changed: dict[str, Any] = {}
    for key, value in part.items():
        shown_key = _key(key, visit)
        if key in ("text", "refusal") and isinstance(value, str):
            changed[shown_key] = _json_or_text(value, visit) if inside_tool else visit("text", value, "")
        else:
            changed[shown_key] = _word(value, visit) if key in _OPAQUE else _anything(value, visit, key, 0)
    return changed


def _file_field(key: str, value: Any, visit: Visit, depth: int) -> Any:
    """A field of a part that passes unread: its content stays, its names and addresses are searched."""
    if isinstance(value, dict) and depth < _DEEPEST:
        return {_key(inner, visit): _file_field(inner, item, visit, depth + 1) for inner, item in value.items()}
    if not isinstance(value, str):
        return _anything(value, visit, key, depth)
    if key in _OPAQUE:
        return _word(value, visit)
    if key in ("file_data", "data") or value.startswith("data:"):
        return value
    return visit("plain", value, key)


def _tool_call(call: dict[str, Any], visit: Visit) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key, value in call.items():
        if key == "id" and isinstance(value, str):
            changed[key] = visit("id", value, "")
        elif key in ("function", "custom") and isinstance(value, dict):
            changed[key] = {_key(inner, visit): _call_field(inner, item, visit) for inner, item in value.items()}
        else:
            shown_key = _key(key, visit)
            changed[shown_key] = _word(value, visit) if key in _OPAQUE else _anything(value, visit, key, 0)
    return changed


def _call_field(key: str, value: Any, visit: Visit) -> Any:
    if key == "name" and isinstance(value, str):
        return visit("name", value, "tool")
    if key in ("arguments", "input") and isinstance(value, str):
        return _json_or_text(value, visit)
    return _anything(value, visit, key, 0)


def _tool(tool: dict[str, Any], visit: Visit, depth: int = 0) -> dict[str, Any]:
    """A tool, or a response format: {"type", "function" | "json_schema": {"name", "description", schema}}."""
    _not_too_deep(depth)
    changed: dict[str, Any] = {}
    for key, value in tool.items():
        shown_key = _key(key, visit)
        if key in _OPAQUE:
            changed[shown_key] = _word(value, visit)
        elif key == "name" and isinstance(value, str):
            changed[shown_key] = visit("name", value, "tool")
        elif key in ("parameters", "schema", "input_schema"):
            changed[shown_key] = _schema(value, visit, 0)
        elif isinstance(value, dict):
            changed[shown_key] = _tool(value, visit, depth + 1)
        else:
            changed[shown_key] = _anything(value, visit, "", depth + 1)
    return changed


def _named(choice: dict[str, Any], visit: Visit, depth: int = 0) -> dict[str, Any]:
    """tool_choice as an object: names of tools, however deep."""
    _not_too_deep(depth)
    changed: dict[str, Any] = {}
    for key, value in choice.items():
        shown_key = _key(key, visit)
        if isinstance(value, dict):
            changed[shown_key] = _named(value, visit, depth + 1)
        elif isinstance(value, list):
            changed[shown_key] = [
                _named(item, visit, depth + 1) if isinstance(item, dict) else _anything(item, visit, "", depth + 1)
                for item in value
            ]
        elif key in _OPAQUE:
            changed[shown_key] = _word(value, visit)
        else:
            changed[shown_key] = visit("name", value, "tool") if isinstance(value, str) else value
    return changed


def _schema(schema: Any, visit: Visit, depth: int) -> Any:
    """A JSON schema: property names are keys, descriptions are text, examples and allowed values are plain."""
    _not_too_deep(depth)
    if isinstance(schema, list):
        return [_schema(item, visit, depth + 1) for item in schema]
    if not isinstance(schema, dict):
        return visit("plain", schema, "") if isinstance(schema, str) else schema
    changed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _SCHEMA_WORDS and not isinstance(value, dict):
            changed[key] = value if key == "$schema" and _is_dialect(value) else _schema_word(value, visit)
        elif key in _SCHEMA_TEXTS and isinstance(value, str):
            changed[key] = visit("text", value, "")
        elif key in _NAMED_MAPS and isinstance(value, dict):
            changed[key] = {visit("key", name, ""): _schema(item, visit, depth + 1) for name, item in value.items()}
        elif key in ("required", "dependentRequired"):
            changed[key] = _property_names(value, visit, depth + 1)
        elif key == "$ref" and isinstance(value, str):
            changed[key] = "/".join(
                step if step in _NAMED_MAPS else visit("key", step, "") for step in value.split("/")
            )
        elif key in ("default", "const", "enum", "example", "examples"):
            changed[key] = _anything(value, visit, "", depth + 1, kind="plain")
        else:
            changed[_key(key, visit)] = _schema(value, visit, depth + 1)
    return changed


def _is_dialect(value: Any) -> bool:
    return isinstance(value, str) and _DIALECT.fullmatch(value) is not None


def _schema_word(value: Any, visit: Visit) -> Any:
    return [_word(item, visit) for item in value] if isinstance(value, list) else _word(value, visit)


def _property_names(value: Any, visit: Visit, depth: int) -> Any:
    _not_too_deep(depth)
    if isinstance(value, str):
        return visit("key", value, "")
    if isinstance(value, list):
        return [_property_names(item, visit, depth + 1) for item in value]
    if isinstance(value, dict):
        return {visit("key", key, ""): _property_names(item, visit, depth + 1) for key, item in value.items()}
    return value


def _anything(value: Any, visit: Visit, context: str, depth: int, *, kind: Kind = "text") -> Any:
    """A structure of which nothing is known: every key and every string in it."""
    _not_too_deep(depth)
    if isinstance(value, str):
        return visit(kind, value, context)
    if isinstance(value, list):
        return [_anything(item, visit, context, depth + 1, kind=kind) for item in value]
    if isinstance(value, dict):
        return {
            _key(key, visit): _word(item, visit)
            if key in _OPAQUE and isinstance(item, str)
            else _anything(item, visit, key, depth + 1, kind=kind)
            for key, item in value.items()
        }
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _LONG_NUMBER:
        shown = str(value)
        return value if (changed := visit("number", shown, context)) == shown else changed
    return value


def _not_too_deep(depth: int) -> None:
    if depth > _DEEPEST:
        raise BadInput(
            "The request is nested too deeply.", hint=f"At most {_DEEPEST} levels are searched.", code="too_deep"
        )
