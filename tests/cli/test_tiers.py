"""Another tier, by command line and control plane: consent, fetch, start, smoke test, READY, and back by RESET."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lancelot.keys import Keys
from local_models.lockfile import load_lock
from tests.cli.shell import Shell, serving
from tests.local_models.fetch_server import CONTENT
from tests.local_models.fetch_server import serving as mirroring
from tests.two_tiers import OTHER, lock_with, two_tiers

pytestmark = pytest.mark.timeout(180)
DEFAULT = load_lock().default


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two installable tiers, in force for every process the test starts; the second comes from a mirror."""
    with two_tiers(tmp_path) as path:
        monkeypatch.setenv("LANCELOT_MODELS_LOCK", str(path))
        yield path


@pytest.fixture
def ready(ready_folder: Path, tmp_path: Path, lock: Path) -> Shell:
    """A shell on a READY folder that runs the default tier."""
    return Shell(Path(shutil.copytree(ready_folder, tmp_path / "data")))


def chosen(shell: Shell) -> str:
    (row,) = [row for row in shell.json("model", "list")["models"] if row["chosen"]]
    return str(row["id"])


def test_the_set_up_takes_the_tier_that_is_named(tmp_path: Path, lock: Path) -> None:
    shell = Shell(tmp_path / "fresh")
    done = shell.run("onboard", "--provider", "selfhosted", "--comms", "local", "--model", OTHER, "--yes")
    assert done.returncode == 0, done.stderr
    assert chosen(shell) == OTHER
    assert sorted(path.parent.name for path in shell.folder.glob("models/*/*.gguf")) == [OTHER]
    with serving(shell.folder, until="/system/ready"):  # a restart: the choice is still in force
        assert shell.json("model", "status")["model_id"] == OTHER
    assert shell.json("onboarding", "reset", "--yes")["done"]
    assert chosen(shell) == DEFAULT
    assert shell.json("onboarding", "undo")["done"]
    assert chosen(shell) == OTHER
    assert shell.json("status")["onboarding"]["state"] == "READY"


def test_candidates_are_shown_and_refused(ready: Shell) -> None:
    rows = {row["id"]: row for row in ready.json("model", "list")["models"]}
    assert rows[DEFAULT]["state"] == "installed"
    assert rows[OTHER]["state"] == "available"
    assert sum(row["suggested"] for row in rows.values()) == 1
    candidate = next(row for row in rows.values() if row["state"] == "candidate")
    assert candidate["missing"]
    refused = ready.refused("model", "install", candidate["id"], "--yes")
    assert all(word in refused for word in candidate["missing"])
    refused = ready.refused(
        "onboard", "--provider", "selfhosted", "--comms", "local", "--yes", "--model", candidate["id"]
    )
    assert "only a candidate" in refused
    assert ready.refused("model", "use", OTHER).startswith("not_installed: ")
    assert chosen(ready) == DEFAULT


def test_a_later_install_takes_over_while_no_server_runs(ready: Shell) -> None:
    assert "known answers right" in ready.text("model", "install", OTHER, "--yes")
    assert chosen(ready) == OTHER
    assert ready.json("status")["onboarding"]["state"] == "READY"
    assert ready.json("model", "verify")["model"] == OTHER
    assert ready.json("model", "use", DEFAULT)["model"] == DEFAULT
    assert chosen(ready) == DEFAULT


def test_the_control_plane_changes_the_tier_while_it_serves(ready: Shell) -> None:
    token = {"Authorization": f"Bearer {Keys(ready.folder).token()}"}
    with (
        serving(ready.folder, until="/system/ready") as url,
        httpx.Client(base_url=url, headers=token, trust_env=False, timeout=60) as http,
    ):
        wish = {"action": "install", "model": OTHER}
        refused = http.post("/system/model", json=wish)
        assert (refused.status_code, refused.json()["code"]) == (400, "consent_needed")
        assert http.post("/system/model", json=wish | {"consent": True, "background": True}).status_code == 200
        pause = threading.Event()
        while (job := http.get("/system/model").json()["job"]) is None or job["running"]:
            assert http.get("/system/status").json()["onboarding"]["state"] == "READY"  # the old one works on
            pause.wait(0.1)
        assert job["error"] is None
        assert http.get("/system/model").json()["service"]["model_id"] == OTHER
        assert http.get("/system/status").json()["ready"]
        rows = http.get("/system/model/tiers").json()["tiers"]
        assert [row["id"] for row in rows if row["chosen"]] == [OTHER]
        assert http.get("/onboarding").json()["model"]["id"] == OTHER
        answer = http.post("/v1/utility/classify", json={"text": "Good morning!"})
        assert answer.json()["label"] == "greeting"
        assert http.post("/system/model", json={"action": "use", "model": DEFAULT}).json()["model"] == DEFAULT
        assert http.get("/system/model").json()["service"]["model_id"] == DEFAULT


def test_a_tier_that_does_not_work_changes_nothing(ready: Shell, lock: Path, tmp_path: Path) -> None:
    """Weights that are the pinned ones and yet no model: the trial says so, and the old tier works on."""
    with mirroring() as mirror:
        lock_with(lock, mirror.url, bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
        refused = ready.run("model", "install", OTHER, "--yes")
    assert refused.returncode == 1
    assert "does not start on this machine" in refused.stderr
    assert chosen(ready) == DEFAULT
    assert ready.json("status")["onboarding"]["state"] == "READY"
