"""Small careful readers of what providers send: wrong shapes become ProviderMalformed, never a KeyError."""

from __future__ import annotations

import re
from typing import Any

import orjson

from lancelot.chat import Message
from lancelot.errors import ProviderMalformed, UnsupportedParameter

__all__ = [
    "arguments",
    "count",
    "data_url",
    "decoded",
    "file_data",
    "image_url",
    "objects",
    "parts",
    "text",
    "tool_call",
]

DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,(.*)", re.DOTALL)


def decoded(data: bytes) -> dict[str, Any]:
    """A JSON object; ProviderMalformed when it is anything else."""
    try:
        piece = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ProviderMalformed() from None
    if not isinstance(piece, dict):
        raise ProviderMalformed()
    return piece


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
    """A message's content as parts, empty texts left out."""
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}] if message.content else []
    return [part for part in message.content or [] if part.get("type") != "text" or part.get("text")]


def arguments(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call's arguments as an object; providers take objects where OpenAI's form has a JSON text."""
    raw = (call.get("function") or {}).get("arguments") or "{}"
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
    return address


def file_data(part: dict[str, Any]) -> tuple[str, str, str | None]:
    """(type, base64 data, file name) of a file part; only inline data can be carried to every provider."""
    file = part.get("file") or {}
    found = data_url(str(file.get("file_data") or ""))
    if found is None:
        raise UnsupportedParameter("A file part needs `file.file_data` as a data URL.", param="messages.content.file")
    return (*found, text(file.get("filename")))


def data_url(address: str) -> tuple[str, str] | None:
    """(type, base64 data) of a data URL, or None for any other address."""
    found = DATA_URL.fullmatch(address)
    return (found.group(1), found.group(2)) if found else None
