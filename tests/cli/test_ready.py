"""Commands that need the local model: real weights, one running server for most of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.loopback import Quiet, listening
from tests.ready import hand_in_weights

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]

LETTER = "Anna Smith (anna.smith@example.com) wrote that the invoice over 120.50 euros is due on 2026-05-01."


def test_ask_and_its_receipt(ready_shell: Shell) -> None:
    found = ready_shell.json("ask", "Summarize: mail anna.smith@example.com about the meeting at noon on Friday.")
    assert isinstance(found["answer"], str)
    assert found["lane"] in {"local", "fast", "deep"}
    assert found["reasons"]
    receipt = ready_shell.json("receipts", "show", found["receipt_id"])
    assert receipt["id"] == found["receipt_id"]
    assert receipt["redactions"].get("EMAIL") == 1
    assert [attempt["id"] for attempt in receipt["chain"]][-1] == found["receipt_id"]


def test_ask_without_a_server(ready_folder: Path, tmp_path: Path) -> None:
    """The services, and the local model with them, live in the command's own process for as long as it runs."""
    shell = Shell(Path(shutil.copytree(ready_folder, tmp_path / "alone")))
    found = shell.json("ask", "Say hello.")
    assert found["receipt_id"]
    assert shell.json("receipts", "verify")["ok"] is True


def test_utility_shapes(ready_shell: Shell, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"total": "number", "due": "date", "paid": "boolean", "who": "string"}')
    label = ready_shell.json("utility", "classify", "--labels", "invoice,complaint,greeting", LETTER)
    assert label["label"] in {"invoice", "complaint", "greeting"}
    assert 0 <= label["confidence"] <= 1
    data = ready_shell.json("utility", "extract", "--schema", str(schema), LETTER)["data"]
    assert data.keys() == {"total", "due", "paid", "who"}
    assert ready_shell.json("utility", "summarize", LETTER)["summary"].strip()
    assert ready_shell.json("utility", "rewrite", "And when is it due?")["query"].strip()


def test_utility_lines(ready_shell: Shell) -> None:
    items = ['{"text": "When is the invoice due?"}', '{"text": 5}', json.dumps({"text": LETTER, "labels": ["x", "y"]})]
    first, bad, last = ready_shell.lines("utility", "classify", items=items, code=1)
    assert first["label"]
    assert bad["error"]["code"] == "bad_input"
    assert last["label"] in {"x", "y"}
    talk = {"text": "And when?", "conversation": [{"role": "user", "content": "Who pays the invoice?"}]}
    (said,) = ready_shell.lines("utility", "rewrite", items=[json.dumps(talk)])
    assert said["query"]


def test_redact_thorough(ready_shell: Shell) -> None:
    found = ready_shell.json("redact", "--mode", "thorough", LETTER)
    assert "anna.smith@example.com" not in found["text"]
    (mail,) = [span for span in found["spans"] if span["label"] == "EMAIL"]
    assert LETTER[mail["start"] : mail["end"]] == "anna.smith@example.com"


def test_doctor(ready_shell: Shell) -> None:
    found = ready_shell.json("doctor")
    assert found["ok"] is True
    assert found["checks"]


def test_a_code_over_a_webhook(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    hand_in_weights(shell.folder)
    with webhook() as (port, taken):
        words = ["onboard", "--provider", "selfhosted", "--comms", f"json://127.0.0.1:{port}/hook", "--yes", "--json"]
        waits = shell.run(*words)
        assert waits.returncode == 3, waits.stderr
        assert json.loads(waits.stdout)["state"] == "COMMS_VERIFY"
        assert len(taken) == 1
    (code,) = re.findall(r"\b\d{6,8}\b", json.loads(taken[0])["message"])
    assert code not in waits.stdout + waits.stderr
    wrong = shell.run(*words, "--code", "0" * len(code) if code != "0" * len(code) else "1" * len(code))
    assert wrong.returncode == 1
    ready = shell.run(*words, "--code", code)
    assert ready.returncode == 0, ready.stderr
    assert json.loads(ready.stdout)["state"] == "READY"


def test_a_remote_channels_code_is_not_shown(ready_folder: Path, tmp_path: Path) -> None:
    shell = Shell(Path(shutil.copytree(ready_folder / "models", tmp_path / "data" / "models").parent))
    with webhook() as (port, _):
        hook = f"json://127.0.0.1:{port}/hook"
        assert shell.run("onboard", "--provider", "selfhosted", "--comms", hook, "--yes").returncode == 3
    assert shell.refused("code")


@contextmanager
def webhook() -> Iterator[tuple[int, list[bytes]]]:
    """A receiver on a free port that keeps the bodies it is sent."""
    taken: list[bytes] = []

    class Hook(Quiet):
        def do_POST(self) -> None:
            taken.append(self.body())
            self.say()

    with listening(Hook) as url:
        yield int(url.rpartition(":")[2]), taken
