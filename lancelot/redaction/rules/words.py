"""Word lists written as prose rather than as columns of quotes."""

from __future__ import annotations

__all__ = ["words"]


def words(*lines: str) -> frozenset[str]:
    """The blank-separated words of all lines."""
    return frozenset(word for line in lines for word in line.split())
