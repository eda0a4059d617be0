"""Walks the strings, keys and numbers inside a JSON text and puts changed ones back in place; nothing else moves.

Layout, order, duplicate keys and the spelling of untouched values stay as they were.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, Literal

__all__ = ["Leaf", "looks_like_json", "walk_json_text"]

Leaf = Literal["text", "key", "number"]

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|-?\d[\d.eE+-]*|[{}\[\],]', re.S)
_LONG_NUMBER: Final = 5
_DEEPEST: Final = 200


def looks_like_json(text: str) -> bool:
    """Whether the text is one JSON object or array (not merely a number or a quoted word)."""
    stripped = text.strip()
    if stripped[:1] + stripped[-1:] not in ("{}", "[]") or _depth(stripped) > _DEEPEST:
        return False
    try:
        json.loads(stripped)
    except (ValueError, RecursionError):
        return False
    return True


def _depth(text: str) -> int:
    """An upper bound of the nesting, cheap enough to ask before parsing."""
    return max(text.count("{"), text.count("[")) if len(text) < 1000 else _counted_depth(text)


def _counted_depth(text: str) -> int:
    depth = deepest = 0
    for sign in re.findall(r"[{}\[\]]", text):
        depth += 1 if sign in "{[" else -1
        deepest = max(deepest, depth)
    return deepest


def walk_json_text(text: str, visit: Callable[[Leaf, str, str], str]) -> str:
    """The JSON text after visit(kind, value, key) was asked for each string, key and longer number.

    value is decoded; key is the nearest key above it ("" at the top). A visit that returns the value itself changes
    nothing; a changed number becomes a string. The text must be valid JSON (`looks_like_json`).
    """
    pieces: list[str] = []
    done = 0
    keys = [""]
    for match in _TOKEN.finditer(text):
        token = match.group()
        first = token[0]
        if first in "{[":
            keys.append(keys[-1])
        elif first in "}]":
            keys.pop()
        elif first == '"':
            end = match.start(1) if match.group(1) else match.end()
            raw = text[match.start() : end]
            value = raw[1:-1] if "\\" not in raw else json.loads(raw)
            if match.group(1):
                changed = visit("key", value, "")
                keys[-1] = value
            else:
                changed = visit("text", value, keys[-1])
            if changed != value:
                pieces += (text[done : match.start()], json.dumps(changed, ensure_ascii=raw.isascii()))
                done = end
        elif first != "," and len(token) >= _LONG_NUMBER:
            changed = visit("number", token, keys[-1])
            if changed != token:
                pieces += (text[done : match.start()], json.dumps(changed))
                done = match.end()
    return "".join((*pieces, text[done:])) if pieces else text
