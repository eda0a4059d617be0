"""A request with personal data in every field; each piece holds a random run that can be looked for."""

from __future__ import annotations

import json
import random
from typing import Any

from lancelot.chat import ChatRequest

__all__ = ["Canaries", "found", "request"]


class Canaries:
    """Random personal data, one for each field; `runs` says which run of characters belongs to which field."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.runs: dict[str, str] = {}

    def _run(self, field: str, alphabet: str = "bcdfghjkmnpqrstvwxz23456789", length: int = 14) -> str:
        run = "".join(self._random.choices(alphabet, k=length))
        self.runs[field] = run
        return run

    def email(self, field: str) -> str:
        return f"x{self._run(field)}@mail.example.com"

    def mixed(self, field: str) -> str:
        """Another kind of personal data each time."""
        kind = self._random.choice(("email", "key", "login", "card"))
        if kind == "key":
            return "ghp_" + self._run(field, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz0123456789", 36)
        if kind == "login":
            return f"https://ann:{self._run(field)}@db.internal/x"
        return self.email(field) if kind == "email" else self.card(field)

    def card(self, field: str) -> str:
        digits = "4" + "".join(self._random.choices("0123456789", k=14))
        doubled = (int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(digits))
        total = sum(number - 9 if number > 9 else number for number in doubled)
        self.runs[field] = digits + str(-total % 10)
        return self.runs[field]


def request(seed: int, *, tools: bool) -> tuple[ChatRequest, Canaries]:
    """A request with a canary in every field; with or without tools."""
    c = Canaries(seed)
    name = f"pay_{c.card('tool name')}" if tools else ""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": f"Help {c.mixed('system')} politely."},
        {"role": "developer", "content": f"Never name {c.mixed('developer')}."},
        {"role": "user", "content": f"I am {c.mixed('user')}.", "name": f"u_{c.card('author name')}"},
        {"role": "assistant", "content": f"Hello {c.mixed('assistant')}!"},
        {
            "role": "user",
            "content": [{"type": "text", "text": f"Write to {c.mixed('user part')}"}, {"type": "text", "text": "."}],
        },
    ]
    fields: dict[str, Any] = {
        "stop": [c.email("stop")],
        "user": c.email("user field"),
        "safety_identifier": c.email("safety field"),
        "prompt_cache_key": c.email("cache key"),
        "metadata": {c.email("metadata key"): c.email("metadata value")},
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": f"f_{c.card('format name')}",
                "schema": {
                    "type": "object",
                    "properties": {"a": {"type": "string", "description": c.email("format schema")}},
                },
            },
        },
    }
    if tools:
        inner = json.dumps({"deep": [c.email("arguments in arguments")]})
        arguments = {
            "to": c.email("arguments"),
            c.email("arguments key"): 1,
            "inner": inner,
            "card": int(c.card("number")),
        }
        messages += [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": json.dumps({c.email("tool result key"): c.email("tool result")}),
            },
        ]
        fields["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": name,
                    "description": c.email("tool description"),
                    "parameters": {
                        "type": "object",
                        "properties": {
                            c.email("property name"): {
                                "type": "string",
                                "description": c.email("property description"),
                                "enum": [c.email("enum")],
                            }
                        },
                        "required": [],
                    },
                },
            }
        ]
        fields["tool_choice"] = {"type": "function", "function": {"name": name}}
    return ChatRequest.model_validate({"messages": messages, **fields}), c


def found(canaries: Canaries, raw: bytes) -> set[str]:
    """The fields whose canary can be seen in the bytes."""
    seen = raw.decode("utf-8", "replace").lower()
    return {field for field, run in canaries.runs.items() if run.lower() in seen}
