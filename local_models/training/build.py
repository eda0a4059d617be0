"""Assemble the training set: own generators, whatever public sets are there, minus everything the exam asks.

    python -m local_models.training.build --out train.jsonl [--sets FOLDER] [--scale 1.0]

Absent sets are skipped and said. An example whose text shares a run of `OVERLAP` words with a golden item is dropped,
so that the exam stays an exam.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from local_models.exam_items import golden_items
from local_models.training.dialogues import dialogues
from local_models.training.documents import records
from local_models.training.examples import Example
from local_models.training.intents import custom_intents, default_intents
from local_models.training.public import read_public

__all__ = ["OVERLAP", "build", "main", "overlaps", "own_examples", "word_runs"]

OVERLAP = 8  # words in a row
OWN = {"records": 9000, "default": 7000, "custom": 4000, "dialogues": 8000}
NEGATIVES = """Please keep the lid closed while the mixer runs.|def area(width, height): return width * height
The parcel weighs nine kilos and goes by sea.|Set the limit to 40 and press save.|Page 12 lacks a footnote.
SKU 44-LB-9 is sold out until autumn.|Release 4.0.2 ships next Tuesday.|Never write your password on a note.""".replace(
    "\n", "|"
).split("|")


def own_examples(seed: int, scale: float = 1.0) -> Iterator[Example]:
    """Everything we make up ourselves; `scale` 1.0 gives about 40,000 examples."""
    count = {name: max(1, int(number * scale)) for name, number in OWN.items()}
    yield from records(seed, count["records"])
    yield from default_intents(seed + 1, count["default"])
    yield from custom_intents(seed + 2, count["custom"])
    yield from dialogues(seed + 3, count["dialogues"])
    for text in NEGATIVES:
        yield Example("redact", "negatives", f"Text: {text}", "NONE")


def build(examples: Iterable[Example], seed: int) -> list[Example]:
    """Without duplicates, without overlap with the golden set, shuffled the same way for the same seed."""
    exam = set().union(*(word_runs(_all_text(item.body)) for item in golden_items()))
    kept = {(one.task, one.user): one for one in examples if not overlaps(one, exam)}
    ordered = list(kept.values())
    random.Random(seed).shuffle(ordered)
    return ordered


def word_runs(text: str, length: int = OVERLAP) -> set[tuple[str, ...]]:
    """Every run of `length` words; a shorter text is one run of all its words."""
    words = re.findall(r"\w+", text.lower())
    if len(words) <= length:
        return {tuple(words)} if len(words) > 2 else set()
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


def overlaps(example: Example, exam: set[tuple[str, ...]]) -> bool:
    """Whether the example's text shares a run of words with an exam item."""
    return not exam.isdisjoint(word_runs(example.text))


def _all_text(body: dict[str, object]) -> str:
    turns = body.get("conversation")
    said = " ".join(turn["content"] for turn in turns) if isinstance(turns, list) else ""
    return f"{body['text']} {said}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local_models.training.build", description="Build the training set."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", type=Path, help="folder with checked-out public sets; see README.md")
    parser.add_argument("--scale", type=float, default=1.0, help="how many examples of our own, 1.0 = about 40,000")
    parser.add_argument("--seed", type=int, default=17)
    given = parser.parse_args(arguments)
    examples = list(own_examples(given.seed, given.scale))
    if given.sets is not None:
        for name, found in read_public(given.sets, given.seed):
            if found is None:
                print(f"skipped {name}: not there", file=sys.stderr)
            else:
                examples += found
    rows = build(examples, given.seed)
    given.out.write_text("".join(row.to_line() + "\n" for row in rows), encoding="utf-8")
    for (task, source), number in sorted(Counter((row.task, row.source) for row in rows).items()):
        print(f"{task:10} {source:20} {number}")
    print(f"{len(rows)} examples, {len(examples) - len(rows)} dropped (double, or too close to the exam)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
