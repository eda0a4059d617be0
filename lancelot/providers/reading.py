"""Small careful readers of what providers send: wrong shapes become ProviderMalformed, never a KeyError."""

from __future__ import annotations

import re
from typing import Any

import orjson

from lancelot.chat import Message
from lancelot.errors import BadInput, ProviderMalformed, UnsupportedParameter

__all__ = [
    "arguments",
    "count",
    "data_url",
    "decoded",
    "encoded",
    "file_data",
    "function_of",
    "image_url",
    "is_system",
    "nothing_to_answer",
    "objects",
    "parts",
    "says_something",
    "schema_of",
    "stop_list",
    "system_texts",
    "text",
    "tool_call",
]

DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,(.*)", re.DOTALL | re.IGNORECASE)


def decoded(data: bytes) -> dict[str, Any]:
    """A JSON object; ProviderMalformed when it is anything else."""
    try:
        piece = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ProviderMalformed() from None
    if not isinstance(piece, dict):
        raise ProviderMalformed()
    return piece


def encoded(body: dict[str, Any]) -> bytes:
    """A request's JSON; BadInput where a text is none (half of a surrogate pair, as a cut-off escape leaves it)."""
    try:
        return orjson.dumps(body)
    except TypeError:
        raise BadInput("A text in the request is not valid Unicode.", param="messages") from None


def count(value: Any) -> int | None:
    """A token count, or None when there is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text(value: Any) -> str | None:
    """A text that says something, or None."""
    return value if isinstance(value, str) and value else None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; a missing list is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProviderMalformed()
    return [entry for entry in value if isinstance(entry, dict)]


def parts(message: Message) -> list[dict[str, Any]]:
    """A message's content as parts, empty texts left out; a refusal that came instead of content is one."""
    if not message.content and message.role == "assistant" and message.refusal:
        return [{"type": "refusal", "refusal": message.refusal}]
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}] if message.content else []
    kept = [part for part in message.content or [] if part.get("type") != "text" or part.get("text")]
    if any(part.get("type") == "text" and not isinstance(part["text"], str) for part in kept):
        raise BadInput("A text part needs text.", param="messages.content")
    return kept


def says_something(part: dict[str, Any]) -> bool:
    """Whether a part is more than white space; some providers refuse a text that is not."""
    return part.get("type") != "text" or not str(part["text"]).isspace()


def stop_list(stops: str | list[str] | None) -> list[str]:
    """Stop sequences as a list, empty ones left out."""
    return [stop for stop in ([stops] if isinstance(stops, str) else stops or []) if stop]


def nothing_to_answer() -> BadInput:
    """The error of a request whose messages are all empty."""
    return BadInput(
        "There is nothing to answer: every message is empty.", hint="Send a message with content.", param="messages"
    )


def system_texts(messages: list[Message]) -> list[str]:
    """The texts of the system and developer messages, in order; they take nothing but text."""
    found = [part for message in messages if is_system(message) for part in parts(message)]
    if any(part.get("type") != "text" for part in found):
        raise UnsupportedParameter("A system message takes text only.", param="messages.content")
    return [part["text"] for part in found]


def is_system(message: Message) -> bool:
    """Whether a message instructs rather than talks."""
    return message.role in ("system", "developer")


def function_of(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """The function of a tool or a tool call, with a name; BadInput names the place when there is none."""
    function = entry.get("function")
    if not isinstance(function, dict) or not text(function.get("name")):
        raise BadInput(f"`{where}` needs a function with a name.", param=where)
    return function


def schema_of(value: Any, where: str) -> dict[str, Any]:
    """A JSON schema; nothing given is an empty one."""
    if value is not None and not isinstance(value, dict):
        raise BadInput(f"`{where}` must be a JSON schema.", param=where)
    return value or {}


def arguments(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call's arguments as an object; providers take objects where OpenAI's form has a JSON text."""
    raw = (call.get("function") or {}).get("arguments") or "{}"
    if not isinstance(raw, str):
        raise BadInput("A tool call's arguments must be JSON text.", param="messages.tool_calls")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {"arguments": raw}
    return value if isinstance(value, dict) else {"arguments": value}


def tool_call(call_id: str, name: str, raw_arguments: str) -> dict[str, Any]:
    """A tool call in OpenAI's form."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": raw_arguments}}


def image_url(part: dict[str, Any]) -> str:
    """The address of an image part: https or data."""
    image = part.get("image_url")
    address = image.get("url") if isinstance(image, dict) else image
    if not isinstance(address, str) or not address:
        raise UnsupportedParameter("An image part needs `image_url.url`.", param="messages.content.image_url")
    if address[:5].lower() == "data:" and data_url(address) is None:
        raise BadInput("A data URL must be base64, with its media type.", param="messages.content.image_url")
    return address


def file_data(part: dict[str, Any]) -> tuple[str, str, str | None]:
    """(type, base64 data, file name) of a file part; only inline data can be carried to every provider."""
    file = part.get("file")
    file = file if isinstance(file, dict) else {}
    found = data_url(str(file.get("file_data") or ""))
    if found is None:
        raise UnsupportedParameter("A file part needs `file.file_data` as a data URL.", param="messages.content.file")
    return (*found, text(file.get("filename")))


def data_url(address: str) -> tuple[str, str] | None:
    """(type, base64 data) of a data URL, or None for any other address."""
    found = DATA_URL.fullmatch(address)
    return (found.group(1).lower(), found.group(2)) if found else None
