"""Whatever the model likes, the JSON is valid and the spans are in the text."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_models.grammar import FieldRule, JsonLine, SpanLines
from local_models.grounding import dates_in, numbers_in
from local_models.guards import stray_words
from local_models.plans import schema_fields
from local_models.vocabulary import KnownWords
from local_models.writing import Constraint

KINDS = ["string", "date", "number", "integer", "boolean"]


def wander(rule: Constraint, chance: random.Random, steps: int, likely: bytes = b"") -> bytes:
    """Write random allowed bytes, as a model that knows nothing would."""
    written = b""
    for _ in range(steps):
        written += (forced := rule.forced())
        rule.accept(forced)
        allowed = [bytes([byte]) for byte in range(256) if rule.allows(bytes([byte]))]
        if not allowed:
            assert rule.may_end()
            break
        piece = chance.choice([byte for byte in allowed if byte in likely] or allowed)
        rule.accept(piece)
        written += piece
    return written


def right(value: Any, rule: FieldRule) -> bool:
    if value is None:
        return True
    if rule.kind == "enum":
        return value in rule.options
    kind: Any = {"boolean": bool, "integer": int, "number": (int, float)}.get(rule.kind, str)
    return isinstance(value, kind) and (rule.kind == "boolean" or not isinstance(value, bool))


@settings(deadline=None, max_examples=60)
@given(
    kinds=st.lists(st.sampled_from([*KINDS, "enum"]), min_size=1, max_size=5),
    names=st.lists(st.text(min_size=1, max_size=8).filter(str.isprintable), min_size=5, max_size=5, unique=True),
    seed=st.integers(0, 10_000),
    steps=st.integers(0, 150),
)
def test_any_walk_ends_in_valid_json(kinds: list[str], names: list[str], seed: int, steps: int) -> None:
    rules = [FieldRule(n, k, ("red", "reddish", 7)) for n, k in zip(names, kinds, strict=False)]
    line = JsonLine(rules)
    # an allowed token may end inside a character, so the text is decoded the way the engine does it
    text = wander(line, random.Random(seed), steps, b' "n1-r').decode("utf-8", "ignore")
    found = json.loads(text + ("" if line.may_end() else line.closing().decode()))
    assert list(found) == [rule.name for rule in rules]
    assert all(right(found[rule.name], rule) for rule in rules)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), steps=st.integers(0, 120))
def test_with_a_source_every_value_comes_from_it(seed: int, steps: int) -> None:
    source = 'Order 1,250.50 EUR by "Anna\\Berg"\nuntil 31 December 2026, twelve pieces'
    rules = [FieldRule(kind, kind) for kind in KINDS]
    line = JsonLine(rules, source)
    text = wander(line, random.Random(seed), steps, b' "n12A-').decode("utf-8", "ignore")
    found = json.loads(text + ("" if line.may_end() else line.closing().decode()))
    written = len(json.loads(text)) if line.may_end() else 0
    if written:  # cut off in the middle, only the form is promised
        assert found["string"] is None or found["string"] in source
        assert found["date"] is None or found["date"] in (*dates_in(source), source) or found["date"] in source
        assert found["number"] in (None, 1250.5, 31, 2026, 12)
        assert found["integer"] in (None, 31, 2026, 12)


def test_numbers_and_dates_of_a_text() -> None:
    text = "Total 1,250.50 EUR, 1.234,56 before, -4 degrees, 1.2 million, a table for six, 007"
    assert {"1250.5", "1250.50", "1234.56", "-4", "1200000", "6", "7"} <= set(numbers_in(text))
    assert "1.2" in numbers_in(text)
    dates = "31 December 2026, Jan 5th, 2025, 2024-02-29, 3.4.2026, 12th of May 2020, 30 February 2026, 2 May"
    assert dates_in(dates) == ["2026-12-31", "2020-05-12", "2025-01-05", "2024-02-29", "2026-04-03", "2026-03-04"]


def test_keys_are_forced_and_a_token_may_span_fields() -> None:
    line = JsonLine([FieldRule("total", "number"), FieldRule("paid", "boolean")])
    assert line.forced() == b'{"total":'
    line.accept(line.forced())
    assert line.allows(b" 12.5, ")
    assert not line.allows(b" 12.5,,")
    assert not line.allows(b" 01")
    assert not line.allows(b' "twelve"')
    line.accept(b" 12.5,")
    assert line.forced() == b' "paid":'
    line.accept(line.forced())
    line.accept(b" true")
    assert line.forced() == b"}"
    line.accept(b"}")
    assert line.may_end()


def test_strings_are_bounded() -> None:
    line = JsonLine([FieldRule("a", "string")])
    line.accept(line.forced())
    line.accept(b' "' + b"x" * 239)
    assert not line.allows(b"x")
    assert line.allows(b'"')


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"a": "text"},
        {"a": {"type": "array"}},
        {"a": []},
        {"a": None},
    ],
)
def test_a_schema_that_is_not_flat_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"field|needs"):
        schema_fields(schema)


def test_flat_json_schema_is_understood() -> None:
    rules = schema_fields(
        {
            "type": "object",
            "properties": {
                "due": {"type": "string", "format": "date"},
                "n": {"type": ["integer", "null"]},
                "colour": {"enum": ["red", "blue", None]},
            },
        }
    )
    assert [(rule.name, rule.kind) for rule in rules] == [("due", "date"), ("n", "integer"), ("colour", "enum")]
    assert rules[2].options == ("red", "blue")


TEXT = "Anna Berg (anna@x.org)\nwrote to Günther at Straße 5. Anna Berg again."


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), steps=st.integers(0, 200))
def test_spans_are_always_literal_and_never_repeated(seed: int, steps: int) -> None:
    rule = SpanLines(TEXT)
    wander(rule, random.Random(seed), steps, b"NAME\tAnna Berg\nEMAIL")
    lines = rule.lines
    assert all(text in TEXT and text.strip() for _, text in lines)
    assert len(set(lines)) == len(lines)


def test_none_ends_the_answer() -> None:
    rule = SpanLines(TEXT)
    rule.accept(b"NONE")
    assert rule.may_end()
    assert rule.lines == []
    assert not any(rule.allows(bytes([byte])) for byte in range(256))
    started = SpanLines(TEXT)
    started.accept(b"NAME\tAnna Berg\n")
    assert not started.allows(b"NONE")
    assert started.may_end()
    assert not started.allows(b"NAME\tAnna Berg\n"), "a line is not said twice"


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), steps=st.integers(0, 120))
def test_a_rewrite_has_only_words_that_were_said(seed: int, steps: int) -> None:
    said = ["How much does it cost?", "Tell me about the Falcon 9 rockets in Köln"]
    rule = KnownWords(said)
    text = wander(rule, random.Random(seed), steps, b" falconrcketsKn9").decode("utf-8", "ignore")
    words = text.split()[: None if rule.may_end() else -1]
    assert not stray_words(" ".join(words), said)


def test_words_said_in_another_form_are_known() -> None:
    rule = KnownWords(["Where are Anna's boxes?"])
    for piece in (b"Where", b" is", b" Anna", b"'s", b" box", b"es", b"?"):
        assert rule.allows(piece), piece
        rule.accept(piece)
    assert rule.may_end()
    assert not rule.allows(b" Berlin")
    assert not rule.allows(b"\n")
