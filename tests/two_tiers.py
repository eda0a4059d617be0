"""A lock file with two installable tiers: the default one, and its twin from a mirror on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import local_models
from tests.local_models.fetch_server import serving
from tests.weights import installed_weights

__all__ = ["OTHER", "lock_with", "two_tiers"]

OTHER = "other-tier"
SHIPPED = Path(local_models.__path__[0]) / "models.lock.yaml"


def lock_with(path: Path, url: str, **changes: Any) -> Path:
    """Write a lock file whose second model is the default one under another name, at `url`."""
    lock = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    first, adapter = lock["models"][0], lock["adapters"][0]
    twin = first | {"id": OTHER, "title": "The other tier", "file": "other.gguf", "adapter": "other-lora"}
    twin |= {"sources": [{"kind": "https", "url": url}]} | changes
    lock["models"].insert(1, twin)
    lock["adapters"].append(adapter | {"id": "other-lora", "base": OTHER})
    path.write_text(yaml.safe_dump(lock), encoding="utf-8")
    return path


@contextmanager
def two_tiers(folder: Path) -> Iterator[Path]:
    """The lock file's path; the mirror has the real weights and listens while the block runs."""
    with serving(content=installed_weights().read_bytes()) as mirror:
        yield lock_with(folder / "two.lock.yaml", mirror.url)
