"""The local model's answer lines become spans of the text, and only of the text."""

from __future__ import annotations

from lancelot.redaction.labels import Span
from lancelot.redaction.spans import model_spans

TEXT = "Anna Berg wrote to Anna at anna@berg.example: call 555-0147."


def test_lines_become_every_whole_occurrence() -> None:
    lines = ["NAME\tAnna Berg", "NAME\tAnna", "EMAIL\tanna@berg.example", "PHONE: 555-0147"]
    assert model_spans(lines, TEXT) == [
        Span(0, 4, "PERSON", "model"),
        Span(0, 9, "PERSON", "model"),
        Span(19, 23, "PERSON", "model"),
        Span(27, 44, "EMAIL", "model"),
        Span(51, 59, "PHONE", "model"),
    ]


def test_what_is_not_there_or_not_known_is_left_out() -> None:
    lines = [
        "NONE",
        "",
        "NAME\tCarla",
        "PET\tAnna",
        "NAME\t",
        "NAME\tA",
        "no sign here",
        "NAME\t" + "x" * 500,
        "NAME\t--",
    ]
    assert model_spans(lines, TEXT) == []


def test_values_may_hold_the_separator() -> None:
    text = "see https://a.example/x:y and done"
    assert model_spans(["URL\thttps://a.example/x:y"], text) == [Span(4, 25, "URL", "model")]
    assert model_spans(["<URL_1>: https://a.example/x:y"], text) == [Span(4, 25, "URL", "model")]
