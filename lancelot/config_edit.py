"""Edits of a YAML file's values that leave its comments, order and layout alone: what a form changes, and nothing else.

edited = set_values(text, {("budgets", "total", "daily_usd"): Decimal("20"), ("previews",): None})
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import yaml

from lancelot.config_yaml import load_plain
from lancelot.errors import BadConfig

__all__ = ["Path", "Value", "set_values"]

Path = tuple[str, ...]
Value = str | int | float | bool | Decimal | None | Mapping[str, Any] | Sequence[Any]
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # YAML takes these as escapes only


def set_values(text: str, values: Mapping[Path, Value]) -> str:
    """The text with each value set; None takes a key away, so that its default holds.

    Raises:
        BadConfig: the text is no YAML mapping, or is laid out in a way that cannot be edited without harm; edit it by
            hand then.
    """
    wanted = load_plain(text)
    for path, value in values.items():
        text = _edited(text, path, value)
        _apply(wanted, path, value)
    if load_plain(text) != wanted:
        raise BadConfig(
            "This file is laid out in a way that a form cannot edit.", hint="Change it in the text below instead."
        )
    return text


def _apply(data: dict[str, Any], path: Path, value: Value) -> None:
    for key in path[:-1]:
        if not isinstance(data.get(key), dict):
            if value is None:
                return
            data[key] = {}
        data = data[key]
    if value is None:
        data.pop(path[-1], None)
    else:
        data[path[-1]] = _plain(value)


def _plain(value: Value) -> Any:
    return load_plain(f"v: {_flow(value)}")["v"]


def _edited(text: str, path: Path, value: Value) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return text if value is None else f"{_ended(text)}{path[0]}: {_flow(_nested(path[1:], value))}\n"
    node: yaml.Node = root
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            return text if value is None else _replaced(text, node, _flow(_nested(path[depth:], value)))
        if node.flow_style:
            return _flow_edited(text, node, path[depth:], value)
        pair = next((pair for pair in node.value if pair[0].value == key), None)
        if pair is None:
            return text if value is None else _inserted(text, node, key, _flow(_nested(path[depth + 1 :], value)))
        if depth == len(path) - 1:
            return _set_pair(text, node, pair, value)
        node = pair[1]
    return text


def _set_pair(text: str, parent: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node], value: Value) -> str:
    key, old = pair
    if value is not None:
        return _replaced(text, old, _flow(value))
    if len(parent.value) == 1 and parent.start_mark.column:  # the last one: an empty block would be null, not {}
        return text[: parent.start_mark.index] + "{}" + text[_end_of(text, old) :]
    first = text.rfind("\n", 0, key.start_mark.index) + 1
    last = text.find("\n", _end_of(text, old))
    return text[:first] + ("" if last < 0 else text[last + 1 :])


def _replaced(text: str, node: yaml.Node, fresh: str) -> str:
    start, end = node.start_mark.index, _end_of(text, node)
    gap = " " if start == end and text[start - 1 : start] not in (" ", "") else ""
    return f"{text[:start]}{gap}{fresh}{text[end:]}"


def _end_of(text: str, node: yaml.Node) -> int:
    """Where a value really ends: a block's end mark stands after the comments that follow it."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(text, last[1] if isinstance(last, tuple) else last)
    return end


def _flow_edited(text: str, node: yaml.MappingNode, path: Path, value: Value) -> str:
    """A mapping in braces is written anew: it holds no comments that could be lost."""
    span = text[node.start_mark.index : node.end_mark.index]
    data = load_plain(f"v: {span}")["v"]
    _apply(data, path, value)
    return _replaced(text, node, _flow(data))


def _inserted(text: str, parent: yaml.MappingNode, key: str, fresh: str) -> str:
    """A new key before the mapping's first one, at the same indentation."""
    first = parent.value[0][0].start_mark
    at = int(first.index) - int(first.column)
    return f"{text[:at]}{text[at : first.index]}{key}: {fresh}\n{text[at:]}"


def _nested(path: Path, value: Value) -> Value:
    for key in reversed(path):
        value = {key: value}
    return value


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _flow(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][\w./ -]*[\w]|[A-Za-z_]", value) and value.lower() not in _WORDS
        return value if plain else _ODD.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_flow(str(name))}: {_flow(item)}" for name, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(_flow(item) for item in value)}]"
