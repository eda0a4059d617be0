"""The smoke test passes on the real model and fails on anything that only looks like one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_models.errors import EngineFailed
from local_models.smoke_test import CLASSIFY, HttpAsk, main, run_smoke
from tests.local_models.fetch_server import Exchange, serving
from tests.local_models.service_process import garbage_weights, running_service
from tests.weights import installed_adapter, installed_weights

RIGHT: dict[str, Any] = {
    "extract": {"data": {"vendor": "Northwind Traders", "total": 120.5}},
    "redact": {"spans": [{"start": 0, "end": 9, "label": "PERSON"}, {"start": 11, "end": 32, "label": "EMAIL"}]},
    "summarize": {"summary": "The backup failed because the disk was full and was run again at 09:30."},
    "rewrite": {"query": "When does the new library in Leeds open?"},
    "completions": {"choices": [{"message": {"content": "Tokyo is cold in January, all 7 days of the week."}}]},
}


def good(route: str, body: dict[str, Any]) -> dict[str, Any]:
    task = route.rsplit("/", 1)[1]
    return {"label": dict(CLASSIFY)[body["text"]]} if task == "classify" else RIGHT[task]


def test_right_answers_pass() -> None:
    report = run_smoke(good)
    assert report.ok, report.to_dict()
    assert [check.task for check in report.checks] == ["classify", "extract", "redact", "summarize", "rewrite", "chat"]


GARBAGE: list[dict[str, Any]] = [
    {"label": "question", "data": {}, "spans": [], "summary": "", "query": "", "choices": []},
    {
        "label": "unclear",
        "data": {"vendor": "x"},
        "spans": [{"start": 0, "end": 54, "label": "ID"}],
        "summary": "qx zz " * 40,
        "query": "the the the",
        "choices": [{"message": {"content": "\ufffd\ufffd"}}],
    },
    {},
    {"label": None, "data": None, "spans": None, "summary": None, "query": None, "choices": None},
]


@pytest.mark.parametrize("answer", GARBAGE)
def test_garbage_fails_every_check(answer: dict[str, Any]) -> None:
    report = run_smoke(lambda _route, _body: answer)
    assert not any(check.ok for check in report.checks), report.to_dict()


@pytest.mark.parametrize("task", [*RIGHT, "classify"])
def test_one_wrong_task_is_enough_to_fail(task: str) -> None:
    def ask(route: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"label": "unclear"} if route.endswith(task) else good(route, body)

    report = run_smoke(ask)
    assert not report.ok
    assert sum(not check.ok for check in report.checks) == 1


def test_a_service_that_fails_is_a_failed_check() -> None:
    def ask(_route: str, _body: dict[str, Any]) -> dict[str, Any]:
        raise EngineFailed("It is broken.")

    report = run_smoke(ask)
    assert {check.detail for check in report.checks} == {"It is broken."}


@pytest.mark.parametrize("body", [b"[]", b"no json"])
def test_an_answer_that_is_no_object_is_an_error(body: bytes) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(body))
        exchange.body(body)

    with serving(odd) as server, HttpAsk(server.url.rsplit("/", 1)[0]) as ask, pytest.raises(EngineFailed):
        ask("/v1/utility/classify", {"text": "x"})


@pytest.mark.real_model
@pytest.mark.xdist_group("real_model")
@pytest.mark.timeout(300)
def test_the_default_model_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_service(tmp_path, installed_weights(), installed_adapter()) as url:
        assert main(["--url", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert all(check["ok"] for check in told["checks"])


@pytest.mark.real_model
@pytest.mark.xdist_group("real_model")
@pytest.mark.timeout(300)
def test_random_weights_of_the_same_shape_fail(tmp_path: Path) -> None:
    weights = installed_weights()
    garbage_weights(weights, tmp_path / weights.name)
    with running_service(tmp_path, tmp_path / weights.name, installed_adapter()) as url:
        report = run_smoke(url)
    assert not report.ok
    failed = {check.task for check in report.checks if not check.ok}
    assert {"classify", "extract", "redact", "chat"} <= failed, report.to_dict()


def test_a_model_that_is_not_there_fails_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://127.0.0.1:9"]) == 1
    assert "FAIL classify" in capsys.readouterr().out
