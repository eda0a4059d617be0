"""A hundred at once in front of one local model: a fair queue or a clear refusal, no hang, no lost receipt."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.e2e.harness import Console

CALLERS = 100
pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]


async def crowd(console: Console) -> list[httpx.Response]:
    headers = {"Authorization": f"Bearer {console.token()}"}
    limits = httpx.Limits(max_connections=CALLERS)
    async with httpx.AsyncClient(base_url=console.url, headers=headers, timeout=300, limits=limits) as client:

        async def one(number: int) -> httpx.Response:
            body = {
                "model": "lancelot-local",
                "messages": [{"role": "user", "content": f"Say hello to caller {number}."}],
                "max_tokens": 4,
            }
            return await client.post("/v1/chat/completions", json=body)

        return await asyncio.gather(*(one(number) for number in range(CALLERS)))


def test_a_hundred_callers_get_an_answer_or_a_time_to_come_back(ready_console: Console) -> None:
    answers = asyncio.run(crowd(ready_console))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 429, 503}, statuses
    assert 200 in statuses
    for answer in answers:
        if answer.status_code != 200:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["hint"]
    for answer in answers:
        if answer.status_code == 200:
            kept = ready_console.api("GET", f"/router/receipts/{answer.headers['x-lancelot-receipt']}")
            assert kept.status_code == 200
    assert httpx.get(f"{ready_console.url}/system/ready", timeout=30).status_code == 200
