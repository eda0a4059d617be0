"""Exactly the containers' commands and health checks, run as plain processes on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local_models.container import service_arguments, wait_for_weights
from local_models.errors import FetchFailed
from local_models.fetch_model import ensure_model, weights_path
from local_models.healthcheck import healthy
from local_models.healthcheck import main as check
from local_models.lockfile import Lock, PinnedModel, load_lock
from local_models.smoke_test import run_smoke
from local_models.tier import choose_model
from tests.local_models.fetch_server import agreed, make_pin, serving
from tests.local_models.test_docker_files import FILES, ROOT, one
from tests.weights import installed_weights, models_folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """The image's PATH and ENV, on this machine."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"} | more


@contextmanager
def container(name: str, log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The CMD of an image as a process, ended as `docker stop` does."""
    command = json.loads(one(FILES[name], "CMD"))
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def health(name: str, env: dict[str, str], *, port: int | None = None) -> int:
    """Exit status of the image's HEALTHCHECK."""
    command = json.loads(one(FILES[name], "HEALTHCHECK").partition("CMD ")[2])
    command = [part.replace(":8501/", f":{port}/") if port else part for part in command]
    return subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True).returncode


def wait_healthy(name: str, env: dict[str, str], process: subprocess.Popen[bytes], log: Path, port: int | None) -> None:
    while health(name, env, port=port) != 0:
        assert process.poll() is None, log.read_text()
        threading.Event().wait(0.2)


@pytest.mark.real_model
@pytest.mark.xdist_group("real_model")
@pytest.mark.timeout(300)
def test_local_llm_serves_weights_from_its_volume(tmp_path: Path) -> None:
    installed_weights()
    port = free_port()
    env = environment(
        LANCELOT_LOCAL_HOST="127.0.0.1", LANCELOT_LOCAL_PORT=str(port), LANCELOT_MODELS_DIR=str(models_folder())
    )
    log = tmp_path / "log"
    assert health("local-llm", env) == 1
    with container("local-llm", log, env) as process:
        wait_healthy("local-llm", env, process, log, None)
        assert run_smoke(f"http://127.0.0.1:{port}").ok
    assert process.returncode in (0, -15)
    assert health("local-llm", env) == 1


def test_local_llm_waits_for_weights_and_says_how_to_get_them(tmp_path: Path) -> None:
    env = environment(LANCELOT_LOCAL_PORT=str(free_port()), LANCELOT_MODELS_DIR=str(tmp_path / "volume"))
    log = tmp_path / "log"
    with container("local-llm", log, env) as process:
        while "LANCELOT_ACCEPT_LICENCE=Apache-2.0" not in log.read_text():
            assert process.poll() is None, log.read_text()
            threading.Event().wait(0.05)
        assert health("local-llm", env) == 1


@pytest.mark.timeout(300)
def test_the_console_answers_its_health_check(tmp_path: Path) -> None:
    port = free_port()
    env = environment(
        LANCELOT_HOST="127.0.0.1",
        LANCELOT_PORT=str(port),
        LANCELOT_DATA_DIR=str(tmp_path / "data"),
        LANCELOT_LOCAL_LLM_URL=f"http://127.0.0.1:{free_port()}",
    )
    log = tmp_path / "log"
    with container("console", log, env) as process:
        wait_healthy("console", env, process, log, port)
        assert httpx.get(f"http://127.0.0.1:{port}/system/health").status_code == 200


def only(*pins: PinnedModel) -> Lock:
    """A lock file of these pins; the first is the default."""
    return Lock.model_validate({"schema": 1, "default": pins[0].id, "models": pins})


def test_a_model_chosen_meanwhile_is_the_one_that_is_waited_for(tmp_path: Path) -> None:
    with serving() as server:
        first = make_pin(server.url)
        other = first.model_copy(update={"id": "other"})
        lock = only(first, other)

        def choose(_seconds: float) -> None:
            choose_model(lock, "other", tmp_path)
            list(ensure_model(other, tmp_path, consent=agreed(other)))

        assert wait_for_weights(lock, tmp_path, "", sleep=choose, say=lambda _line: None).id == "other"


def test_waiting_ends_when_the_console_has_installed_the_weights(tmp_path: Path) -> None:
    said: list[str] = []
    with serving() as server:
        pin = make_pin(server.url)

        def install(_seconds: float) -> None:
            list(ensure_model(pin, tmp_path, consent=agreed(pin)))

        wait_for_weights(only(pin), tmp_path, "", sleep=install, say=said.append)
    assert len(said) == 1
    assert weights_path(pin, tmp_path).exists()


def test_an_accepted_licence_installs_and_another_one_does_not(tmp_path: Path) -> None:
    with serving() as server:
        pin = make_pin(server.url)
        wait_for_weights(only(pin), tmp_path, "Apache-2.0", say=lambda _line: None)
        assert weights_path(pin, tmp_path).exists()
    with serving(lambda e: e.head(404, Content_Length=0)) as server, pytest.raises(FetchFailed):
        wait_for_weights(only(make_pin(server.url)), tmp_path / "other", "Apache-2.0", say=lambda _line: None)

    class Waited(Exception):
        pass

    def give_up(_seconds: float) -> None:
        raise Waited

    with pytest.raises(Waited):
        wait_for_weights(
            only(make_pin("http://127.0.0.1:9/x")), tmp_path / "none", "MIT", sleep=give_up, say=lambda _line: None
        )


def test_the_services_arguments_name_weights_adapter_and_address(tmp_path: Path) -> None:
    lock = load_lock()
    pin = lock.default_model
    made = service_arguments(lock, pin, tmp_path, {"LANCELOT_LOCAL_HOST": "0.0.0.0", "LANCELOT_LOCAL_PORT": "1234"})
    told = dict(zip(made[::2], made[1::2], strict=True))
    assert told["--weights"] == str(weights_path(pin, tmp_path))
    assert told["--adapter"].endswith("lancelot-utility-lora.gguf")
    assert (told["--host"], told["--port"], told["--model-id"]) == ("0.0.0.0", "1234", pin.id)
    closed = service_arguments(lock, pin, tmp_path, {})
    assert closed[closed.index("--host") + 1] == "127.0.0.1"


def test_the_health_check_knows_good_from_bad() -> None:
    with serving(lambda e: e.head(200, Content_Length=0), lambda e: e.head(503, Content_Length=0)) as server:
        assert healthy(server.url)
        assert check([server.url]) == 1
    assert not healthy(server.url)
    assert not healthy("nonsense")
