"""A start that cannot succeed ends at once, in words, with exit code 1 and nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lancelot import settings
from lancelot.files import lock_folder
from tests.e2e.harness import PROJECT, free_port

COMMANDS = {
    "console": ["-m", "streamlit", "run", "console", "--server.headless", "true", "--server.port"],
    "serve": ["-m", "lancelot.cli", "serve", "--port"],
}


def start(command: str, data_dir: Path, config_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *COMMANDS[command], str(free_port())],
        cwd=PROJECT,
        env=os.environ | {"LANCELOT_DATA_DIR": str(data_dir), "LANCELOT_CONFIG_DIR": str(config_dir)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_configuration_names_file_line_and_key(command: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(settings.config_dir(), config)
    with (config / "router.yaml").open("a") as file:
        file.write("\nsurprise: 1\n")
    ended = start(command, tmp_path / "data", config)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert "router.yaml, line" in said
    assert "surprise" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["token", "approvals.json"])
def test_a_damaged_file_is_named_with_what_mends_it(command: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(b"\xde\xad\xbe\xef")
    ended = start(command, tmp_path / "data", settings.config_dir())
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert name in said
    assert "lancelot doctor --fix" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_second_server_on_one_folder_is_refused(command: str, tmp_path: Path) -> None:
    held = lock_folder(tmp_path / "data")
    try:
        ended = start(command, tmp_path / "data", settings.config_dir())
    finally:
        held.release()
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert "data_folder_in_use" in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    ended = start("serve", tmp_path / "data", settings.config_dir())
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_other_machines_are_not_let_in_without_a_login(command: str, tmp_path: Path) -> None:
    words = ["--server.address", "0.0.0.0"] if command == "console" else []
    port = str(free_port())
    ended = subprocess.run(
        [sys.executable, *COMMANDS[command], port, *words],
        cwd=PROJECT,
        env=os.environ | {"LANCELOT_DATA_DIR": str(tmp_path / "data"), "LANCELOT_HOST": "0.0.0.0"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert "login_needed" in said
    assert "Traceback" not in said
    assert "external IP" not in said, "Streamlit asks the internet for this machine's address"
    assert not (tmp_path / "data" / "lancelot.duckdb").exists()


def test_the_local_service_is_not_let_out_either(tmp_path: Path) -> None:
    words = ["-m", "local_models.service", "--weights", str(tmp_path / "none.gguf"), "--host", "0.0.0.0"]
    ended = subprocess.run(
        [sys.executable, *words], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "private_network_needed" in ended.stderr
    assert "Traceback" not in ended.stderr
