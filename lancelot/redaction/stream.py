"""Placeholders put right while an answer is still arriving, in texts and in tool-call arguments.

However the stream is cut into chunks, the result is the one `Vault.restore` gives for the whole text. Only what may be
the beginning of a placeholder is held back, never more than `placeholders.LONGEST` characters.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lancelot.chat import Chunk
from lancelot.redaction.placeholders import LONGEST, grammar
from lancelot.redaction.vault import Vault

__all__ = ["StreamRestorer", "TextRestorer"]

_TEXTS = ("content", "reasoning_content", "refusal")


class TextRestorer:
    """One text that arrives in pieces. Not thread-safe: one stream, one reader."""

    def __init__(self, vault: Vault, *, in_json: bool = False) -> None:
        self._vault = vault
        self._in_json = in_json
        self._idle = len(vault) == 0
        self._whole, self._beginning, self._start = grammar(vault.labels() or ("ID",), in_json=in_json)
        self._before = ""
        self._held = ""

    @property
    def held(self) -> int:
        """Characters held back at the moment."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """What can be shown after one more piece."""
        return piece if self._idle or not piece else self._advance(piece, last=False)

    def flush(self) -> str:
        """The rest, when nothing more comes."""
        return self._advance("", last=True) if self._held else ""

    def _advance(self, piece: str, *, last: bool) -> str:
        # The character before stays in sight: it decides whether a word begins here.
        text = self._before + self._held + piece
        position = len(self._before)
        shown: list[str] = []
        while True:
            waiting = len(text) if last else self._first_open(text, position)
            match = self._whole.search(text, position)
            if match is None or match.start() >= waiting:
                break
            shown += (text[position : match.start()], self._vault.replacement(match, self._in_json))
            position = match.end()
        shown.append(text[position:waiting])
        self._before = text[waiting - 1 : waiting]
        self._held = text[waiting:]
        return "".join(shown)

    def _first_open(self, text: str, position: int) -> int:
        """Where the first possible beginning of a placeholder stands that runs up to the end; len(text) without one."""
        for match in self._start.finditer(text, max(position, len(text) - LONGEST)):
            if self._beginning.fullmatch(text, match.start()):
                return match.start()
        return len(text)


class StreamRestorer:
    """A whole streamed answer: contents, reasoning, refusals, and names and arguments of each tool call by its index.

    json_content: the answer's content was asked for as JSON, so originals are escaped for it.
    """

    def __init__(self, vault: Vault, *, json_content: bool = False) -> None:
        self._vault = vault
        self._texts = {name: TextRestorer(vault, in_json=json_content and name == "content") for name in _TEXTS}
        self._names: dict[int, TextRestorer] = {}
        self._arguments: dict[int, TextRestorer] = {}
        self._model: str | None = None
        self._sent: str | None = None

    def feed(self, chunk: Chunk) -> list[Chunk]:
        """The chunks to show for one that arrived: none while everything in it is held back."""
        self._model, self._sent = chunk.model or self._model, chunk.sent_sha256 or self._sent
        if len(self._vault) == 0:
            return [chunk]
        delta, withheld = dict(chunk.delta), False
        for name in _TEXTS:
            piece = delta.get(name)
            if isinstance(piece, str) and piece:
                delta[name] = self._texts[name].feed(piece)
                if not delta[name]:
                    del delta[name]
                    withheld = True
        if delta.get("tool_calls"):
            calls = [call for call in map(self._call, delta["tool_calls"]) if call is not None]
            withheld = withheld or len(calls) < len(delta["tool_calls"])
            delta["tool_calls"] = calls
            if not calls:
                del delta["tool_calls"]
        if chunk.finish_reason is not None:
            self._end(delta)
        elif withheld and not delta and chunk.usage is None:
            return []
        return [dataclasses.replace(chunk, delta=delta)]

    def flush(self) -> list[Chunk]:
        """What is still held back when the stream ends without a finish reason."""
        delta: dict[str, Any] = {}
        self._end(delta)
        return [Chunk(delta=delta, model=self._model, sent_sha256=self._sent)] if delta else []

    def _call(self, call: dict[str, Any]) -> dict[str, Any] | None:
        index = int(call.get("index") or 0)
        function = call.get("function")
        if not isinstance(function, dict):
            return call
        function = dict(function)
        had_text = bool(function.get("name") or function.get("arguments"))
        name, arguments = function.get("name"), function.get("arguments")
        if name:
            names = self._names.setdefault(index, TextRestorer(self._vault))
            function["name"] = names.feed(name)
        if arguments is not None:
            # Arguments begin when the name is complete.
            rest = self._names[index].flush() if index in self._names else ""
            if rest:
                function["name"] = (function.get("name") or "") + rest
            if index not in self._arguments:
                self._arguments[index] = TextRestorer(self._vault, in_json=True)
            function["arguments"] = self._arguments[index].feed(arguments)
        if name and not function["name"]:
            del function["name"]
        shown = call | {"function": function}
        nothing_new = not function.get("name") and not function.get("arguments")
        return None if had_text and nothing_new and not call.get("id") else shown

    def _end(self, delta: dict[str, Any]) -> None:
        """Adds everything held back to the last delta."""
        for name in _TEXTS:
            if rest := self._texts[name].flush():
                delta[name] = (delta.get(name) or "") + rest
        calls = {int(call.get("index") or 0): call for call in delta.get("tool_calls") or []}
        for index in sorted({*self._names, *self._arguments}):
            name = self._names[index].flush() if index in self._names else ""
            arguments = self._arguments[index].flush() if index in self._arguments else ""
            if not name and not arguments:
                continue
            call = calls.setdefault(index, {"index": index, "function": {}})
            function = dict(call["function"])
            if name:
                function["name"] = (function.get("name") or "") + name
            if arguments:
                function["arguments"] = (function.get("arguments") or "") + arguments
            calls[index] = call | {"function": function}
        if calls:
            delta["tool_calls"] = [calls[index] for index in calls]
