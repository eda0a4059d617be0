"""The HTTP service over an engine without a model: forms, refusals, states, clients that go away."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from local_models.errors import BadTask, BadWeights, Busy
from local_models.service import LONGEST_BODY, main
from local_models.serving import announce
from tests.local_models.service_fakes import FakeEngine, served

SECRET = "Mail anna@berg.example about pass-phrase xyzzy-42"


def until(told: Callable[[], Any]) -> Any:
    gate = threading.Event()
    for _ in range(3000):
        if found := told():
            return found
        gate.wait(0.01)
    raise AssertionError("it did not happen")


def ready(url: str) -> str:
    until(lambda: httpx.get(f"{url}/health").status_code == 200)
    return url


def test_classify_answers_with_shares_usage_and_timing() -> None:
    engine = FakeEngine()
    with served(lambda: engine) as url:
        head = {"X-Lancelot-Caller": "desk", "X-Lancelot-Deadline-Ms": "5000"}
        answer = httpx.post(f"{ready(url)}/v1/utility/classify", json={"text": "What?"}, headers=head)
    told = answer.json()
    assert (told["label"], told["confidence"], told["below_bar"]) == ("question", 0.9, False)
    assert set(told["usage"]) == {"prompt_tokens", "cached_tokens", "completion_tokens"}
    assert answer.headers["server-timing"] == "queue;dur=1.000, engine;dur=5.000"
    assert engine.terms[0]["caller"] == "desk"
    assert 0 < engine.terms[0]["deadline"] - time.monotonic() <= 5.5


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/v1/utility/classify", b'{"text": ""}', 400, "bad_input"),
        ("/v1/utility/classify", b'{"txt": "x"}', 400, "bad_input"),
        ("/v1/utility/classify", b"{", 400, "bad_input"),
        ("/v1/utility/classify", b"[]", 400, "bad_input"),
        ("/v1/utility/classify", b"\xff\xfe", 400, "bad_input"),
        ("/v1/utility/classify", b'{"text": "x", "labels": "a"}', 400, "bad_input"),
        ("/v1/utility/extract", b'{"text": "x"}', 400, "bad_input"),
        ("/v1/chat/completions", b'{"messages": []}', 400, "bad_input"),
        ("/v1/chat/completions", b'{"messages": [{"role": "wizard", "content": "x"}]}', 400, "bad_input"),
        ("/v1/utility/translate", b"{}", 404, "not_found"),
        ("/v1/utility/classify", b'{"text": "' + b"x" * LONGEST_BODY + b'"}', 413, "too_large"),
    ],
)
def test_bad_input_is_told_in_words(path: str, content: bytes, status: int, code: str) -> None:
    with served(FakeEngine) as url:
        head = {"content-type": "application/json"}
        answer = httpx.post(ready(url) + path, content=content, headers=head)
    told = answer.json()["error"]
    assert (answer.status_code, told["code"]) == (status, code)
    assert told["title"]
    assert told["hint"]
    assert "Traceback" not in answer.text


def test_a_bad_deadline_header_is_named() -> None:
    with served(FakeEngine) as url:
        head = {"X-Lancelot-Deadline-Ms": "soon"}
        answer = httpx.post(f"{ready(url)}/v1/utility/classify", json={"text": "x"}, headers=head)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "x-lancelot-deadline-ms"


def test_a_full_queue_is_429_with_retry_after() -> None:
    with served(lambda: FakeEngine(problem=Busy(retry_after=3.4))) as url:
        answer = httpx.post(f"{ready(url)}/v1/utility/classify", json={"text": "x"})
        chat = {"messages": [{"role": "user", "content": "x"}], "stream": True}
        streamed = httpx.post(f"{url}/v1/chat/completions", json=chat)
    for each in (answer, streamed):
        assert each.status_code == 429
        assert each.headers["retry-after"] == "3"
        assert each.json()["error"]["code"] == "busy"


def test_a_task_error_keeps_its_words() -> None:
    with served(lambda: FakeEngine(problem=BadTask("`labels` needs more.", param="labels"))) as url:
        answer = httpx.post(f"{ready(url)}/v1/utility/classify", json={"text": "x"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "labels"


def test_health_tells_starting_ready_stalled_and_failed() -> None:
    gate = threading.Event()
    engine = FakeEngine()

    def load() -> FakeEngine:
        gate.wait(30)
        return engine

    with served(load) as url:
        first = httpx.get(f"{url}/health")
        assert (first.status_code, first.json()["status"]) == (503, "starting")
        refused = httpx.post(f"{url}/v1/utility/classify", json={"text": "x"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "starting")
        assert refused.headers["retry-after"] == "1"
        gate.set()
        ready(url)
        engine.stalled_for = 99.0
        assert httpx.get(f"{url}/health").json()["status"] == "stalled"
        engine.stalled_for, engine.alive = 0.0, False
        assert httpx.get(f"{url}/health").json()["status"] == "failed"
    assert engine.drained.is_set()
    assert engine.closed


def test_a_model_that_cannot_be_loaded_is_told_not_crashed() -> None:
    def load() -> FakeEngine:
        raise BadWeights("weights.gguf is not a model that can be loaded.")

    with served(load) as url:
        until(lambda: httpx.get(f"{url}/health").json()["status"] == "failed")
        told = httpx.get(f"{url}/health").json()
        answer = httpx.post(f"{url}/v1/utility/classify", json={"text": "x"})
    assert told["error"]["code"] == "bad_weights"
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "bad_weights"


def test_a_client_that_goes_away_cancels_its_work() -> None:
    engine = FakeEngine(hold=True)
    with served(lambda: engine) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{ready(url)}/v1/utility/classify", json={"text": "x"}, timeout=0.3)
        until(lambda: engine.tickets[0].cancelled)
        chat = {"messages": [{"role": "user", "content": "x"}], "stream": True}
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=chat) as answer:
            assert answer.status_code == 200
            next(answer.iter_lines())
        until(lambda: engine.tickets[1].cancelled)


def test_the_openai_client_works_streamed_and_not() -> None:
    with served(FakeEngine) as url:
        client = openai.OpenAI(base_url=f"{ready(url)}/v1", api_key="none", max_retries=0)
        with client:
            assert [model.id for model in client.models.list()] == ["fake"]
            messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Capital?"}]}]
            answer = client.chat.completions.create(model="any", messages=messages)
            assert answer.choices[0].message.content == "Pa ris"
            assert answer.usage is not None
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 2)
            chunks = list(
                client.chat.completions.create(
                    model="any", messages=messages, stream=True, stream_options={"include_usage": True}
                )
            )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Pa ris"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 9
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


def test_metrics_are_prometheus_lines() -> None:
    with served(FakeEngine) as url:
        told = httpx.get(f"{ready(url)}/metrics").text
    assert 'lancelot_local_model_up{state="ready"} 1' in told
    assert 'lancelot_local_model_waiting{context="tasks"} 0' in told
    samples = [one for family in text_string_to_metric_families(told) for one in family.samples]
    assert len(samples) == len(told.splitlines())
    assert all(one.value >= 0 for one in samples)
    assert "lancelot_local_model_engine_seconds_total" in {one.name for one in samples}


def test_no_text_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with served(lambda: FakeEngine(problem=ValueError(SECRET))) as url:  # type: ignore[arg-type]
        answer = httpx.post(f"{ready(url)}/v1/utility/classify", json={"text": SECRET})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    ours = [record for record in caplog.records if record.name.startswith("local_models")]
    assert ours
    assert not any("xyzzy" in record.getMessage() for record in ours)
    assert "xyzzy" not in answer.text


def test_the_address_is_announced_in_one_go(tmp_path: Any) -> None:
    announce(tmp_path / "a.json", "http://127.0.0.1:5")
    assert json.loads((tmp_path / "a.json").read_text())["base_url"] == "http://127.0.0.1:5"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_program_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "--weights" in capsys.readouterr().out
