"""Streams: facts before the first chunk, originals restored, receipts in every ending."""

from __future__ import annotations

import asyncio
import gc

import pytest

from lancelot.chat import Chunk, Usage
from lancelot.errors import NotFound, ProviderMalformed, ProviderOverloaded, ProviderTimeout
from lancelot.routing.lanes import Lane
from tests.fakes import FakeProvider, tool_answer
from tests.routing.fakes import EMAIL, chat, world

pytestmark = pytest.mark.anyio


async def text_of(stream: object) -> str:
    return "".join([chunk.delta.get("content") or "" async for chunk in stream])  # type: ignore[attr-defined]


async def test_a_stream_all_the_way() -> None:
    here = world("Mail sent to <EMAIL_1> just now.")
    stream = await here.router.stream(chat(f"Which tides would {EMAIL} like?", stream=True))
    assert stream.lane is Lane.FAST
    assert stream.redactions == {"EMAIL": 1}
    assert here.receipts.written == []
    assert await text_of(stream) == f"Mail sent to {EMAIL} just now."
    receipt = here.receipts.attempts[0]
    assert receipt.id == stream.receipt_id
    assert receipt.tokens_out == 5
    assert receipt.sent_sha256 == here.provider.calls[0].sent_sha256
    assert receipt.finish_reason == "stop"
    assert receipt.latency.first_token_ms is not None
    assert EMAIL.encode() not in here.provider.calls[0].sent


async def test_iterating_without_awaiting_first_works() -> None:
    here = world("a b c")
    assert await text_of(here.router.stream(chat())) == "a b c"


async def test_the_receipt_is_durable_before_the_last_chunk() -> None:
    here = world("a b c")
    written_at_finish = None
    async for chunk in here.router.stream(chat()):
        if chunk.finish_reason is not None:
            written_at_finish = len(here.receipts.attempts)
    assert written_at_finish == 1


async def test_content_is_not_held_back() -> None:
    gate = asyncio.Event()

    class Slow(FakeProvider):
        async def stream(self, request, *, model, deadline):  # type: ignore[no-untyped-def]
            self._record(request, model, streamed=True)
            yield Chunk(delta={"content": "first"}, model=model)
            await gate.wait()
            yield Chunk(finish_reason="stop", usage=Usage(1, 1), model=model)

    here = world(provider=Slow())
    stream = here.router.stream(chat())
    first = await anext(stream)
    assert first.delta["content"] == "first"
    gate.set()
    assert [chunk.finish_reason async for chunk in stream] == ["stop"]


async def test_an_error_before_the_first_content_escalates() -> None:
    here = world(ProviderOverloaded(), "better")
    stream = await here.router.stream(chat())
    assert stream.lane is Lane.DEEP
    assert await text_of(stream) == "better"
    assert [receipt.status for receipt in here.receipts.attempts] == ["error", "ok"]
    assert here.receipts.attempts[1].parent_id == here.receipts.attempts[0].id


async def test_an_empty_stream_escalates() -> None:
    here = world([Chunk(finish_reason="stop", usage=Usage(3, 0))], "better")
    assert await text_of(here.router.stream(chat())) == "better"
    assert here.receipts.attempts[0].data["signal"] == "empty"


async def test_an_empty_stream_with_nothing_better_ends_well() -> None:
    here = world([Chunk(finish_reason="stop", usage=Usage(3, 0))], max_attempts=1)
    chunks = [chunk async for chunk in here.router.stream(chat())]
    assert chunks[-1].finish_reason == "stop" or chunks[-1].usage is not None
    assert len(here.receipts.attempts) == 1


async def test_a_stream_that_breaks_raises_and_leaves_a_receipt() -> None:
    here = world([Chunk(delta={"content": "half"}), ProviderTimeout()])
    stream = await here.router.stream(chat())
    with pytest.raises(ProviderTimeout):
        await text_of(stream)
    assert here.receipts.attempts[0].error_code == "provider_timeout"
    assert here.provider.streams_closed == 1


async def test_a_stream_without_an_end_is_malformed() -> None:
    here = world([Chunk(delta={"content": "half"})])
    with pytest.raises(ProviderMalformed):
        await text_of(here.router.stream(chat()))
    assert here.receipts.attempts[0].status == "error"


async def test_hanging_up_closes_upstream_and_leaves_a_cancelled_receipt() -> None:
    here = world("one two three four")
    stream = await here.router.stream(chat())
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert [receipt.status for receipt in here.receipts.attempts] == ["cancelled"]
    assert here.provider.streams_closed == 1


async def test_hanging_up_before_the_first_chunk() -> None:
    here = world("one two three four")
    stream = await here.router.stream(chat())
    await stream.aclose()
    assert [receipt.status for receipt in here.receipts.attempts] == ["cancelled"]


async def test_a_cancelled_reader_leaves_a_cancelled_receipt() -> None:
    here = world(provider=FakeProvider("x", gate=asyncio.Event()))
    task = asyncio.create_task(text_of(here.router.stream(chat())))
    while not here.provider.calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [receipt.status for receipt in here.receipts.attempts] == ["cancelled"]


async def test_a_stream_that_is_forgotten_leaves_a_receipt_too() -> None:
    here = world("one two three four")
    async for _chunk in here.router.stream(chat()):
        break
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert [receipt.status for receipt in here.receipts.attempts] == ["cancelled"]


async def test_tool_calls_are_restored_in_pieces() -> None:
    here = world(tool_answer("send_mail", {"to": "<EMAIL_1>"}))
    tools = [{"type": "function", "function": {"name": "send_mail", "parameters": {"type": "object"}}}]
    arguments = ""
    async for chunk in here.router.stream(chat(f"Write to {EMAIL}", tools=tools)):
        for call in chunk.delta.get("tool_calls") or []:
            arguments += call["function"].get("arguments", "")
    assert EMAIL in arguments


async def test_errors_come_before_the_first_chunk() -> None:
    here = world("x")
    with pytest.raises(NotFound):
        await here.router.stream(chat(model="nope"))


async def test_a_paid_stream_is_delivered_with_a_warning_when_the_receipt_fails() -> None:
    here = world("a b")
    stream = await here.router.stream(chat())
    here.receipts.broken = True
    assert await text_of(stream) == "a b"
    assert stream.warning is not None


async def test_the_local_lane_streams() -> None:
    here = world("x")
    stream = await here.router.stream(chat(model="lancelot-local"))
    assert stream.lane is Lane.LOCAL
    assert (await text_of(stream)).strip() == "local says hi"
    assert here.receipts.attempts[0].egress == "loopback"
