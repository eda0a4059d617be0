"""Overlaps are settled by the stated rule, and nothing found is left uncovered."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.redaction.labels import LABELS, Span, resolve

RULES = ["email", "card", "phone.grouped", "id.cue", "url.public", "url.private", "secret.prefix", "address.street"]


def test_labels_are_those_of_the_contract() -> None:
    assert set(LABELS) == {
        "PERSON",
        "EMAIL",
        "PHONE",
        "ADDRESS",
        "LOCATION",
        "ORG",
        "ID",
        "CARD",
        "IBAN",
        "IP",
        "URL",
        "DATE",
        "DATE_OF_BIRTH",
        "USERNAME",
        "SECRET",
    }


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        # proven by form beats pattern
        (
            "mail a@b.org now",
            [Span(5, 12, "ID", "id.cue"), Span(5, 12, "EMAIL", "email")],
            [Span(5, 12, "EMAIL", "email")],
        ),
        # a pattern beats a guess, the guess keeps the rest
        (
            "12 Elm Road Leeds",
            [Span(0, 17, "LOCATION", "tagger"), Span(0, 11, "ADDRESS", "address.street")],
            [Span(0, 11, "ADDRESS", "address.street"), Span(11, 17, "LOCATION", "tagger")],
        ),
        # an address in a public link is masked, the rest of the link stays a link
        (
            "https://a.io/?m=x@y.org",
            [Span(0, 23, "URL", "url.public"), Span(16, 23, "EMAIL", "email")],
            [Span(0, 16, "URL", "url.public"), Span(16, 23, "EMAIL", "email")],
        ),
        # a private link is one secret, whatever it holds
        (
            "https://u:p@h.io/x",
            [Span(0, 18, "URL", "url.private"), Span(10, 16, "EMAIL", "email")],
            [Span(0, 18, "URL", "url.private")],
        ),
        # equal evidence: the longer wins
        (
            "4402-8837-11 5",
            [Span(0, 9, "PHONE", "phone.cue"), Span(0, 12, "ID", "id.cue")],
            [Span(0, 12, "ID", "id.cue")],
        ),
        # nothing but a scheme is left of the link
        (
            "http://10.0.0.1",
            [Span(0, 15, "URL", "url.public"), Span(7, 15, "IP", "ip.v4")],
            [Span(7, 15, "IP", "ip.v4")],
        ),
        # one label, one strength: joined
        (
            "Anna Maria Berg",
            [Span(0, 10, "PERSON", "tagger"), Span(5, 15, "PERSON", "tagger")],
            [Span(0, 15, "PERSON", "tagger")],
        ),
    ],
)
def test_the_rule(text: str, spans: list[Span], expected: list[Span]) -> None:
    assert resolve(text, spans) == expected
    assert resolve(text, reversed(spans)) == expected


def test_spans_outside_the_text_are_clipped_or_dropped() -> None:
    assert resolve("abc", [Span(-2, 2, "ID", "id.cue"), Span(3, 9, "ID", "id.cue")]) == [Span(0, 2, "ID", "id.cue")]


@given(
    st.text(alphabet="aB1 .", min_size=1, max_size=40),
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from(LABELS), st.sampled_from(RULES)), max_size=12
    ),
)
def test_sorted_disjoint_and_nothing_uncovered(text: str, raw: list[tuple[int, int, str, str]]) -> None:
    spans = [Span(start, start + size, label, rule) for start, size, label, rule in raw]
    settled = resolve(text, spans)
    assert settled == sorted(settled)
    assert all(a.end <= b.start for a, b in itertools.pairwise(settled))
    assert all(0 <= span.start < span.end <= len(text) for span in settled)
    wanted = {i for s in spans for i in range(max(0, s.start), min(len(text), s.end)) if text[i].isalnum()}
    covered = {i for s in settled for i in range(s.start, s.end)}
    assert wanted <= covered
