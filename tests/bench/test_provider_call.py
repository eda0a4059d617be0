"""One provider call beside plain httpx, in processor time of the calling thread; and one streamed chunk."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from lancelot.providers.base import Deadline
from lancelot.providers.selfhosted import SelfHosted
from tests.recording import RecordingServer, json_answer, redacted, sse_answer

CALLS, ROUNDS, CHUNKS = 300, 5, 2_000
TEXT = "Please look at this report. " * 36  # about 1 KB
ANSWER = json_answer(
    {
        "id": "x",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
    }
)


async def per_call_ms(call: Callable[[], Awaitable[None]], callers: int) -> float:
    """Processor milliseconds of this thread for one call."""

    async def work() -> None:
        for _ in range(CALLS // callers):
            await call()

    began = time.thread_time()
    await asyncio.gather(*(work() for _ in range(callers)))
    return (time.thread_time() - began) / CALLS * 1000


@pytest.mark.timeout(600)
def test_a_call_costs_less_than_with_plain_httpx() -> None:
    server = RecordingServer()
    server.answers(ANSWER)
    messages = [{"role": "user", "content": TEXT}]
    request = redacted(messages=messages)

    async def measure() -> dict[tuple[str, int], float]:
        provider = SelfHosted(base_url=server.url)
        async with httpx.AsyncClient() as client:

            async def plain() -> None:
                (
                    await client.post(f"{server.url}/v1/chat/completions", json={"model": "m", "messages": messages})
                ).json()

            async def ours() -> None:
                await provider.complete(request, model="m", deadline=Deadline.after(60))

            taken: dict[tuple[str, int], list[float]] = {}
            for _ in range(ROUNDS):
                for name, call in (("plain httpx", plain), ("ours", ours)):
                    for callers in (1, 8):
                        taken.setdefault((name, callers), []).append(await per_call_ms(call, callers))
                        server.requests.clear()
        await provider.aclose()
        return {key: statistics.median(values) for key, values in taken.items()}

    figures = asyncio.run(measure())
    server.close()
    for (name, callers), milliseconds in figures.items():
        print(f"{name:12} {callers} callers: {milliseconds:.3f} ms of processor time a call")
    for callers in (1, 8):
        assert figures["ours", callers] < 0.8 * figures["plain httpx", callers]


@pytest.mark.timeout(600)
def test_a_chunk_costs_little_beside_reading_it() -> None:
    server = RecordingServer()
    delta = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    server.answers(sse_answer(*[delta] * CHUNKS, end, done=True))

    async def measure() -> float:
        provider = SelfHosted(base_url=server.url)
        taken = []
        for _ in range(ROUNDS):
            began, count = time.thread_time(), 0
            async for _ in provider.stream(redacted(), model="m", deadline=Deadline.after(60)):
                count += 1
            taken.append((time.thread_time() - began) / count * 1_000_000)
        await provider.aclose()
        return statistics.median(taken)

    microseconds = asyncio.run(measure())
    server.close()
    print(f"{microseconds:.1f} us of processor time a chunk")
    assert microseconds < 200
