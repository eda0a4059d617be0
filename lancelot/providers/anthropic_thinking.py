"""Claude's thinking goes back with its tool results, exactly as it came, or not at all.

The API wants the thinking blocks of a turn that called tools back unchanged, and refuses them once anything before them
has changed. Redaction may change that (a new name can renumber placeholders), so a turn gets its own blocks back only
where model, system prompt, tools and every earlier turn are the very same, and what it said besides is too.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

from lancelot.providers.carried import Carried
from lancelot.providers.reading import objects

__all__ = ["Blocks", "Thoughts"]

THINKING: Final = {"thinking", "redacted_thinking"}
GROWING: Final = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class Thoughts:
    """The turns that thought before they called a tool, by the id of their first call; in memory, bounded."""

    def __init__(self) -> None:
        self._carried = Carried()

    def keep(self, sent: dict[str, Any], content: list[dict[str, Any]]) -> None:
        """Remember an answer's content blocks (as they came) to the body that was sent."""
        call = _first_call(content)
        if call is not None and any(block.get("type") in THINKING for block in content):
            kept = (_before(sent, len(sent["messages"])), content)
            self._carried.keep(call, kept, len(orjson.dumps(content)))

    def give_back(self, body: dict[str, Any]) -> None:
        """Put what fits back into a body's turns, in place."""
        for place, turn in enumerate(body["messages"]):
            call = _first_call(turn["content"]) if turn["role"] == "assistant" else None
            kept = self._carried.get(call) if call is not None else None
            if kept is not None and _said(kept[1]) == _said(turn["content"]) and kept[0] == _before(body, place):
                turn["content"] = kept[1]


class Blocks:
    """The content blocks of a stream, put together again from its events."""

    def __init__(self) -> None:
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, str] = {}

    def add(self, piece: dict[str, Any]) -> None:
        """One event of the stream."""
        index, delta = piece.get("index"), piece.get("delta") or {}
        if not isinstance(index, int):
            return
        if piece.get("type") == "content_block_start":
            self._blocks[index] = dict(piece.get("content_block") or {})
            return
        block, name = self._blocks.get(index), GROWING.get(str(delta.get("type")))
        if block is not None and name is not None:
            block[name] = str(block.get(name) or "") + str(delta.get(name) or "")
        elif delta.get("type") == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + str(delta.get("partial_json") or "")

    def content(self) -> list[dict[str, Any]]:
        """The whole content; empty when a tool's input cannot be read."""
        try:
            for index, raw in self._inputs.items():
                if raw and index in self._blocks:
                    self._blocks[index]["input"] = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return []
        return [self._blocks[index] for index in sorted(self._blocks)]


def _first_call(content: list[dict[str, Any]]) -> str | None:
    return next((str(block.get("id")) for block in content if block.get("type") == "tool_use"), None)


def _said(content: list[dict[str, Any]]) -> tuple[str, list[tuple[Any, Any, Any]]]:
    """What a turn says besides its thinking: its text and its calls."""
    calls = [block for block in objects(content) if block.get("type") == "tool_use"]
    text = "".join(str(block.get("text") or "") for block in content if block.get("type") == "text")
    return text, [(call.get("id"), call.get("name"), call.get("input") or {}) for call in calls]


def _before(body: dict[str, Any], place: int) -> str:
    """A hash of the model and of everything that stands before a turn."""
    earlier = [body["model"], body.get("system"), body.get("tools"), body["messages"][:place]]
    return hashlib.sha256(orjson.dumps(earlier)).hexdigest()
