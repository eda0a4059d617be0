"""The client against the real service with the real default model, as the supervisor runs it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lancelot.brain.client import LocalModelClient
from lancelot.brain.launch import service_command
from lancelot.brain.supervisor import Supervisor
from lancelot.brain.transport import LocalModelBusy
from lancelot.chat import parse_chat
from lancelot.errors import BadInput, ContextTooLong, LocalModelError
from tests.weights import installed_adapter, installed_weights

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_model,
    pytest.mark.xdist_group("real_model"),
    pytest.mark.timeout(300),
]
MAIL = "Please write to Anna Berg (anna.berg@example.com) before noon."


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    weights, adapter = installed_weights(), installed_adapter()
    folder = tmp_path_factory.mktemp("brain")
    made = Supervisor(lambda: service_command(weights, adapter=adapter, model_id="smollm2"), folder)
    made.start()
    assert made.wait_ready(120)
    yield made
    made.stop()


@pytest.fixture
def brain(keeper: Supervisor) -> LocalModelClient:
    assert keeper.wait_ready(120)
    return LocalModelClient(lambda: keeper.base_url, timeout_s=120)


async def test_every_task_answers(brain: LocalModelClient) -> None:
    try:
        found = await brain.classify("Please restart the billing server now.")
        assert (found.label, found.below_bar, found.redacted) == ("command", False, False)
        assert (await brain.classify("Where is my parcel?", ["refund", "parcel tracking"])).label == "parcel tracking"
        assert await brain.extract("Total 12 EUR", {"total": "number"}) == {"total": 12}
        spans = await brain.redact_spans(MAIL)
        assert "anna.berg@example.com" in [MAIL[span["start"] : span["end"]] for span in spans]
        assert await asyncio.to_thread(brain.redact_spans_sync, MAIL) == spans
        assert "noon" in await brain.summarize("The parcel has to be sent before noon. Anna waits for it at the gate.")
        talk = [{"role": "user", "content": "Tell me about the Falcon 9 rocket."}]
        assert "Falcon 9" in await brain.rewrite("How much does it cost?", talk)
        told = await brain.health()
        assert (told["status"], told["own"], told["model"]) == ("ready", True, "smollm2")
        assert brain.context is not None
    finally:
        await brain.aclose()


async def test_chat_streamed_and_not_says_the_same(brain: LocalModelClient) -> None:
    request = parse_chat(
        {"messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 12, "temperature": 0}
    )
    try:
        answer = await brain.chat(request)
        chunks = [chunk async for chunk in brain.stream(request)]
    finally:
        await brain.aclose()
    assert "".join(chunk.delta.get("content", "") for chunk in chunks) == answer.message["content"]
    assert answer.usage.output is not None
    assert 0 < answer.usage.output <= 12
    assert [chunk.usage for chunk in chunks if chunk.usage] == [answer.usage]
    assert answer.model == "smollm2"


async def test_refusals_come_through_in_words(brain: LocalModelClient) -> None:
    try:
        with pytest.raises(BadInput, match="two different"):
            await brain.classify("x", ["one"])
        with pytest.raises(BadInput):
            await brain.extract("x", {"a": "list"})
        with pytest.raises(ContextTooLong):
            await brain.chat(parse_chat({"messages": [{"role": "user", "content": "word " * 5000}]}))
        with pytest.raises(LocalModelError):
            await brain.summarize("The report is long. " * 200, timeout_s=0.05)
    finally:
        await brain.aclose()


async def test_a_hundred_at_once_are_answered_or_refused_never_lost(brain: LocalModelClient) -> None:
    try:
        asked = [brain.classify(f"Where is order {n}?") for n in range(100)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await brain.aclose()
    answered = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(answered) >= 90
    assert all(isinstance(o, LocalModelBusy) for o in outcomes if isinstance(o, BaseException))
    assert {found.label for found in answered} == {"question"}


async def test_it_is_back_after_kill_9_and_logs_no_text(keeper: Supervisor, brain: LocalModelClient) -> None:
    pid = keeper.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    gate = threading.Event()
    while keeper.status().pid == pid:
        gate.wait(0.02)
    assert await asyncio.to_thread(keeper.wait_ready, 120)
    try:
        assert (await brain.classify("Good morning, everyone!")).label == "greeting"
        await brain.redact_spans(MAIL)
    finally:
        await brain.aclose()
    log = Path(keeper.log_path).read_text()
    assert "ready after" in log
    assert "Anna" not in log
    assert "morning" not in log
