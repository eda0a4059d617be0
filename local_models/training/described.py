"""Public intents under names and descriptions of our own: the list has to be read, not remembered.

`public_labels.txt` holds `intent|another name|what it means`, one a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local_models.layout import Label
from local_models.training.examples import Example, classify_example
from local_models.training.intents import STYLES
from local_models.training.values import Values

__all__ = ["described_lists", "meanings"]

LETTERS = "ABCDEFGHIJ"


def meanings() -> dict[str, tuple[str, str]]:
    """intent without spaces -> (another name, what it means)."""
    lines = (Path(__file__).parent / "public_labels.txt").read_text(encoding="utf-8").splitlines()
    told = [line.split("|") for line in lines]
    return {intent.replace(" ", ""): (name, meaning) for intent, name, meaning in told}


def described_lists(values: Values, source: str, pool: Mapping[str, Sequence[str]], count: int) -> Iterator[Example]:
    """`count` lists over the intents we have words for; some under plain letters, where the description decides."""
    known = meanings()
    words = {label: known[_key(label)] for label in pool if _key(label) in known}
    if len(words) < 2:
        return
    for _ in range(count):
        true = values.pick(list(words))
        others = [label for label in words if label != true]
        labels = [true, *values.rng.sample(others, min(len(others), values.rng.randint(1, 8)))]
        values.rng.shuffle(labels)
        style, way = values.rng.randrange(len(STYLES)), values.rng.random()
        names = {label: STYLES[style](words[label][0].split()) for label in labels}
        if way > 0.92:
            names = dict(zip(labels, values.rng.sample(LETTERS, len(labels)), strict=True))
        shown = [Label(names[label], words[label][1] if way < 0.7 or way > 0.92 else None) for label in labels]
        if len({label.name for label in shown}) == len(shown):
            yield classify_example(source, shown, values.pick(list(pool[true])), names[true])


def _key(label: str) -> str:
    return label.lower().replace("_", "").replace(" ", "").removesuffix("intent")
