"""A decoder without a model: one token a byte, a script instead of knowledge, and a strict eye on the KV cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from local_models.batching import Batcher
from local_models.llama import CacheFull, Logits, Slot
from local_models.work import Branch, Fork, Pass, Plan, Prefix, Room, Ticket

__all__ = ["END", "FakeDecoder", "FakeWeights", "run", "say_plan", "submit"]

END = 256  # the end-of-answer token
Script = Callable[[list[int]], int]


class FakeWeights:
    """Bytes as tokens."""

    vocab_size = 257

    def tokens(self, text: str, *, special: bool = False) -> list[int]:
        return list(text.encode())

    def piece(self, token: int) -> bytes:
        return b"" if token == END else bytes([token])

    def ends(self, token: int) -> bool:
        return token == END

    def text(self, tokens: Sequence[int]) -> str:
        return bytes(token for token in tokens if token != END).decode("utf-8", "ignore")


class FakeDecoder:
    """Keeps every sequence's tokens and fails when a position does not continue its sequence.

    script: what the model likes best after these tokens (default: it echoes the last one).
    """

    def __init__(
        self, *, cells: int = 4096, sequences: int = 32, width: int = 64, script: Script | None = None
    ) -> None:
        self.weights: Any = FakeWeights()
        self.cells, self.sequences, self.width = cells, sequences, width
        self.script = script or (lambda tokens: tokens[-1])
        self.held: dict[int, list[int]] = {}
        self.batches: list[list[Slot]] = []
        self.full_once = False

    def decode(self, slots: list[Slot]) -> list[Logits | None]:
        assert 0 < len(slots) <= self.width
        if self.full_once:
            self.full_once = False
            raise CacheFull
        self.batches.append(list(slots))
        rows: list[Logits | None] = []
        for slot in slots:
            mine = self.held.setdefault(slot.sequence, [])
            assert slot.position == len(mine), f"sequence {slot.sequence}: {slot.position} after {len(mine)}"
            mine.append(slot.token)
            rows.append(self.row(mine) if slot.wanted else None)
        return rows

    def row(self, tokens: list[int]) -> Logits:
        row = np.zeros(257, dtype=np.float32)
        row[self.script(tokens)] = 10.0
        return row

    def copy(self, source: int, target: int, length: int) -> None:
        assert not self.held.get(target)
        self.held[target] = self.held[source][:length]

    def cut(self, sequence: int, start: int = 0) -> None:
        self.held[sequence] = self.held.get(sequence, [])[:start]

    @property
    def evaluated(self) -> int:
        return sum(len(batch) for batch in self.batches)


def say_plan(prefix: Prefix | None, tokens: Sequence[int], answer: int) -> Callable[[Room], Plan[list[int]]]:
    """Read tokens after a prefix, then write `answer` tokens greedily; returns them."""

    def plan(room: Room) -> Plan[list[int]]:
        at: Branch = yield Fork(prefix)
        rows = yield [Pass(at.sequence, at.length, list(tokens))]
        written: list[int] = []
        position = at.length + len(tokens)
        while len(written) < answer:
            written.append(int(rows[-1].argmax()))
            if len(written) < answer:
                rows = yield [Pass(at.sequence, position, written[-1:], prompt=False)]
                position += 1
        return written

    return plan


def submit(batcher: Batcher, text: str = "hello", answer: int = 2, **terms: Any) -> Ticket[list[int]]:
    """A small request."""
    prefix = terms.pop("prefix", None)
    cells = terms.pop("cells", len(text) + answer)
    return batcher.submit(say_plan(prefix, list(text.encode()), answer), cells=cells, **terms)


def run(batcher: Batcher, most: int = 10_000) -> int:
    """Step until there is nothing left; how many steps it took."""
    for count in range(most):
        if not batcher.step():
            return count
    raise AssertionError("it never ends")
