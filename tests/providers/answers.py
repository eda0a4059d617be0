"""Answers as the providers' documentation gives them: whole and streamed; written out for the tests."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["STREAMED", "WHOLE", "event_bytes"]

# --- OpenAI, Responses ---------------------------------------------------------------------------------------------


def response(output: list[dict[str, Any]], *, status: str = "completed", reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-6-luna-2026-09-01",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 16},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 24},
            "total_tokens": 160,
        },
    }


def said(text: str, *, item: str = "msg_1") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": item, "type": "message", "role": "assistant", "status": "completed", "content": [part]}


REASONED = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB-opaque"}
CALLED = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_9",
    "name": "get_weather",
    "arguments": '{"city":"Oslo"}',
}
CALLED_TOO = CALLED | {"id": "fc_2", "call_id": "call_10", "arguments": '{"city":"Rome"}'}
REFUSED = {
    "id": "msg_2",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "refusal", "refusal": "I cannot help with that."}],
}


def responses_stream(final: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a response, as the streaming reference lists them."""
    begun = final | {"status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(final["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "function_call":
            empty = item | {"arguments": "", "status": "in_progress"}
            events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
            text = item["arguments"]
            for piece in (text[:5], text[5:9], text[9:]):
                events.append({"type": "response.function_call_arguments.delta", **at, "delta": piece})
            events.append(
                {"type": "response.function_call_arguments.done", **at, "arguments": text, "name": item["name"]}
            )
        elif item["type"] == "message":
            events.append({"type": "response.output_item.added", "output_index": index, "item": item | {"content": []}})
            for place, part in enumerate(item["content"]):
                kind = "refusal" if part["type"] == "refusal" else "output_text"
                text = part.get("text") or part.get("refusal")
                here = {**at, "content_index": place}
                blank = part | ({"text": ""} if "text" in part else {"refusal": ""})
                events.append({"type": "response.content_part.added", **here, "part": blank})
                for start in range(0, len(text), 7):
                    delta = {"type": f"response.{kind}.delta", **here, "delta": text[start : start + 7]}
                    events.append(delta | ({"logprobs": []} if kind == "output_text" else {}))
                events.append({"type": "response.content_part.done", **here, "part": part})
        else:
            events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    end = "response.incomplete" if final["status"] == "incomplete" else "response.completed"
    events.append({"type": end, "response": final})
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


# --- Anthropic, Messages -------------------------------------------------------------------------------------------


def message(content: list[dict[str, Any]], *, reason: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 40,
            "cache_read_input_tokens": 64,
            "cache_creation_input_tokens": 16,
            "output_tokens": 40,
            "output_tokens_details": {"thinking_tokens": 24},
        },
    }


THOUGHT = {"type": "thinking", "thinking": "", "signature": "EqQBCg-opaque"}
USED = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
USED_TOO = {"type": "tool_use", "id": "toolu_2", "name": "list_cities", "input": {}}


def messages_stream(final: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a message, as the streaming guide lists them."""
    usage = dict(final["usage"])
    begun = final | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    begun["usage"].pop("output_tokens_details")
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(final["content"]):
        if block["type"] == "text":
            start: dict[str, Any] = {"type": "text", "text": ""}
            text = block["text"]
            deltas: list[dict[str, Any]] = [
                {"type": "text_delta", "text": text[place : place + 7]} for place in range(0, len(text), 7)
            ]
        elif block["type"] == "tool_use":
            start = block | {"input": {}}
            raw = '{"city": "Oslo"}' if block["input"] else ""
            pieces = ("", raw[:6], raw[6:]) if raw else ("",)
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        else:
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "signature_delta", "signature": block["signature"]}]
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": final["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": usage})
    events.append({"type": "message_stop"})
    return events


# --- Gemini, generateContent ---------------------------------------------------------------------------------------


def generated(parts: list[dict[str, Any]], *, reason: str = "STOP") -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 120,
            "cachedContentTokenCount": 64,
            "candidatesTokenCount": 16,
            "thoughtsTokenCount": 24,
            "totalTokenCount": 160,
        },
        "modelVersion": "gemini-3.5-flash-lite",
        "responseId": "resp-g1",
    }


ASKED_FOR = {
    "functionCall": {"id": "fc-1", "name": "get_weather", "args": {"city": "Oslo"}},
    "thoughtSignature": "c2lnbmF0dXJl",
}
ASKED_FOR_TOO = {"functionCall": {"id": "fc-2", "name": "get_weather", "args": {"city": "Rome"}}}


def generated_stream(final: dict[str, Any]) -> list[dict[str, Any]]:
    """A GenerateContentResponse for each piece; the last one carries the reason and all the usage."""
    candidate = final["candidates"][0]
    pieces: list[dict[str, Any]] = []
    for part in candidate["content"]["parts"]:
        if "text" in part:
            text = part["text"]
            pieces += [part | {"text": text[place : place + 7]} for place in range(0, len(text), 7)]
        else:
            pieces.append(part)
    pieces = pieces or [{"text": ""}]
    head = {"modelVersion": final["modelVersion"], "responseId": final["responseId"]}
    events = [
        {"candidates": [{"content": {"role": "model", "parts": [piece]}, "index": 0}], **head} for piece in pieces
    ]
    events[-1]["candidates"][0]["finishReason"] = candidate["finishReason"]
    events[-1]["usageMetadata"] = final["usageMetadata"]
    return events


# --- the table -----------------------------------------------------------------------------------------------------

LONG = "Paris is the capital of France. Ça va? 東京 🗼"
WHOLE: dict[str, dict[str, dict[str, Any]]] = {
    "openai": {
        "text": response([REASONED, said(LONG)]),
        "tools": response([REASONED, said("I will look."), CALLED, CALLED_TOO]),
        "refusal": response([REFUSED]),
        "length": response([said("Paris is")], status="incomplete", reason="max_output_tokens"),
        "filter": response([said("Paris")], status="incomplete", reason="content_filter"),
    },
    "anthropic": {
        "text": message([THOUGHT, {"type": "text", "text": LONG}]),
        "tools": message([THOUGHT, {"type": "text", "text": "I will look."}, USED, USED_TOO], reason="tool_use"),
        "refusal": message([], reason="refusal"),
        "length": message([{"type": "text", "text": "Paris is"}], reason="max_tokens"),
        "filter": message([{"type": "text", "text": "Paris"}], reason="refusal"),
    },
    "gemini": {
        "text": generated([{"text": "Let me think.", "thought": True}, {"text": LONG}]),
        "tools": generated([{"text": "I will look."}, ASKED_FOR, ASKED_FOR_TOO]),
        "refusal": generated([], reason="SAFETY"),
        "length": generated([{"text": "Paris is"}], reason="MAX_TOKENS"),
        "filter": generated([{"text": "Paris"}], reason="PROHIBITED_CONTENT"),
    },
}
STREAMS = {"openai": responses_stream, "anthropic": messages_stream, "gemini": generated_stream}
STREAMED = {name: {case: STREAMS[name](final) for case, final in cases.items()} for name, cases in WHOLE.items()}


def event_bytes(name: str, events: list[dict[str, Any]]) -> list[bytes]:
    """Each event as it stands on the wire; two of the three name their events."""
    lines = []
    for event in events:
        head = b"" if name == "gemini" else f"event: {event['type']}\n".encode()
        lines.append(head + b"data: " + orjson.dumps(event) + b"\n\n")
    return lines
