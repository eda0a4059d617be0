"""Streams: however they are cut, the result is the same, and little is held back."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.chat import Chunk, Usage
from lancelot.redaction.placeholders import LONGEST
from lancelot.redaction.stream import StreamRestorer, TextRestorer
from lancelot.redaction.vault import Vault
from tests.redaction.samples import texts

ORIGINALS = [
    ("billing@example.com", "EMAIL"),
    ("zoe@example.org", "EMAIL"),
    ('Zoë "Zed" Keller', "PERSON"),
    ("line one\nline two \\ end", "SECRET"),
    ("1990-02-03", "DATE_OF_BIRTH"),
]


def vault() -> Vault:
    made = Vault()
    for original, label in ORIGINALS:
        made.add(original, label)
    made.add("4111111111111111", "CARD", numeric=True)
    return made


VAULT = vault()
spellings = st.sampled_from(
    [
        "<EMAIL_1>", "<email_2>", "< Person_1 >", "<PERSON 1>", "<Person-1>", "<SECRET\\_1>", "&lt;EMAIL_1&gt;",
        "\\u003cEMAIL_1\\u003e", "EMAIL_2", "redacted_PERSON_1", '"<CARD_1>"', '"<CARD_1> x"', "<DATE_OF_BIRTH_1>",
        "<date of birth 1>", "<EMAIL_9>", "<EMAIL_12>", "EMAIL_12345", "<EMAIL_", "<EM", "redacted_", "\\u003c", '"',
        "%3CEMAIL_1%3E", "%3cPERSON_1%3e", "%3", "&lt;PERSON_1&gt;",
    ]
)  # fmt: skip
streams = st.lists(st.one_of(spellings, texts, st.text(max_size=5)), max_size=10).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    """The text in pieces, empty ones included."""
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(streams, st.lists(st.integers(0, 200), max_size=30), st.booleans())
def test_chunking_never_changes_a_text(text: str, places: list[int], in_json: bool) -> None:
    restorer = TextRestorer(VAULT, in_json=in_json)
    shown = ""
    for piece in cut(text, places):
        shown += restorer.feed(piece)
        assert restorer.held <= LONGEST
    assert shown + restorer.flush() == VAULT.restore(text, in_json=in_json)


@given(streams, st.booleans())
def test_one_character_at_a_time_is_the_same(text: str, in_json: bool) -> None:
    restorer = TextRestorer(VAULT, in_json=in_json)
    assert "".join(map(restorer.feed, text)) + restorer.flush() == VAULT.restore(text, in_json=in_json)


@given(streams, streams, st.lists(st.integers(0, 200), max_size=12), st.lists(st.integers(0, 200), max_size=12))
def test_chunking_never_changes_an_answer(content: str, arguments: str, first: list[int], second: list[int]) -> None:
    """Content and two tool calls, interleaved."""
    chunks = [Chunk(delta={"role": "assistant", "content": ""}, model="m", sent_sha256="00")]
    contents, calls = cut(content, first), cut(arguments, second)
    for index in range(2):
        chunks.append(
            Chunk(
                delta={
                    "tool_calls": [
                        {
                            "index": index,
                            "id": f"c{index}",
                            "type": "function",
                            "function": {"name": "send", "arguments": ""},
                        }
                    ]
                }
            )
        )
    for position in range(max(len(contents), len(calls))):
        if position < len(contents):
            chunks.append(Chunk(delta={"content": contents[position]}))
        if position < len(calls):
            deltas = [{"index": index, "function": {"arguments": calls[position]}} for index in range(2)]
            chunks.append(Chunk(delta={"tool_calls": deltas}))
    chunks.append(Chunk(finish_reason="tool_calls"))
    chunks.append(Chunk(usage=Usage(1, 2)))
    shown = gathered(chunks)
    assert shown["content"] == VAULT.restore(content)
    wanted = VAULT.restore(arguments, in_json=True)
    assert shown["calls"] == {0: ("c0", "send", wanted), 1: ("c1", "send", wanted)}
    assert shown["finish"] == "tool_calls"
    assert shown["usage"] == Usage(1, 2)


def gathered(chunks: list[Chunk], restorer: StreamRestorer | None = None) -> dict[str, Any]:
    """What a client puts together from a stream."""
    restorer = restorer or StreamRestorer(VAULT)
    content, calls, finish, usage = "", {}, None, None
    shown = [out for chunk in chunks for out in restorer.feed(chunk)] + restorer.flush()
    for chunk in shown:
        assert finish is None or not chunk.delta, "nothing may follow the finish reason"
        content += chunk.delta.get("content") or ""
        for call in chunk.delta.get("tool_calls", []):
            id_, name, arguments = calls.get(call["index"], ("", "", ""))
            function = call.get("function", {})
            calls[call["index"]] = (
                id_ or call.get("id", ""),
                name + (function.get("name") or ""),
                arguments + (function.get("arguments") or ""),
            )
        finish, usage = chunk.finish_reason or finish, chunk.usage or usage
    return {"content": content, "calls": calls, "finish": finish, "usage": usage}


def test_a_placeholder_split_across_chunks_is_restored_and_text_flows_on() -> None:
    restorer = StreamRestorer(VAULT)
    pieces = ["Mail ", "<EM", "AIL", "_1", ">", " now"]
    out = [[chunk.delta["content"] for chunk in restorer.feed(Chunk(delta={"content": piece}))] for piece in pieces]
    assert out == [["Mail "], [], [], [], ["billing@example.com"], [" now"]]


def test_what_was_held_back_comes_with_the_finish_reason() -> None:
    restorer = StreamRestorer(VAULT)
    assert restorer.feed(Chunk(delta={"content": "a <EMAIL_1"}))[0].delta == {"content": "a "}
    (last,) = restorer.feed(Chunk(finish_reason="length"))
    assert last.delta == {"content": "<billing@example.com"}
    assert last.finish_reason == "length"
    assert restorer.flush() == []


def test_a_stream_that_breaks_gives_the_rest_at_the_flush() -> None:
    restorer = StreamRestorer(VAULT)
    restorer.feed(Chunk(delta={"content": "x <EMAIL"}, model="m", sent_sha256="ab"))
    assert restorer.flush() == [Chunk(delta={"content": "<EMAIL"}, model="m", sent_sha256="ab")]


def test_a_tool_name_is_restored_before_its_arguments() -> None:
    made = Vault()
    made.add("call_alice", "PERSON")
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "redacted_PERSON_1", "arguments": "{}"}}
    (chunk,) = StreamRestorer(made).feed(Chunk(delta={"tool_calls": [call]}))
    assert chunk.delta["tool_calls"][0]["function"] == {"name": "call_alice", "arguments": "{}"}


def test_arguments_stay_valid_json_whatever_the_originals_hold() -> None:
    arguments = json.dumps({"who": "<PERSON_1>", "body": "key: <SECRET_1>!", "card": "<CARD_1>"})
    calls = [
        Chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        for piece in cut(arguments, [9, 11, 30])
    ]
    shown = gathered(calls)["calls"][0][2]
    assert json.loads(shown) == {
        "who": 'Zoë "Zed" Keller',
        "body": "key: line one\nline two \\ end!",
        "card": 4111111111111111,
    }


def test_json_content_is_escaped_when_json_was_asked_for() -> None:
    pieces = [Chunk(delta={"content": piece}) for piece in ('{"key": "<SEC', 'RET_1>"}')]
    assert json.loads(gathered(pieces, StreamRestorer(VAULT, json_content=True))["content"]) == {
        "key": "line one\nline two \\ end"
    }


@pytest.mark.parametrize("delta", [{"role": "assistant", "content": ""}, {"content": None}, {}])
def test_chunks_without_text_pass(delta: dict[str, Any]) -> None:
    chunk = Chunk(delta=delta, model="m")
    assert StreamRestorer(VAULT).feed(chunk) == [chunk]


def test_without_placeholders_chunks_pass_untouched() -> None:
    chunk = Chunk(delta={"content": "<EMAIL"})
    assert StreamRestorer(Vault()).feed(chunk) == [chunk]
