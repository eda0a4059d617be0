"""Examples as token ids, cut by llama.cpp's own tokenizer, so that training sees exactly what serving sends.

python -m local_models.training.tokens --weights MODEL.gguf --examples train.jsonl --out train.npz
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from local_models.layout import TAIL, TASKS, head
from local_models.training.examples import END, Example

__all__ = ["Tokenize", "main", "pack", "tokenizer"]

Tokenize = Callable[[str, bool], list[int]]
"""(text, whether markup becomes control tokens) -> ids"""
LONGEST = 896  # tokens of an example; longer ones are left out, not cut


def tokenizer(weights: Path) -> Tokenize:
    """The tokenizer inside a GGUF file."""
    import llama_cpp

    vocabulary = llama_cpp.Llama(str(weights), vocab_only=True, verbose=False)
    return lambda text, markup: list(vocabulary.tokenize(text.encode(), add_bos=False, special=markup))


def pack(examples: Iterable[Example], tokenize: Tokenize) -> dict[str, np.ndarray]:
    """{"ids": all tokens in a row, "shape": one row (prompt tokens, answer tokens, task number) an example}."""
    heads = {task: tokenize(head(task), True) for task in TASKS}
    tail, end, names = tokenize(TAIL, True), tokenize(END, True), list(TASKS)
    ids: list[int] = []
    shape: list[tuple[int, int, int]] = []
    for one in examples:
        prompt = heads[one.task] + tokenize(one.user, False) + tail
        answer = tokenize(one.answer, False) + end
        if len(prompt) + len(answer) <= LONGEST:
            ids += prompt + answer
            shape.append((len(prompt), len(answer), names.index(one.task)))
    return {"ids": np.array(ids, dtype=np.int32), "shape": np.array(shape, dtype=np.int32).reshape(-1, 3)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m local_models.training.tokens", description="Tokenise examples.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--examples", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    rows = (Example(**json.loads(line)) for line in given.examples.read_text(encoding="utf-8").splitlines())
    packed = pack(rows, tokenizer(given.weights))
    np.savez_compressed(given.out, **packed)
    print(f"{len(packed['shape'])} examples, {len(packed['ids'])} tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
