"""Text of others, shown as text alone: no link, picture or colour of theirs comes to life on a page."""

from __future__ import annotations

import re

__all__ = ["plain"]

_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: object) -> str:
    """The text for a place that reads Markdown, every mark escaped; line breaks stay."""
    return _MARKS.sub(r"\\\1", str(text)).replace("\n", "  \n")
