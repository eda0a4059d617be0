"""Tuning from the console's side: a child process, its progress, its report, its failures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lancelot.brain.launch import installed_model, service_command
from lancelot.brain.tuner import Tuner
from local_models.errors import EngineFailed
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
        "print(json.dumps({'step': 'measure', 'detail': 'Q4_0'}))\n"
        f"print(json.dumps({REPORT!r}))"
    )
    seen: list[str] = []
    made = tuner(tmp_path, program)
    assert made.needed()
    assert made.run(seen.append) == REPORT
    assert seen == ["measure Q4_0"]
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
