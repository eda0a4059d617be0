"""Text of others, shown as text alone: no link, picture or colour of theirs comes to life on a page."""

from __future__ import annotations

import re

__all__ = ["plain", "without_pictures"]

_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: object) -> str:
    """The text for a place that reads Markdown, every mark escaped; line breaks stay."""
    return _MARKS.sub(r"\\\1", str(text)).replace("\n", "  \n")


def without_pictures(text: str) -> str:
    """Markdown of a model, as it is but for pictures: fetching one would tell its server what the address says."""
    return text.replace("![", r"!\[")
