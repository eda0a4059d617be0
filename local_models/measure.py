"""How fast weights are on this CPU: tokens a second reading and writing."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from local_models.llama import Adapter, Context, Slot, Weights

__all__ = ["Speed", "measure"]

READ, WRITE = 64, 12  # tokens of one round


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: prefill in passes of 64, decode one by one."""

    prefill_tps: float
    decode_tps: float

    @property
    def cost(self) -> float:
        """Seconds a typical request takes: some 64 tokens read, 16 written."""
        return 64 / self.prefill_tps + 16 / self.decode_tps


def measure(weights: Path, adapter: Path | None = None, *, seconds: float = 3.0, threads: int = 0) -> Speed:
    """The best of several rounds within about `seconds`: what else runs on the machine only ever slows a round down.

    Raises:
        NotInstalled, BadWeights, EngineFailed.
    """
    threads = threads or len(os.sched_getaffinity(0))
    model = Weights(weights)
    context = None
    try:
        lora = Adapter(model, adapter) if adapter else None
        context = Context(model, cells=512, sequences=1, width=READ, threads=threads, adapter=lora)
        tokens = [1000 + 37 * index % 40000 for index in range(READ)]
        tokens = [token % model.vocab_size for token in tokens]
        read = write = float("inf")
        until = time.perf_counter() + seconds
        rounds = 0
        while rounds < 2 or (time.perf_counter() < until and rounds < 12):
            context.cut(0)
            read = min(read, _timed(context, [Slot(t, i, 0, i == READ - 1) for i, t in enumerate(tokens)]))
            for index in range(WRITE):
                write = min(write, _timed(context, [Slot(tokens[index], READ + index, 0, True)]))
            rounds += 1
        return Speed(READ / read, 1 / write)
    finally:
        if context is not None:
            context.close()
        model.close()


def _timed(context: Context, slots: list[Slot]) -> float:
    begun = time.perf_counter()
    context.decode(slots)
    return time.perf_counter() - begun
