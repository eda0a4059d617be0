"""One answer that uses a placeholder, in each provider's own form, whole and streamed in small pieces."""

from __future__ import annotations

import json
from typing import Any

from tests.recording import Scripted

__all__ = ["SAID", "streamed", "whole"]

SAID = "Done, <EMAIL_1>."
ARGUMENTS = {"to": "<EMAIL_1>"}


def whole(name: str) -> dict[str, Any]:
    """An answer with a text and a tool call that use a placeholder, in the provider's own form."""
    answers: dict[str, dict[str, Any]] = {
        "openai": {
            "id": "r",
            "status": "completed",
            "model": "m",
            "output": [
                {"id": "a", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": SAID}]},
                {
                    "id": "b",
                    "type": "function_call",
                    "call_id": "c",
                    "name": "send",
                    "arguments": json.dumps(ARGUMENTS),
                },
            ],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
        "anthropic": {
            "id": "r",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [
                {"type": "text", "text": SAID},
                {"type": "tool_use", "id": "c", "name": "send", "input": ARGUMENTS},
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
        "gemini": {
            "candidates": [
                {
                    "content": {
                        "role": "model",
                        "parts": [{"text": SAID}, {"functionCall": {"id": "c", "name": "send", "args": ARGUMENTS}}],
                    },
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1},
            "modelVersion": "m",
        },
        "selfhosted": {
            "id": "r",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "message": {
                        "role": "assistant",
                        "content": SAID,
                        "tool_calls": [
                            {
                                "id": "c",
                                "type": "function",
                                "function": {"name": "send", "arguments": json.dumps(ARGUMENTS)},
                            }
                        ],
                    },
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        },
    }
    return answers[name]


def events(name: str) -> list[dict[str, Any]]:
    """The same answer as a stream, the placeholder cut in pieces."""
    raw = json.dumps(ARGUMENTS)
    if name == "openai":
        call = {"id": "b", "type": "function_call", "call_id": "c", "name": "send", "arguments": ""}
        return [
            {"type": "response.created", "response": whole(name) | {"status": "in_progress", "output": []}},
            *({"type": "response.output_text.delta", "item_id": "a", "output_index": 0, "delta": piece}
              for piece in pieces(SAID)),
            {"type": "response.output_item.added", "output_index": 1, "item": call},
            *({"type": "response.function_call_arguments.delta", "item_id": "b", "output_index": 1, "delta": piece}
              for piece in pieces(raw)),
            {"type": "response.output_item.done", "output_index": 1, "item": call | {"arguments": raw}},
            {"type": "response.completed", "response": whole(name)},
        ]  # fmt: skip
    if name == "anthropic":
        begun = whole(name) | {"content": [], "stop_reason": None}
        tool = {"type": "tool_use", "id": "c", "name": "send", "input": {}}
        return [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
              for piece in pieces(SAID)),
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": tool},
            *({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}
              for piece in pieces(raw)),
            {"type": "content_block_stop", "index": 1},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ]  # fmt: skip
    if name == "gemini":
        last = whole(name)
        call_part = last["candidates"][0]["content"]["parts"][1]
        said = [{"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]}}]} for piece in pieces(SAID)]
        last["candidates"][0]["content"]["parts"] = [call_part]
        return [*said, last]
    call_start = {"index": 0, "id": "c", "type": "function", "function": {"name": "send", "arguments": ""}}
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in pieces(SAID)]
    deltas += [{"tool_calls": [call_start]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces(raw)]
    shown = [{"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return [*shown, {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]


def pieces(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def streamed(name: str) -> Scripted:
    lines = b""
    for event in events(name):
        if name in ("openai", "anthropic"):
            lines += f"event: {event['type']}\n".encode()
        lines += b"data: " + json.dumps(event).encode() + b"\n\n"
    if name == "selfhosted":
        lines += b"data: [DONE]\n\n"
    return Scripted(lines, headers={"content-type": "text/event-stream"})
