"""The command line as its users start it: one process a command, on a data folder of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell, serving
from tests.ready import provisioned_folder


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell on an empty data folder."""
    return Shell(tmp_path / "data")


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 200 made-up receipts; tests copy it."""
    folder = tmp_path_factory.mktemp("seeded")
    done = Shell(folder).json("demo", "seed", "--receipts", "200")
    assert done == {"receipts": 200, "data_dir": str(folder / "demo")}
    return folder / "demo"


@pytest.fixture
def seeded_shell(seeded: Path, tmp_path: Path) -> Shell:
    """A shell on a copy of the folder with made-up receipts."""
    return Shell(Path(shutil.copytree(seeded, tmp_path / "receipts")))


@pytest.fixture(scope="session")
def ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the command line has brought to READY, offline; tests copy it."""
    return provisioned_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def ready_shell(ready_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell on a READY folder that a running server owns, so that the local model is started once."""
    folder = Path(shutil.copytree(ready_folder, tmp_path_factory.mktemp("served") / "data"))
    with serving(folder, until="/system/ready"):
        yield Shell(folder)
