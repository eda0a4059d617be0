"""The choice among the tiers: recorded, kept, forgotten; candidates refused with the reason."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from local_models.errors import BadLock, NotInstallable
from local_models.hardware import Machine
from local_models.lockfile import Lock, default_lock_path, load_lock
from local_models.tier import choice_file, choose_model, chosen_model, forget_choice, tiers
from tests.two_tiers import OTHER, lock_with


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return load_lock(lock_with(tmp_path / "lock.yaml", "http://127.0.0.1:9/x"))


def test_the_choice_is_kept_and_can_be_forgotten(lock: Lock, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    assert chosen_model(lock, folder).id == lock.default
    assert choose_model(lock, OTHER, folder).id == OTHER
    assert chosen_model(lock, folder).id == OTHER
    assert stat.S_IMODE(choice_file(folder).stat().st_mode) == 0o644  # the service may run as another user
    assert choose_model(lock, lock.default, folder).id == chosen_model(lock, folder).id == lock.default
    choose_model(lock, OTHER, folder)
    forget_choice(folder)
    forget_choice(folder)
    assert chosen_model(lock, folder).id == lock.default


def test_candidates_and_unknown_models_are_refused_with_the_reason(lock: Lock, tmp_path: Path) -> None:
    with pytest.raises(NotInstallable, match="bytes, revision, sources not pinned"):
        choose_model(lock, lock.models[-1].id, tmp_path)
    with pytest.raises(BadLock, match="No model nobody"):
        choose_model(lock, "nobody", tmp_path)
    assert not choice_file(tmp_path).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model_id": 3}', '{"model_id": "gone"}'])
def test_a_damaged_choice_counts_as_none(lock: Lock, tmp_path: Path, content: str) -> None:
    choice_file(tmp_path).write_text(content)
    assert chosen_model(lock, tmp_path).id == lock.default


def test_a_choice_that_became_a_candidate_counts_as_none(lock: Lock, tmp_path: Path) -> None:
    choose_model(lock, OTHER, tmp_path)
    assert chosen_model(load_lock(default_lock_path()), tmp_path).id == lock.default
    lost = lock.model_copy(
        update={
            "models": tuple(pin.model_copy(update={"bytes": None}) if pin.id == OTHER else pin for pin in lock.models)
        }
    )
    assert chosen_model(lost, tmp_path).id == lock.default


def test_every_tier_is_told_with_its_standing(lock: Lock, tmp_path: Path) -> None:
    machine = Machine(4096, 3000, 2, 100_000, "test")
    rows = {row.id: row for row in tiers(lock, tmp_path, machine)}
    assert list(rows) == [pin.id for pin in lock.models]
    assert rows[lock.default].chosen
    assert rows[lock.default].state == "available"
    assert sum(row.suggested for row in rows.values()) == sum(row.chosen for row in rows.values()) == 1
    assert "chosen" in rows[lock.default].standing
    large = rows["granite-4.0-micro-q4_k_m"]
    assert (large.installable, large.fits) == (False, False)
    assert "candidate: bytes, revision, sources not pinned" in large.standing
    json.dumps([row.to_dict() for row in rows.values()])
    choose_model(lock, OTHER, tmp_path)
    weights = tmp_path / OTHER / "other.gguf"
    weights.parent.mkdir()
    weights.write_bytes(b"x")
    again = {row.id: row for row in tiers(lock, tmp_path, machine)}
    assert again[OTHER].standing.startswith("in use")
    assert not again[lock.default].chosen


def test_an_own_lock_file_is_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Lock
) -> None:
    monkeypatch.setenv("LANCELOT_MODELS_LOCK", str(tmp_path / "lock.yaml"))
    assert load_lock() == lock
    adapter = load_lock().adapter_for(lock.model(OTHER))
    assert adapter is not None
    assert adapter.path().is_file()  # those that ship with the product are still found
