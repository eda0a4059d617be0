"""Train the adapter, and write it as a GGUF file that llama.cpp loads.

    python -m local_models.training.train --weights MODEL.gguf --tokens train.npz --out adapter.gguf [--device cuda]

Needs the `training` extra (torch, gguf). About 20 million tokens an epoch take minutes on a data-centre GPU and days on
a laptop's CPU; `--minutes` stops in time and still writes a usable file.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from local_models.training.lora import AdaptedLlama, read_adapter, read_base

__all__ = ["Plan", "export", "main", "train"]

PAD_TO = 16


@dataclass(frozen=True)
class Plan:
    """How to train: `tokens` in one step, `rate` at its peak, `warm_up` in steps, `minutes` at most."""

    epochs: float = 3.0
    tokens: int = 32_768
    rate: float = 1e-3
    warm_up: int = 60
    minutes: float = 600.0
    seed: int = 0


def train(
    model: AdaptedLlama,
    packed: dict[str, np.ndarray],
    plan: Plan,
    *,
    say: Callable[[str], None] = print,
    clock: Callable[[], float] = time.monotonic,
) -> list[float]:
    """Fit the adapters to the answers (prompts carry no loss); returns the loss of each step."""
    device = model.embedding.device
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01)
    draw, losses, start = np.random.default_rng(plan.seed), [], clock()
    per_epoch = max(1, len(_batches(packed, plan, np.random.default_rng(plan.seed))))
    total = max(1, math.ceil(per_epoch * plan.epochs))
    while len(losses) < total:
        for batch in _batches(packed, plan, draw):
            done = max(len(losses) / total, (clock() - start) / (60 * plan.minutes))
            if done >= 1:
                return losses
            warm = min(1.0, (len(losses) + 1) / max(1, plan.warm_up))
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
            loss = _loss(model, *_collate(packed, batch, device))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            losses.append(float(loss.detach()))
            if len(losses) % 100 == 0:
                say(f"step {len(losses)} of {total}: loss {losses[-1]:.4f}")
    return losses


def _batches(packed: dict[str, np.ndarray], plan: Plan, draw: np.random.Generator) -> list[list[int]]:
    """Examples of similar length together, so that little is padded; batches in random order."""
    lengths = packed["shape"][:, 0] + packed["shape"][:, 1]
    order = np.argsort(lengths + draw.integers(0, 24, len(lengths)), kind="stable")
    made: list[list[int]] = []
    current: list[int] = []
    widest = 0
    for index in order.tolist():
        width = max(widest, int(lengths[index]))
        if current and width * (len(current) + 1) > plan.tokens:
            made.append(current)
            current, width = [], int(lengths[index])
        current.append(index)
        widest = width
    made.append(current)
    draw.shuffle(made)
    return [batch for batch in made if batch]


def _collate(packed: dict[str, np.ndarray], batch: list[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """(ids, weight of each predicted token): an answer counts as one over the root of its length, a prompt nothing."""
    shape = packed["shape"]
    starts = np.concatenate([[0], np.cumsum(shape[:, 0] + shape[:, 1])])
    longest = max(int(shape[index, :2].sum()) for index in batch)
    longest = -(-longest // PAD_TO) * PAD_TO
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    weight = torch.zeros(len(batch), longest)
    for row, index in enumerate(batch):
        prompt, answer = int(shape[index, 0]), int(shape[index, 1])
        ids[row, : prompt + answer] = torch.from_numpy(
            packed["ids"][starts[index] : starts[index + 1]].astype(np.int64)
        )
        weight[row, prompt - 1 : prompt + answer - 1] = answer**-0.5
    return ids.to(device), weight.to(device)


def _loss(model: AdaptedLlama, ids: Tensor, weight: Tensor) -> Tensor:
    counted = weight > 0
    scores = model.logits(model(ids)[counted])
    following = torch.roll(ids, -1, dims=1)[counted]
    each = functional.cross_entropy(scores, following, reduction="none")
    return (each * weight[counted]).sum() / weight[counted].sum()


def export(model: AdaptedLlama, path: Path, *, name: str = "Lancelot utility adapter") -> None:
    """Write the adapter as GGUF."""
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(model.alpha))
    writer.add_name(name)
    writer.add_license("apache-2.0")
    for key, matrix in model.adapters().items():
        writer.add_tensor(key, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _steps(arguments: Sequence[str] | None) -> Iterator[str]:
    parser = argparse.ArgumentParser(prog="python -m local_models.training.train", description="Train the adapter.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--alpha", type=float, default=32.0)
    parser.add_argument("--epochs", type=float, default=Plan.epochs)
    parser.add_argument("--minutes", type=float, default=Plan.minutes)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="peak learning rate; lower with --start")
    parser.add_argument("--start", type=Path, help="an adapter to go on from, of the same rank")
    given = parser.parse_args(arguments)
    torch.manual_seed(Plan.seed)
    shape, tensors = read_base(given.weights, torch.bfloat16 if given.device != "cpu" else torch.float32)
    model = AdaptedLlama(shape, tensors, rank=given.rank, alpha=given.alpha).to(given.device)
    with np.load(given.tokens) as stored:
        packed = {"ids": stored["ids"], "shape": stored["shape"]}
    if given.start is not None:
        model.load_adapters(read_adapter(given.start))
    losses = train(model, packed, Plan(epochs=given.epochs, minutes=given.minutes, rate=given.rate))
    yield f"{len(losses)} steps, loss {losses[0]:.3f} -> {np.mean(losses[-20:]):.3f}"
    export(model, given.out)
    yield f"{given.out.name}: {given.out.stat().st_size} bytes"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    for line in _steps(arguments):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
