"""Logs: one line an event, an id from request to log, no words of a failure, a private file that rotates."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from lancelot.logs import LARGEST, LOG_FILE, OLDER, OURS, Human, Json, PrivateFile, configure_logs, request_id
from tests.api.conftest import serve
from tests.fakes import FakeProvider

SECRET = "sk-in-an-exception-1234567890"


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    for name in OURS:
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def lines(folder: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (folder / LOG_FILE).read_bytes().splitlines()]


def test_the_file_is_json_private_and_bears_the_request(tmp_path: Path) -> None:
    configure_logs(tmp_path)
    token = request_id.set("01a2")
    logging.getLogger("lancelot.api.trace").info("request", extra={"facts": {"status": 200}})
    request_id.reset(token)
    [line] = lines(tmp_path)
    assert line | {"what": "request", "request_id": "01a2", "status": 200, "level": "info"} == line
    assert (tmp_path / LOG_FILE).stat().st_mode & 0o777 == 0o600


def test_a_failure_is_told_by_kind_and_place_without_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(tmp_path)
    try:
        raise ValueError(f"cannot use {SECRET}")
    except ValueError:
        logging.getLogger("lancelot.x").exception("it failed")
    said = capsys.readouterr().err + (tmp_path / LOG_FILE).read_text()
    assert SECRET not in said
    assert "ValueError" in said
    [line] = lines(tmp_path)
    assert line["failure"] == "ValueError"
    assert any("test_logs.py" in str(place) for place in list(line["at_code"]))  # type: ignore[call-overload]


@pytest.mark.parametrize(("form", "parsed"), [("json", True), ("human", False)])
def test_standard_error_takes_either_form(
    form: str, parsed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANCELOT_LOG", form)
    configure_logs(tmp_path)
    logging.getLogger("lancelot.x").warning("two\nlines")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert (said[0] == "{") is parsed


def test_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(tmp_path)
    logging.getLogger("lancelot.x").info("quiet")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("LANCELOT_LOG_LEVEL", "info")
    configure_logs(tmp_path)  # twice does not mean twice the lines
    logging.getLogger("lancelot.x").info("said")
    assert capsys.readouterr().err.count("said") == 1
    assert [line["what"] for line in lines(tmp_path)] == ["quiet", "said"]


def test_it_rotates_and_keeps_four(tmp_path: Path) -> None:
    handler = PrivateFile(tmp_path / "a.log", maxBytes=300, backupCount=OLDER, encoding="utf-8")
    handler.setFormatter(Json())
    for number in range(60):
        handler.emit(logging.LogRecord("lancelot", logging.INFO, "", 0, f"line {number}", None, None))
    handler.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["a.log", *(f"a.log.{number}" for number in range(1, OLDER + 1))]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert LARGEST == 5_000_000


def test_a_folder_that_cannot_be_written_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    configure_logs(tmp_path)
    logging.getLogger("lancelot.x").warning("still said")
    assert Human().format(logging.LogRecord("a", logging.INFO, "", 0, "b", None, None))


def test_one_id_leads_from_the_answer_over_the_receipt_to_the_log(tmp_path: Path, data_folder: Path) -> None:
    configure_logs(tmp_path)
    with serve(data_folder, FakeProvider("Understood.")) as gateway:
        body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "Hello"}]}
        told = {"X-Request-ID": "shop-17"}
        answer = gateway.call("POST", "/v1/chat/completions", json=body, headers=told)
        gateway.call("GET", "/v1/models", headers={"X-Request-ID": "no plain word"})
    logged = [line for line in lines(tmp_path) if line["what"] == "request"]
    first = next(line for line in logged if line["route"] == "/v1/chat/completions")
    assert first["request_id"] == answer.headers["x-lancelot-request"]
    assert first["receipt"] == answer.headers["x-lancelot-receipt"]
    assert first["caller_request_id"] == "shop-17"
    assert "caller_request_id" not in logged[-1]
