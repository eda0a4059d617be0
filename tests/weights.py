"""The real default model for tests that need it: installed once for all, verified, shared by parallel workers.

LANCELOT_REAL_MODEL=1 switches these tests on (`make test` sets it); LANCELOT_TEST_MODELS names another folder than
.cache/models of the project.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import pytest

from local_models.consent import Consent
from local_models.fetch_model import ensure_model, weights_path
from local_models.lockfile import load_lock

__all__ = ["installed_adapter", "installed_weights", "models_folder"]


def models_folder() -> Path:
    """The folder of the test weights; <folder>/<model id>/<file>, the same layout as data/models."""
    named = os.environ.get("LANCELOT_TEST_MODELS")
    return Path(named) if named else Path(__file__).resolve().parent.parent / ".cache" / "models"


def installed_weights() -> Path:
    """The verified file of the default model; skips the test unless LANCELOT_REAL_MODEL=1. Installed at first use."""
    if os.environ.get("LANCELOT_REAL_MODEL") != "1":
        pytest.skip("LANCELOT_REAL_MODEL is not 1")
    return _install(models_folder())


def installed_adapter() -> Path:
    """The adapter that ships with the product, made for the default model."""
    lock = load_lock()
    adapter = lock.adapter_for(lock.default_model)
    assert adapter is not None
    return adapter.path()


@lru_cache(maxsize=1)
def _install(folder: Path) -> Path:
    pin = load_lock().default_model
    for _ in ensure_model(pin, folder, consent=Consent.given(pin)):  # a file lock inside serialises the workers
        pass
    return weights_path(pin, folder)
