"""Server-sent events, whatever the cuts and line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.errors import ProviderMalformed
from lancelot.providers.sse import Event, EventParser


def parse(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("message", b"a")]),
        (b"data:a\ndata: b\n\n", [("message", b"a\nb")]),
        (b"event: x\ndata: a\n\ndata: b\n\n", [("x", b"a"), ("message", b"b")]),
        (b": hello\n\n:\ndata: a\n\n", [("message", b"a")]),
        (b"id: 7\nretry: 10\ndata: a\n\n", [("message", b"a")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("message", b"a"), ("message", b"b"), ("message", b"c")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b"event: lonely\n\n", []),
        (b"data\n\n", [("message", b"")]),
        (b"data: a\n", [("message", b"a")]),  # the last empty line was forgotten
        (b"data: a", [("message", b"a")]),
        (b"", []),
    ],
)
def test_events(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert parse(stream) == [Event(*event) for event in events]
    assert parse(*(stream[place : place + 1] for place in range(len(stream)))) == parse(stream)


@given(
    st.lists(st.tuples(st.sampled_from(["", "x"]), st.text("ab:é東 ", min_size=1, max_size=9)), max_size=5),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_cuts_never_change_the_events(said: list[tuple[str, str]], end: bytes, cuts: list[int]) -> None:
    lines = [
        (f"event: {name}\n" if name else "") + "".join(f"data: {line}\n" for line in data.split("\n")) + "\n"
        for name, data in said
    ]
    stream = "".join(lines).encode().replace(b"\n", end)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(stream[at : at + cut])
        at += cut
    expected = [Event(name or "message", data.encode()) for name, data in said]
    assert parse(*pieces, stream[at:]) == expected


def test_an_event_without_an_end_is_refused() -> None:
    with pytest.raises(ProviderMalformed):
        parse(*[b"x" * 1_000_000] * 10)
