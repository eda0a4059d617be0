"""Long texts in pieces a small model can read: every token is in some window, neighbours may overlap."""

from __future__ import annotations

from collections.abc import Sequence

from local_models.errors import BadTask

__all__ = ["MOST_WINDOWS", "windows"]

MOST_WINDOWS = 64


def windows(
    tokens: Sequence[int],
    size: int,
    *,
    overlap: int = 0,
    breaks: frozenset[int] = frozenset(),
    most: int = MOST_WINDOWS,
) -> list[list[int]]:
    """Cut tokens into windows of at most `size`, preferably after a token of `breaks` (line ends, full stops).

    Raises:
        BadTask: more than `most` would be needed; the text is refused, never cut.
    """
    made: list[list[int]] = []
    start = 0
    while True:
        end = min(start + size, len(tokens))
        if end < len(tokens):
            end = next((at for at in range(end, start + size // 2, -1) if tokens[at - 1] in breaks), end)
        made.append(list(tokens[start:end]))
        if end >= len(tokens):
            return made
        if len(made) == most:
            raise BadTask(
                "The text is too long for the local model.",
                code="text_too_long",
                hint=f"Send at most about {most * size * 3:,} characters at once.",
            )
        start = max(end - overlap, start + 1)
