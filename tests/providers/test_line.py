"""The lean transport beside httpx's own: the same answers from the same server, and connections handled with care."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable

import httpx
import pytest

from lancelot.providers.line import LineTransport
from tests.recording import RecordingServer, Scripted

BODY = b"Paris " * 50_000
ANSWERS = {
    "counted": Scripted(BODY),
    "empty": Scripted(b""),
    "no content": Scripted(b"", 204),
    "error": Scripted(b"no", 418, {"x-a": "1", "X-B": "2"}),
    "gzip": Scripted(gzip.compress(BODY), 200, {"content-encoding": "gzip"}),
    "chunked": Scripted(pieces=[BODY[at : at + 999] for at in range(0, len(BODY), 999)]),
    "until close": Scripted(BODY, 200, {"connection": "close"}, cut=len(BODY)),
    "interim": Scripted(
        raw=[b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    ),
    "head and body apart": Scripted(raw=[b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 2\r\n\r", b"\no", b"k"]),
    "old": Scripted(raw=[b"HTTP/1.0 200 OK\r\n\r\nok"], cut=0),
}


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", list(ANSWERS))
async def test_the_same_answer_as_with_httpxs_own_transport(server: RecordingServer, name: str, method: str) -> None:
    server.answers(ANSWERS[name])
    seen = []
    for transport in (httpx.AsyncHTTPTransport(), LineTransport()):
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.request(
                method, f"{server.url}/a?b=c", content=b"x" * 100 if method == "POST" else None
            )
            seen.append((answer.status_code, answer.headers.multi_items(), answer.content))
    assert seen[0] == seen[1]
    assert server.requests[0].raw == server.requests[1].raw


BROKEN = [
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"HTTP/1.1 200", b"",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"X" * 100_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("raw", BROKEN, ids=range(len(BROKEN)))
async def test_what_is_no_answer_is_refused_and_the_connection_dropped(server: RecordingServer, raw: bytes) -> None:
    server.answers(Scripted(raw=[raw], cut=0), Scripted(b"ok"))
    async with httpx.AsyncClient(transport=LineTransport()) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(server.url)
        assert (await client.get(server.url)).content == b"ok"
    assert server.connections == 2


@pytest.mark.anyio
async def test_a_connection_is_used_again_only_when_it_is_clean(server: RecordingServer) -> None:
    server.answers(Scripted(b"ok"))
    async with httpx.AsyncClient(transport=LineTransport()) as client:
        for _ in range(5):
            await client.get(server.url)
        assert server.connections == 1
        server.answers(
            Scripted(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"]), Scripted(b"ok")
        )
        assert (await client.get(server.url)).content == b"ok"
        assert (await client.get(server.url)).content == b"ok"  # not what was left over
        assert server.connections == 2
        server.answers(Scripted(BODY))
        async with client.stream("GET", server.url) as answer:  # left before its end
            await anext(answer.aiter_raw())
        await client.get(server.url)
        assert server.connections == 3


@pytest.mark.anyio
async def test_a_connection_the_server_closed_is_not_used_again(server: RecordingServer) -> None:
    gone = threading.Event()
    server.on_hang_up = gone.set
    server.answers(Scripted(b"ok", cut=2), Scripted(b"ok"))
    async with httpx.AsyncClient(transport=LineTransport()) as client:
        await client.get(server.url)
        await asyncio.to_thread(gone.wait, 10)
        await asyncio.sleep(0.05)  # one turn of the loop to hear of it
        assert (await client.get(server.url)).content == b"ok"


@pytest.mark.anyio
async def test_idle_connections_grow_old(server: RecordingServer) -> None:
    server.answers(Scripted(b"ok"))
    async with httpx.AsyncClient(transport=LineTransport(idle_s=0.0)) as client:
        for _ in range(3):
            await client.get(server.url)
    assert server.connections == 3


@pytest.mark.anyio
async def test_many_at_once_and_no_more_than_the_limit(server: RecordingServer) -> None:
    server.answers(Scripted(b"ok"))
    async with httpx.AsyncClient(transport=LineTransport(limit=4), timeout=30) as client:
        answers = await asyncio.gather(*(client.get(server.url) for _ in range(60)))
    assert {answer.content for answer in answers} == {b"ok"}
    assert server.connections <= 4


@pytest.mark.anyio
async def test_a_full_pool_says_so_and_recovers(server: RecordingServer) -> None:
    server.answers(Scripted(BODY), Scripted(b"ok"))
    timeout = httpx.Timeout(10, pool=0.1)
    async with httpx.AsyncClient(transport=LineTransport(limit=1), timeout=timeout) as client:
        async with client.stream("GET", server.url):
            with pytest.raises(httpx.PoolTimeout):
                await client.get(server.url)
        assert (await client.get(server.url)).content == b"ok"


@pytest.mark.anyio
async def test_cancelling_gives_the_place_back(server: RecordingServer) -> None:
    server.answers(Scripted(stall=True), Scripted(b"ok"))
    async with httpx.AsyncClient(transport=LineTransport(limit=1)) as client:
        waiting = asyncio.ensure_future(client.get(server.url))
        while not server.requests:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await client.get(server.url)).content == b"ok"


@pytest.mark.anyio
async def test_a_silent_server_times_out(server: RecordingServer) -> None:
    for scripted in (Scripted(stall=True), Scripted(b"x", 200, {"content-length": "9"})):
        server.answers(scripted)
        async with httpx.AsyncClient(transport=LineTransport(), timeout=httpx.Timeout(5, read=0.1)) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get(server.url)


@pytest.mark.anyio
async def test_a_slow_reader_does_not_fill_the_memory(server: RecordingServer) -> None:
    big = b"x" * 20_000_000
    server.answers(Scripted(big))
    async with (
        httpx.AsyncClient(transport=LineTransport(), timeout=30) as client,
        client.stream("GET", server.url) as answer,
    ):
        pieces = answer.aiter_raw()
        size = len(await anext(pieces))
        await asyncio.sleep(0.3)
        assert size < 2_000_000
        async for piece in pieces:
            assert len(piece) < 2_000_000
            size += len(piece)
    assert size == len(big)


@pytest.mark.anyio
async def test_nobody_there_and_no_such_scheme() -> None:
    async with httpx.AsyncClient(transport=LineTransport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1")
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://127.0.0.1")


def test_one_transport_serves_many_loops(server: RecordingServer) -> None:
    server.answers(Scripted(b"ok"))
    transport = LineTransport()

    async def ask() -> bytes:
        request = httpx.Request("GET", server.url)
        answer = await transport.handle_async_request(request)
        content = await answer.aread()
        await answer.aclose()
        await transport.aclose()
        return content

    run: Callable[[], bytes] = lambda: asyncio.run(ask())  # noqa: E731
    assert [run() for _ in range(3)] == [b"ok"] * 3
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(run())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"ok"] * 4
