"""HTTP/1.1 as bytes, against h11 as the judge: the same heads, the same bodies, the same refusals, however cut."""

from __future__ import annotations

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.providers.framing import Body, encode_request, parse_head

BODIES = st.binary(max_size=300)
CUTS = st.lists(st.integers(1, 40), max_size=60)


def chunked(body: bytes, sizes: list[int], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    wire, at = b"", 0
    for size in [*sizes, len(body) or 1]:
        piece = body[at : at + size]
        at += size
        if piece:
            wire += f"{len(piece):x}".encode() + extension + b"\r\n" + piece + b"\r\n"
    return wire + b"0\r\n" + trailer + b"\r\n"


def read(head: bytes, wire: bytes, cuts: list[int], *, method: str = "GET") -> tuple[bytes, bool]:
    """(body, reusable) as our framing reads it."""
    body = Body(parse_head(head), method)
    got, at = b"", 0
    for cut in [*cuts, len(wire) or 1]:
        if body.ended or at >= len(wire):
            break
        got += b"".join(body.feed(wire[at : at + cut]))
        at += cut
    if not body.ended:
        got += b"".join(body.close())
    return got, body.reusable


def judged(head: bytes, wire: bytes, *, method: str = "GET") -> bytes:
    """The body as h11 reads it; its RemoteProtocolError when it refuses."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head + b"\r\n\r\n" + wire)
    client.receive_data(b"")
    got = b""
    while True:
        event = client.next_event()
        if isinstance(event, h11.Data):
            got += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return got
        elif event in (h11.NEED_DATA, h11.PAUSED):
            raise h11.RemoteProtocolError("incomplete")


@given(BODIES, CUTS)
def test_a_counted_body(body: bytes, cuts: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: " + str(len(body)).encode()
    assert read(head, body, cuts) == (judged(head, body), True)


@given(BODIES, st.lists(st.integers(1, 50), max_size=9), CUTS)
def test_a_chunked_body(body: bytes, sizes: list[int], cuts: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
    for wire in (chunked(body, sizes), chunked(body, sizes, b";x=1"), chunked(body, sizes, trailer=b"X: y\r\n")):
        assert read(head, wire, cuts) == (judged(head, wire), True)


@given(BODIES, CUTS)
def test_a_body_until_the_close(body: bytes, cuts: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nX: y"
    assert read(head, body, cuts) == (judged(head, body), False)


@given(BODIES, st.lists(st.integers(1, 50), max_size=9), CUTS, st.data())
def test_a_body_that_breaks_off_is_refused(body: bytes, sizes: list[int], cuts: list[int], data: st.DataObject) -> None:
    counted = b"HTTP/1.1 200 OK\r\nContent-Length: " + str(len(body) + 1).encode()
    whole = chunked(body, sizes)
    cut_off = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for head, wire in ((counted, body), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", cut_off)):
        with pytest.raises(httpx.RemoteProtocolError):
            read(head, wire, cuts)


@given(st.binary(max_size=60), CUTS)
def test_garbage_between_chunks_is_never_taken_for_a_body(wire: bytes, cuts: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
    try:
        expected = judged(head, wire)
    except h11.RemoteProtocolError:
        expected = None
    try:
        got = read(head, wire, cuts)[0]
    except httpx.RemoteProtocolError:
        return  # to refuse more than h11 does is fine
    assert got == expected


@pytest.mark.parametrize(
    "head",
    [
        b"", b"hello", b"HTTP/2 200", b"HTTP/1.1 99 X", b"HTTP/1.1 200OK", b"ICY 200 OK", b"HTTP/1.1 200 OK\r\nnone",
        b"HTTP/1.1 200 OK\r\nSpace : x", b"HTTP/1.1 200 OK\r\n folded: x", b"HTTP/1.1 200 OK\r\n: x",
        b"HTTP/1.1 200 OK\r\nX: a\nY: b", b"HTTP/1.1 200 OK\r\nX: a\x00b", b"HTTP/1.1 200 OK\nX: a",
    ],
)  # fmt: skip
def test_heads_that_are_none(head: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        parse_head(head)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5, 6", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: -1", b"Content-Length: x",
        b"Content-Length: +5", b"Content-Length: 9999999999999999", b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity", b"Content-Length: ",
    ],
)  # fmt: skip
def test_lengths_that_are_not_clear(framing: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        Body(parse_head(b"HTTP/1.1 200 OK\r\n" + framing), "GET")


@pytest.mark.parametrize(
    ("first", "headers", "reusable"),
    [
        (b"HTTP/1.1 200 OK", b"", True),
        (b"HTTP/1.1 200 OK", b"\r\nConnection: close", False),
        (b"HTTP/1.1 200 OK", b"\r\nConnection: Keep-Alive, Close", False),
        (b"HTTP/1.0 200 OK", b"", False),
        (b"HTTP/1.0 200 OK", b"\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200 OK", b"\r\nTransfer-Encoding: chunked", False),
    ],
)
def test_when_a_connection_may_be_used_again(first: bytes, headers: bytes, reusable: bool) -> None:
    wire = b"0\r\n\r\n" if b"chunked" in headers else b"ok"
    assert read(first + b"\r\nContent-Length: 2" + headers, wire, [])[1] is reusable
    assert read(first + b"\r\nContent-Length: 2" + headers, wire + b"more", [])[1] is False


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
def test_answers_without_a_body(status: int, method: str) -> None:
    body = Body(parse_head(f"HTTP/1.1 {status} X\r\nContent-Length: 7".encode()), method)
    assert body.ended


def test_a_request_written_out() -> None:
    written = encode_request("POST", b"/v1/x?y=1", [(b"Host", b"h"), (b"Content-Length", b"2")], b"ok")
    assert written == b"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("POST", b"/", (b"X", b"a\r\nY: b")), ("POST", b"/", (b"X\r\n", b"a")), ("POST", b"/", (b"X:", b"a")),
        ("POST", b"/", (b"", b"a")), ("POST", b"/a b", (b"X", b"a")), ("POST", b"/\r\n", (b"X", b"a")),
        ("PO ST", b"/", (b"X", b"a")), ("POST", b"", (b"X", b"a")), ("POST", b"/", (b"X", b"a\x00")),
    ],
)  # fmt: skip
def test_nothing_can_be_smuggled_into_a_request(method: str, target: bytes, header: tuple[bytes, bytes]) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        encode_request(method, target, [header], b"")
