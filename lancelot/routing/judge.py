"""Did the answer do? Signals that can be read off an answer without knowing the truth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from lancelot.chat import Answer, ChatRequest

__all__ = ["Verdict", "judge"]

_CANNOT = r"(?:can(?:no|['’])?t|unable|not able|won['’]t)"
_REFUSAL = re.compile(
    rf"^\W*(?:i(?:['’]m| am)? (?:really |truly |so )?(?:sorry|afraid|apologi[sz]e)[^.!?\n]{{0,60}}\b{_CANNOT}"
    r"|i (?:can(?:no|['’])t|won['’]t|must decline|am (?:not able|unable) to)\b|i['’]m (?:not able|unable) to\b"
    rf"|as an ai[^.!?\n]{{0,60}}\b{_CANNOT}|sorry,? (?:but )?(?:i )?{_CANNOT})",
    re.I,
)
_REFUSAL_LENGTH = 600  # a long answer that opens with an apology is an answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """`signal` is refusal, empty, truncated, schema_invalid or None when the answer will do."""

    signal: str | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        return self.signal is None


def judge(answer: Answer, chat: ChatRequest) -> Verdict:
    """The verdict on one complete answer to a request."""
    message = answer.message
    text = message.get("content") or ""
    calls = message.get("tool_calls") or []
    if answer.finish_reason == "content_filter" or message.get("refusal"):
        return Verdict("refusal", "the model refused")
    if not calls and not str(text).strip():
        return Verdict("empty", "the answer is empty")
    if answer.finish_reason == "length" and chat.output_limit is None:
        return Verdict("truncated", "the answer was cut off")
    if not calls and len(text) < _REFUSAL_LENGTH and _REFUSAL.match(text):
        return Verdict("refusal", "the answer reads like a refusal")
    return _calls(calls, chat) if calls else _form(str(text), chat)


def _form(text: str, chat: ChatRequest) -> Verdict:
    wanted = chat.response_format or {}
    if wanted.get("type") not in ("json_object", "json_schema"):
        return Verdict()
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Verdict("schema_invalid", "the answer is not JSON")
    if wanted["type"] == "json_object":
        return Verdict() if isinstance(data, dict) else Verdict("schema_invalid", "the answer is not a JSON object")
    return _against((wanted.get("json_schema") or {}).get("schema"), data, "the answer")


def _calls(calls: list[dict[str, Any]], chat: ChatRequest) -> Verdict:
    offered = {
        tool.get("function", {}).get("name"): tool.get("function", {}).get("parameters") for tool in chat.tools or ()
    }
    for call in calls:
        function = call.get("function") or {}
        if offered and function.get("name") not in offered:
            return Verdict("schema_invalid", "it calls a tool that was not offered")
        try:
            arguments = orjson.loads(function.get("arguments") or "{}")
        except orjson.JSONDecodeError:
            return Verdict("schema_invalid", "a tool call's arguments are not JSON")
        verdict = _against(offered.get(function.get("name")), arguments, "a tool call")
        if not verdict.ok:
            return verdict
    return Verdict()


def _against(schema: Any, data: Any, what: str) -> Verdict:
    if not isinstance(schema, dict):
        return Verdict()
    import jsonschema  # not at every start: beside the notebooks' packages it reads a grammar first, for a second

    try:
        jsonschema.validate(data, schema)
    except jsonschema.ValidationError:
        return Verdict("schema_invalid", f"{what} does not fit its schema")
    except (jsonschema.SchemaError, RecursionError):
        return Verdict()  # the caller's schema is not ours to judge
    return Verdict()
