"""Services for pages: real ones, with a configuration folder of the test's own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lancelot.services import Services
from lancelot.settings import project_dir
from tests.console.drawing import open_services


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest puts its script in place of the main module, which processes that are spawned later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_folder: Path) -> Path:
    """The shipped configuration as a copy that a test may edit."""
    folder = tmp_path / "config"
    shutil.copytree(project_dir() / "config", folder)
    for older in folder.glob("*.yaml.*"):
        older.unlink()
    monkeypatch.setenv("LANCELOT_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def services(config_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("LANCELOT_UPKEEP", "off")
    with open_services() as opened:
        yield opened
