"""doctor, backup, restore, demo: keep it well, and bring it back."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Nothing yet."""
