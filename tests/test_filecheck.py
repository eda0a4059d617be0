"""Every damage a file can have is found without opening anything, and its plan sets it aside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lancelot.credentials import Credentials
from lancelot.filecheck import damaged, with_configuration
from lancelot.keys import Keys
from lancelot.repair import Repairer
from lancelot.settings import config_dir


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"\xde\xad\xbe\xef" * 16),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "of another type": lambda path: path.write_bytes(b"[1, 2]\n"),
    "a folder": _a_folder,
    "unreadable": lambda path: path.chmod(0),
}
FILES = ("token", "keys.json", "credentials.json", "approvals.json", "approvals.key")
MADE_ANEW = {("token", "empty"), ("approvals.key", "empty")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys = Keys(tmp_path)
    keys.token()
    keys.add("shop")
    Credentials(tmp_path).put("openai", "sk-test-" + "k" * 32)
    (tmp_path / "approvals.json").write_text('{"approvals": [], "rules": []}')
    (tmp_path / "approvals.key").write_bytes(bytes(32))
    assert damaged(tmp_path) == []
    return tmp_path


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_and_set_aside(name: str, kind: str, folder: Path) -> None:
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = folder / name
    DAMAGE[kind](path)
    found = damaged(folder)
    if (name, kind) in MADE_ANEW:
        assert found == []
        return
    (fault,) = found
    assert fault.outcome.name == f"file {name}"
    assert path.name in fault.outcome.detail
    done = Repairer(folder).carry_out(fault.plan, lambda: (damaged(folder) == [], ""))
    assert done.fixed, done.detail
    assert list(folder.glob(f"{name}.damaged-1"))
    assert not path.exists()


def test_the_shipped_configuration_has_no_fault_and_a_missing_file_is_one(tmp_path: Path) -> None:
    assert with_configuration(tmp_path / "data", config_dir()) == []
    missing = with_configuration(tmp_path / "data", tmp_path / "nowhere")
    assert [fault.outcome.name for fault in missing] == ["file models.yaml", "file router.yaml", "file prices.yaml"]
    assert all("missing" in fault.outcome.detail for fault in missing)
    assert not any(fault.plan.steps for fault in missing)
