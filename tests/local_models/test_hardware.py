"""The suggestion by hardware names what can be installed, and what could be later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_models.hardware import Machine, look_at_machine, suggest
from local_models.lockfile import Lock, load_lock

DEFAULT = "smollm2-135m-instruct-q4_1"


def machine(memory_mb: int, cores: int = 2, disk_free_mb: int = 100_000) -> Machine:
    return Machine(memory_mb, memory_mb // 2, cores, disk_free_mb, "test")


@pytest.mark.parametrize(
    ("memory", "cores", "later"),
    [
        (1024, 1, 0),
        (4096, 2, 1),
        (8192, 2, 1),
        (8192, 4, 3),
        (16384, 8, 4),
    ],
)
def test_only_pinned_models_are_suggested(memory: int, cores: int, later: int) -> None:
    found = suggest(load_lock(), machine(memory, cores))
    assert (found.model_id, found.fits, len(found.later)) == (DEFAULT, True, later)
    json.dumps(found.to_dict())


def test_the_largest_that_fits_wins_once_it_is_pinned() -> None:
    lock = load_lock()
    pinned = lock.models[1].model_copy(
        update={"bytes": 400_000_000, "revision": "ab" * 20, "sources": lock.models[0].sources}
    )
    grown = Lock.model_validate(
        {"schema": 1, "default": DEFAULT, "models": [lock.models[0], pinned], "adapters": lock.adapters}
    )
    assert suggest(grown, machine(8192)).model_id == pinned.id
    assert suggest(grown, machine(2048)).model_id == DEFAULT


def test_a_machine_that_is_too_small_is_warned() -> None:
    assert "memory" in suggest(load_lock(), machine(600)).reason
    little_disk = suggest(load_lock(), machine(4096, disk_free_mb=100))
    assert (little_disk.fits, "disk" in little_disk.reason) == (False, True)


def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    seen = look_at_machine(tmp_path / "not" / "there" / "yet")
    assert seen.memory_mb > 0
    assert seen.cores >= 1
    assert seen.disk_free_mb > 0
