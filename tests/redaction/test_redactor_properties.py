"""What must hold for every text and every request, not only for the examples anybody thought of."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lancelot.chat import ChatRequest
from lancelot.redaction.labels import LABELS, Span
from lancelot.redaction.redactor import RedactedRequest
from lancelot.redaction.vault import Vault
from tests.redaction.samples import redactor, redactor_with, texts, whole_token

EXAMPLES = int(os.environ.get("LANCELOT_FUZZ_EXAMPLES", "60"))
"""`make fuzz` asks for more."""
REDACTOR = redactor()
PLACEHOLDER = re.compile(r"<[A-Z_]+_\d+>|(?<![A-Za-z0-9])redacted_[A-Z_]+_\d+")
keys = st.one_of(texts, st.sampled_from(["to", "who", "amount", "billing@example.com", "Zoë Keller"]))
leaves = st.one_of(texts, st.integers(), st.booleans(), st.none(), st.sampled_from([4111111111111111, 3.5]))
documents = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)), max_leaves=6
)
objects = st.dictionaries(keys, documents, max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    """A request with something in every field that holds text."""
    arguments = draw(
        st.one_of(objects.map(json.dumps), objects.map(lambda o: json.dumps(o, ensure_ascii=False)), texts)
    )
    return ChatRequest.model_validate(
        {
            "messages": [
                {"role": "system", "content": draw(texts)},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": draw(texts)}, {"type": "text", "text": draw(texts)}],
                },
                {
                    "role": "assistant",
                    "content": draw(texts),
                    "reasoning_content": draw(texts),
                    "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": arguments}}
                    ],
                },
                {
                    "role": "tool",
                    "tool_call_id": "call_1",
                    "content": draw(st.one_of(texts, documents.map(json.dumps))),
                },
            ],
            "stop": [draw(texts)],
            "user": draw(texts),
            "metadata": draw(st.dictionaries(texts, texts, max_size=3)),
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "send",
                        "description": draw(texts),
                        "parameters": {
                            "type": "object",
                            "properties": draw(
                                st.dictionaries(keys, st.fixed_dictionaries({"description": texts}), max_size=3)
                            ),
                        },
                    },
                }
            ],
        }
    )


def strings(value: Any) -> list[str]:
    """Every string in a structure, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def restored(redacted: RedactedRequest) -> dict[str, Any]:
    """The request with all placeholders undone, JSON texts as JSON."""

    def back(value: Any, *, may_be_json: bool = False) -> Any:
        if isinstance(value, str):
            if may_be_json and parsed(value) is not None:
                return parsed(redacted.vault.restore(value, in_json=True))
            return redacted.vault.restore(value)
        if isinstance(value, dict):
            return {back(key): back(item, may_be_json=key in ("arguments", "content")) for key, item in value.items()}
        return [back(item) for item in value] if isinstance(value, list) else value

    return back(redacted.chat.model_dump())


def plain(value: Any, *, may_be_json: bool = False) -> Any:
    if isinstance(value, str):
        return parsed(value) if may_be_json and parsed(value) is not None else value
    if isinstance(value, dict):
        return {key: plain(item, may_be_json=key in ("arguments", "content")) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def without_placeholders(text: str, vault: Vault) -> str:
    """The text with a sign that is no letter for each placeholder this vault gave out.

    For the form that ends in a digit the sign ends in a rare letter: what is glued to it stays glued.
    """
    ours = {entry.text: "\0" for entry in vault} | {entry.name: "\0\ua74f" for entry in vault}
    return PLACEHOLDER.sub(lambda m: ours.get(m.group(), m.group()), text)


def parsed(text: str) -> Any:
    """The object or array a JSON text holds, or None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(texts)
def test_restoring_a_redacted_text_gives_the_text(text: str) -> None:
    redacted = REDACTOR.redact(text)
    assert redacted.restore() == text
    assert REDACTOR.redact(text, policy="strict").restore() == text


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(texts)
def test_no_masked_original_leaves_a_text(text: str) -> None:
    redacted = REDACTOR.redact(text, policy="strict")
    leaving = without_placeholders(redacted.text, redacted.vault)
    for span in redacted.spans:
        original = text[span.start : span.end]
        if any(c.isalnum() for c in original):
            assert not whole_token(original, leaving)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(texts, st.data())
def test_both_hold_whatever_the_detectors_find(text: str, data: st.DataObject) -> None:
    places = data.draw(
        st.lists(st.tuples(st.integers(0, len(text)), st.integers(1, 12), st.sampled_from(LABELS)), max_size=6)
    )
    spans = [Span(start, min(len(text), start + length), label, "tagger") for start, length, label in places]
    redacted = redactor_with(lambda _: [span for span in spans if span.start < span.end]).redact(text, policy="strict")
    assert redacted.restore() == text
    leaving = without_placeholders(redacted.text, redacted.vault)
    for span in redacted.spans:
        original = text[span.start : span.end]
        if any(c.isalnum() for c in original):
            assert not whole_token(original, leaving)


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests())
def test_a_whole_request_comes_back(request: ChatRequest) -> None:
    assert restored(REDACTOR.redact_request(request, policy="strict")) == plain(request.model_dump())


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests())
def test_no_masked_original_leaves_a_request_in_any_field(request: ChatRequest) -> None:
    redacted = REDACTOR.redact_request(request, policy="strict")
    leaving: list[str] = []
    for text in strings(redacted.chat.model_dump(exclude_none=True)):
        leaving += [text] if parsed(text) is None else strings(parsed(text))
    cleaned = [without_placeholders(text, redacted.vault) for text in leaving]
    for entry in redacted.vault:
        if any(c.isalnum() for c in entry.original):
            assert not [text for text in cleaned if whole_token(entry.original, text)], entry.original


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(texts, min_size=2, max_size=4))
def test_turns_of_a_conversation_come_back_each(turns: list[str]) -> None:
    redactor_ = redactor()
    for turn in turns:
        chat = ChatRequest.model_validate({"messages": [{"role": "user", "content": turn}]})
        redacted = redactor_.redact_request(chat, policy="strict", conversation="c1")
        assert redacted.vault.restore(redacted.chat.text()) == turn
