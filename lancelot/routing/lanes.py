"""The three lanes, cheapest first, and the model names a caller may ask for."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["MODEL_NAMES", "Lane"]


class Lane(StrEnum):
    """Which brain answers."""

    LOCAL = "local"
    FAST = "fast"
    DEEP = "deep"

    @property
    def rank(self) -> int:
        """0 is the cheapest; escalation only raises it."""
        return _ORDER.index(self)

    def above(self) -> tuple[Lane, ...]:
        """The dearer lanes, cheapest first."""
        return _ORDER[self.rank + 1 :]


_ORDER = tuple(Lane)

# the names `GET /v1/models` lists; None lets the router choose
MODEL_NAMES: dict[str, Lane | None] = {
    "lancelot": None,
    "lancelot-local": Lane.LOCAL,
    "lancelot-fast": Lane.FAST,
    "lancelot-deep": Lane.DEEP,
}
