"""A data folder at READY, provisioned by the command line once a test run and shared by parallel workers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.harness import NO_NETWORK, lancelot
from tests.weights import installed_weights

__all__ = ["hand_in_weights", "provisioned_folder"]


def hand_in_weights(folder: Path) -> None:
    """Put the default model's file where the set-up finds it without a network."""
    weights = installed_weights()
    handed_in = folder / "models" / "import"
    handed_in.mkdir(parents=True)
    shutil.copyfile(weights, handed_in / weights.name)


def provisioned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's READY folder; the first caller of all workers makes it, offline. Tests copy it and never change it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each worker has a folder of its own below the run's
    folder, made = base / "provisioned" / "data", base / "provisioned.made"
    with FileLock(base / "provisioned.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            hand_in_weights(folder)
            done = lancelot(folder, "onboard", "--provider", "selfhosted", "--comms", "local", "--yes", env=NO_NETWORK)
            assert done.returncode == 0, done.stderr
            made.touch()
    return folder
