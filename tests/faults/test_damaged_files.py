"""Each file of the data and configuration folders damaged in turn: the doctor ends, names it, and --fix leads back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from lancelot.cli import app
from tests.e2e.harness import NO_NETWORK, PROJECT
from tests.faults.drill_damage import copied, prepared
from tests.faults.world import CHAT, World, at_ready

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]

GARBAGE = b"\xde\xad\xbe\xef" * 16
# tests/test_filecheck.py tries further kinds, without a command each
DAMAGE: dict[str, Callable[[Path], None]] = {
    "garbage": lambda path: _instead(path, GARBAGE),
    "a folder": lambda path: _a_folder(path),
}
NAMED, HEALED, SET_UP, CHAIN = "named", "healed", "the set-up asks again", "the chain tells it"
# file -> (what the doctor says of damaged content, what may be left after --fix)
FILES: dict[str, tuple[str, set[str]]] = {
    "token": (NAMED, set()),
    "keys.json": (NAMED, set()),
    "credentials.json": (NAMED, {"set_up"}),
    "approvals.json": (NAMED, set()),
    "approvals.key": (NAMED, set()),
    "onboarding/onboarding.json": (HEALED, set()),
    "onboarding/guards.json": (HEALED, set()),
    "onboarding/install.key": (SET_UP, {"set_up"}),
    "journal.head": (HEALED, set()),
    "journal.key": (CHAIN, {"receipts_chain"}),
    "journal.seals": (CHAIN, {"receipts_chain"}),
    "lancelot.lock": (HEALED, set()),
    "lancelot.duckdb": (HEALED, set()),
    "models/*/consent.json": (HEALED, set()),
}
CONFIG = ("models.yaml", "router.yaml", "prices.yaml")


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _instead(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple[World, Path]]:
    """A folder at READY with keys, approvals and sealed receipts; tests copy it."""
    with at_ready() as world:
        folder = prepared(world)
        with world.served(folder) as server:
            assert server.call("POST", "/approvals", json={"what": "Send it", "risk": "high"}).status_code == 200
        yield world, folder


@pytest.fixture
def home(machine: tuple[World, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """tmp_path with a data folder and a configuration of its own."""
    world, _ = machine
    shutil.copytree(PROJECT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("*.yaml.*"))
    mine = {"LANCELOT_DATA_DIR": str(tmp_path / "data"), "LANCELOT_CONFIG_DIR": str(tmp_path / "config")}
    for name, value in (NO_NETWORK | world.env() | mine).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def fresh(home: Path, machine: tuple[World, Path]) -> Path:
    shutil.rmtree(home / "data", ignore_errors=True)
    return Path(shutil.copytree(machine[1], home / "data", copy_function=copied))


def lancelot(*words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON document of a command in this process; an exception is a failure of the test."""
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, json.loads(done.stdout) if done.stdout.strip() else {"said": done.stderr}


def failing(found: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: f"{row['detail']} {row['fix']}" for row in found["checks"] if not row["ok"]}


@pytest.mark.parametrize("name", FILES)
def test_the_doctor_ends_names_it_and_leads_back(name: str, home: Path, machine: tuple[World, Path]) -> None:
    says, may_stay = FILES[name]
    for kind, hurt in DAMAGE.items():
        folder = fresh(home, machine)
        path = next(iter(sorted(folder.glob(name))))
        hurt(path)
        damaged = path.read_bytes() if path.is_file() else None
        code, found = lancelot("doctor")
        bad = failing(found)
        if says == NAMED or (kind == "a folder" and path.is_dir() and "*" not in name):
            assert path.name in bad[f"file {name}"], (kind, bad)
            assert code == 1
        elif says == SET_UP:
            assert "not done on this machine" in bad["set_up"], (kind, bad)
        else:
            assert set(bad) <= may_stay, (kind, bad)
        code, found = lancelot("doctor", "--fix")
        left = set(failing(found))
        assert left <= may_stay, (kind, failing(found))
        assert code == (1 if left else 0)
        if says == NAMED and damaged is not None:
            assert any(one.read_bytes() == damaged for one in path.parent.glob(f"{path.name}.damaged-*")), kind
    code, status = lancelot("status")
    assert code == 0, status
    assert status["onboarding"]["state"] == "READY" or "set_up" in may_stay


def test_keys_come_back_from_their_older_copy(home: Path, machine: tuple[World, Path]) -> None:
    folder = fresh(home, machine)
    keys = folder / "credentials.json"
    (folder / "credentials.json.1").write_bytes(keys.read_bytes())
    keys.write_bytes(GARBAGE)
    assert "file credentials.json" in failing(lancelot("doctor")[1])
    code, found = lancelot("doctor", "--fix")
    assert (code, failing(found)) == (0, {})
    assert lancelot("status")[1]["onboarding"]["state"] == "READY"
    undo = next(one["undo"] for one in found["repairs"])
    assert lancelot("repair", "undo", undo)[0] == 0
    assert keys.read_bytes() == GARBAGE


@pytest.mark.parametrize("name", CONFIG)
def test_a_broken_configuration_gives_way_to_its_newest_good_version(
    name: str, home: Path, machine: tuple[World, Path]
) -> None:
    fresh(home, machine)
    path = home / "config" / name
    good = path.read_bytes()
    for hurt in DAMAGE.values():
        if path.is_dir():
            path.rmdir()
        path.write_bytes(good)
        hurt(path)
        for older in path.parent.glob(f"{name}.[1-5]"):
            older.unlink()
        code, found = lancelot("doctor")
        assert code == 1
        assert name in failing(found)[f"file {name}"]
        assert lancelot("status")[0] == 1
        code, found = lancelot("doctor", "--fix")  # there is nothing to put back: only a person can
        assert code == 1
        assert "backup" in failing(found)[f"file {name}"]
        path.with_name(f"{name}.1").write_bytes(GARBAGE)
        path.with_name(f"{name}.2").write_bytes(good)
        code, found = lancelot("doctor", "--fix")
        assert (code, failing(found)) == (0, {})
        assert path.read_bytes() == good


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["token", "keys.json", "credentials.json", "approvals.json"])
def test_a_file_nobody_may_read_is_named(name: str, home: Path, machine: tuple[World, Path]) -> None:
    (fresh(home, machine) / name).chmod(0)
    code, found = lancelot("doctor")
    assert code == 1
    assert "Permission denied" in failing(found)[f"file {name}"]


def test_a_running_server_goes_on_and_writes_anew_what_it_has_in_memory(machine: tuple[World, Path]) -> None:
    world, origin = machine
    folder = Path(shutil.copytree(origin, world.home / "running", copy_function=copied))
    with world.served(folder) as server:
        headers = server.headers()
        for name in ("token", "keys.json", "approvals.json"):
            (folder / name).write_bytes(GARBAGE)

        def call(method: str, path: str, **given: Any) -> Any:
            return httpx.request(method, server.url + path, headers=headers, timeout=90, trust_env=False, **given)

        assert call("POST", "/v1/chat/completions", json=CHAT).status_code == 200  # the operator's requests go on
        looked = call("POST", "/recovery/look").json()
        bad = [one["name"] for one in looked["found"] if not one["ok"]]
        assert bad == ["file token", "file keys.json", "file approvals.json"]
        for name in bad:
            done = call("POST", "/recovery/apply", json={"check": name}).json()
            assert done["done"]["fixed"] is True, done
        assert (folder / "token").read_text().strip() == headers["Authorization"].removeprefix("Bearer ")
        assert "Send it" in (folder / "approvals.json").read_text()
        assert call("POST", "/system/doctor", json={}).json()["ok"] is True
