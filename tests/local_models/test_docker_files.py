"""The containers, judged by their files: closed to the outside, without rights, without weights."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = {"console": ROOT / "Dockerfile", "local-llm": ROOT / "local_models" / "Dockerfile"}

SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["build", "image", "healthcheck", "user", "read_only", "mem_limit", "volumes", "restart"],
    "properties": {
        "build": {
            "type": "object",
            "additionalProperties": False,
            "required": ["context", "dockerfile"],
            "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}},
        },
        "image": {"type": "string", "pattern": r"^[a-z0-9-]+:\d+\.\d+\.\d+$"},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:"}},
        "expose": {"type": "array", "items": {"type": "string", "pattern": r"^\d+$"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z]+:/[a-z/]+$"}, "minItems": 1},
        "depends_on": {"type": "object"},
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test", "interval", "timeout", "retries", "start_period"],
            "properties": {
                "test": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                "interval": {"type": "string", "pattern": r"^\d+s$"},
                "timeout": {"type": "string", "pattern": r"^\d+s$"},
                "start_period": {"type": "string", "pattern": r"^\d+s$"},
                "retries": {"type": "integer", "minimum": 1},
            },
        },
        "user": {"type": "string", "pattern": r"^[1-9]\d*:[1-9]\d*$"},
        "read_only": {"const": True},
        "tmpfs": {"type": "array", "items": {"type": "string"}},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "mem_limit": {"type": "string", "pattern": r"^\d+[mg]$"},
        "pids_limit": {"type": "integer", "minimum": 32},
        "restart": {"enum": ["unless-stopped", "always"]},
    },
}
COMPOSE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "services", "volumes"],
    "properties": {
        "name": {"const": "lancelot"},
        "services": {
            "type": "object",
            "additionalProperties": False,
            "required": ["console", "local-llm"],
            "properties": {"console": SERVICE, "local-llm": SERVICE},
        },
        "volumes": {"type": "object"},
    },
}


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def instructions(path: Path) -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of the last stage, continuation lines joined."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    found = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word.isupper()]
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def one(path: Path, word: str) -> str:
    return next(rest for found, rest in instructions(path) if found == word)


def test_the_compose_file_has_the_agreed_shape() -> None:
    jsonschema.validate(compose(), COMPOSE)
    named = {volume.split(":")[0] for service in compose()["services"].values() for volume in service["volumes"]}
    assert named == set(compose()["volumes"])


def test_compose_itself_accepts_it_where_the_plugin_exists() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("the compose plugin is not installed; the schema check stands in")
    done = subprocess.run(
        [docker, "compose", "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_only_the_console_is_published_and_only_to_this_machine() -> None:
    services = compose()["services"]
    assert services["console"]["ports"] == ["127.0.0.1:${LANCELOT_PORT:-8501}:8501"]
    assert "ports" not in services["local-llm"]


def test_both_see_the_same_weights_and_the_console_finds_the_model() -> None:
    services = compose()["services"]
    assert "weights:/models" in services["local-llm"]["volumes"]
    assert "weights:/data/models" in services["console"]["volumes"]
    assert services["console"]["environment"]["LANCELOT_LOCAL_LLM_URL"] == "http://local-llm:8090"
    assert services["local-llm"]["environment"]["LANCELOT_LOCAL_PORT"] == "8090"


def test_bind_addresses_come_from_the_environment() -> None:
    services = compose()["services"]
    assert services["console"]["environment"]["LANCELOT_HOST"] == "${LANCELOT_HOST:-0.0.0.0}"
    assert services["local-llm"]["environment"]["LANCELOT_LOCAL_HOST"] == "${LANCELOT_LOCAL_HOST:-0.0.0.0}"
    for path, name in ((FILES["console"], "LANCELOT_HOST"), (FILES["local-llm"], "LANCELOT_LOCAL_HOST")):
        told = " ".join(rest for word, rest in instructions(path) if word == "ENV")
        assert f"{name}=127.0.0.1" in told  # outside compose an image stays closed


@pytest.mark.parametrize("name", FILES)
def test_images_run_without_rights_and_say_how_they_are(name: str) -> None:
    path, service = FILES[name], compose()["services"][name]
    assert one(path, "USER") == service["user"] == "10001:10001"
    check = one(path, "HEALTHCHECK").partition("CMD ")[2]
    assert ["CMD", *json.loads(check)] == service["healthcheck"]["test"]
    assert isinstance(json.loads(one(path, "CMD")), list)
    assert ROOT / service["build"]["dockerfile"] == path


@pytest.mark.parametrize("name", FILES)
def test_images_are_built_from_the_lock_files_and_hold_no_weights(name: str) -> None:
    text = FILES[name].read_text()
    installs = re.findall(r"pip install ([^\n&]+)", text)
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)
    assert "index-url" not in text
    assert "fetch_model" not in text
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "**/*.gguf" in ignored
    assert {".git", "data", ".venv", ".cache"} <= set(ignored)
