"""Label sets as callers bring them, and messages for the six default labels: invented texts, read from two files.

    # set
    - label | description (may be absent)
    text; {p} a given name, {c} a town, {n} a number, {day} a weekday, {y} a year, {o} a thing, {x} noise

`label_sets.txt` holds the callers' sets, `default_texts.txt` one set named six.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["LabelSet", "default_texts", "label_sets", "read_sets"]


@dataclass
class LabelSet:
    """label -> texts, and what some labels mean."""

    name: str
    texts: dict[str, list[str]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def read_sets(text: str) -> list[LabelSet]:
    """Parse the format above.

    Raises:
        ValueError: a text or a label stands where none belongs.
    """
    sets: list[LabelSet] = []
    texts: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# "):
            sets.append(LabelSet(line[2:]))
            texts = None
        elif line.startswith("- ") and sets:
            label, _, about = line[2:].partition(" | ")
            texts = sets[-1].texts.setdefault(label, [])
            if about:
                sets[-1].about[label] = about
        elif texts is not None:
            texts.append(line.replace("\\n", "\n"))
        elif line.strip():
            raise ValueError(f"line {number}: a text before its label")
    return sets


def label_sets() -> list[LabelSet]:
    """The callers' sets."""
    return read_sets((Path(__file__).parent / "label_sets.txt").read_text(encoding="utf-8"))


def default_texts() -> dict[str, list[str]]:
    """Messages for each of the six default labels."""
    return read_sets((Path(__file__).parent / "default_texts.txt").read_text(encoding="utf-8"))[0].texts
