"""Where things live, and what the environment says. Functions, not constants: `--data-dir` changes the answer."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["config_dir", "data_dir", "host", "port", "project_dir"]


def project_dir() -> Path:
    """The folder that holds pyproject.toml, config/ and local_models/."""
    return Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """Everything the product writes: LANCELOT_DATA_DIR, or data/ in the project. Not created here."""
    named = os.environ.get("LANCELOT_DATA_DIR")
    return Path(named).expanduser().resolve() if named else project_dir() / "data"


def config_dir() -> Path:
    """The folder of models.yaml, router.yaml and prices.yaml: LANCELOT_CONFIG_DIR, or config/ in the project."""
    named = os.environ.get("LANCELOT_CONFIG_DIR")
    return Path(named).expanduser().resolve() if named else project_dir() / "config"


def host() -> str:
    """The bind address: LANCELOT_HOST, loopback by default."""
    return os.environ.get("LANCELOT_HOST", "127.0.0.1")


def port() -> int:
    """The port of console, control plane and gateway: LANCELOT_PORT, 8501 by default."""
    return int(os.environ.get("LANCELOT_PORT", "8501"))
