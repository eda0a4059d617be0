"""The three lanes, cheapest first."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Lane"]


class Lane(StrEnum):
    """Which brain answers."""

    LOCAL = "local"
    FAST = "fast"
    DEEP = "deep"

    @property
    def rank(self) -> int:
        """0 is the cheapest; escalation only raises it."""
        return list(Lane).index(self)
