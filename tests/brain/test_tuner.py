"""Tuning from the console's side: a child process, its progress, its report, its failures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lancelot.brain.launch import installed_model, service_command
from lancelot.brain.tuner import Tuner
from local_models.errors import EngineFailed
from local_models.leftovers import merged_file
from local_models.lockfile import load_lock

REPORT = {"winner": "Q4_0", "formats": []}


def installed(folder: Path) -> Path:
    pin = load_lock().default_model
    weights = folder / pin.id / pin.file
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    return weights


def tuner(folder: Path, program: str) -> Tuner:
    return Tuner(folder, command=(sys.executable, "-c", program))


def test_progress_and_report_come_from_the_child(tmp_path: Path) -> None:
    weights = installed(tmp_path)
    program = (
        "import json, sys\n"
        f"assert {str(weights)!r} in sys.argv and '--adapter' in sys.argv\n"
        "print('noise')\n"
        "print(json.dumps({'event': 'step', 'step': 'measure', 'detail': 'Q4_0', 'words': 'measuring Q4_0'}))\n"
        "print(json.dumps({'event': 'asked', 'done': 3, 'total': 9, 'words': 'item 3 of 9'}))\n"
        f"print(json.dumps({REPORT!r}))"
    )
    seen: list[tuple[int, int | None, str]] = []
    made = tuner(tmp_path, program)
    assert made.needed()
    assert made.run(lambda *told: seen.append(told)) == REPORT
    assert seen == [(0, None, "measuring Q4_0"), (3, 9, "item 3 of 9")]
    assert made.result() == {}


def test_a_failure_is_told_in_the_childs_words(tmp_path: Path) -> None:
    installed(tmp_path)
    told = json.dumps({"error": {"code": "bad_weights", "title": "They are broken.", "hint": "Install again."}})
    with pytest.raises(EngineFailed, match="They are broken"):
        tuner(tmp_path, f"import sys; print({told!r}, file=sys.stderr); sys.exit(1)").run(print)
    with pytest.raises(EngineFailed, match="tuning failed"):
        tuner(tmp_path, "import os; os._exit(9)").run(print)
    with pytest.raises(EngineFailed):
        tuner(tmp_path, "pass").run(print)


def test_without_weights_there_is_nothing_to_tune(tmp_path: Path) -> None:
    made = tuner(tmp_path, "pass")
    assert not made.needed()
    with pytest.raises(EngineFailed, match="no installed model"):
        made.run(print)


def test_the_command_line_of_the_service(tmp_path: Path) -> None:
    assert installed_model(tmp_path)() is None
    weights = installed(tmp_path)
    launch = installed_model(tmp_path)()
    assert launch is not None
    assert launch.model_id == load_lock().default
    assert launch.weight_format == "as-is"
    assert str(weights) in launch.argv
    assert any("lora" in part for part in launch.argv)
    merged = service_command(weights, chat_weights=tmp_path / "chat.gguf", weight_format="Q4_0")
    assert "--chat-weights" in merged.argv
    assert "--adapter" not in merged.argv
    assert "--watch-stdin" in merged.argv


def test_a_start_of_the_service_removes_what_a_killed_tuning_left(tmp_path: Path) -> None:
    weights = installed(tmp_path)
    left = merged_file(weights)
    left.write_bytes(b"x" * 1000)
    assert installed_model(tmp_path)() is not None
    assert not left.exists()
    assert weights.exists()


def test_the_tuner_ends_with_whoever_started_it() -> None:
    """However the console dies, the pipe closes, and half an hour of computing does not go on for nobody."""
    program = "from local_models.serving import watch_parent; import time; watch_parent(lambda: None, 0.0)\n"
    program += "print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"up\n"
        child.stdin.close()
        assert child.wait(20) == 0
