"""python -m training.tagger.distil CORPUS.npz TEACHER.npz OUT.npz [--start STUDENT.npz] [--labels 0.0] [--seconds 190]

A narrow tower that answers as a wide one does: the teacher's tables and lexicon stay as they are, only what is
multiplied for every token is learnt anew, a quarter of it. The teacher answers for each batch as it comes, so words can
be swapped at random without end. --labels: the weight of the corpus's own labels beside the teacher's answers.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.tagger.train import BITS, CLASSES, DILATIONS, TABLES, batches

WIDTH = 64


class Tower(nn.Module):
    """From a token's features (tables looked up, side by side) to its classes."""

    def __init__(self, arrays: dict[str, np.ndarray] | None = None, width: int = WIDTH) -> None:
        super().__init__()
        size = sum(columns for _, columns in TABLES.values()) + BITS
        width = arrays["Win"].shape[1] if arrays else width
        self.into, self.gap = nn.Linear(size, width), nn.Embedding(4, width)
        self.layers = nn.ModuleList(nn.Linear(3 * width, 2 * width) for _ in DILATIONS)
        self.out = nn.Linear(width, CLASSES)
        nn.init.zeros_(self.gap.weight)
        if arrays:
            self.load_state_dict({name: torch.from_numpy(value) for name, value in _states(arrays).items()})

    def forward(self, features: Tensor, gaps: Tensor, mask: Tensor) -> Tensor:
        x = functional.relu(self.into(features) + self.gap(gaps)) * mask
        for layer, step in zip(self.layers, DILATIONS, strict=True):
            padded, size = functional.pad(x, (0, 0, step, step)), x.shape[1]
            value, gate = layer(torch.cat([padded[:, :size], x, padded[:, 2 * step :]], -1)).chunk(2, -1)
            x = (x + value * torch.sigmoid(gate)) * mask
        return self.out(functional.relu(x))

    def arrays(self) -> dict[str, np.ndarray]:
        """As the data file holds them."""
        named = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in self.state_dict().items()}
        found = {"Win": named["into.weight"].T, "bin": named["into.bias"], "glue": named["gap.weight"]}
        found |= {"Wo": named["out.weight"].T, "bo": named["out.bias"], "bias": np.zeros(CLASSES, np.float32)}
        for i in range(len(DILATIONS)):
            found |= {f"c{i}w": named[f"layers.{i}.weight"].T, f"c{i}b": named[f"layers.{i}.bias"]}
        return found


def _states(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    full = {name: value.astype(np.float32) for name, value in arrays.items() if name != "lex"}
    found = {"into.weight": full["Win"].T, "into.bias": full["bin"], "gap.weight": full["glue"]}
    found |= {"out.weight": full["Wo"].T, "out.bias": full["bo"] + full["bias"]}
    for i in range(len(DILATIONS)):
        found |= {f"layers.{i}.weight": full[f"c{i}w"].T, f"layers.{i}.bias": full[f"c{i}b"]}
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


def _looked_up(arrays: dict[str, np.ndarray], features: np.ndarray) -> Tensor:
    """Every word's row: its tables' rows side by side, then its lexicon bits."""
    tables = [arrays[name].astype(np.float32) * arrays[name + "_s"].astype(np.float32)[:, None] for name in TABLES]
    parts = [tables[0][features[:, 0]] + tables[0][features[:, 1]]]
    parts += [table[features[:, i + 2]] for i, table in enumerate(tables[1:])]
    bits = (features[:, 7:8] >> np.arange(BITS)) & 1
    return torch.from_numpy(np.concatenate([*parts, bits], 1).astype(np.float16))


def main() -> None:
    """Learn by the clock; the learning rate falls to nothing in that time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--labels", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=190)
    chosen = parser.parse_args()
    device, rng = "cuda" if torch.cuda.is_available() else "cpu", np.random.default_rng(1)
    with np.load(chosen.corpus) as file:
        corpus = {name: file[name] for name in file.files}
    with np.load(chosen.teacher) as file:
        shipped = {name: file[name] for name in file.files}
    start = dict(np.load(chosen.start)) if chosen.start else None
    rows = _looked_up(shipped, corpus["features"]).to(device)
    teacher, student = Tower(shipped).to(device).eval(), Tower(start).to(device)
    tokens, gaps, allowed, offsets = (
        torch.from_numpy(corpus[name].astype(np.int64)).to(device) for name in ("tokens", "gaps", "allowed", "offsets")
    )
    optimiser = torch.optim.AdamW(student.parameters(), lr=4e-3, betas=(0.9, 0.98), weight_decay=0.01)
    class_bits = 1 << torch.arange(CLASSES, device=device)
    average = {name: value.detach().clone() for name, value in student.state_dict().items()}
    began, step = time.monotonic(), 0
    while (spent := (time.monotonic() - began) / chosen.seconds) < 1:
        for texts in rng.permutation(np.array(batches(corpus["offsets"], rng), dtype=object)):
            spent = (time.monotonic() - began) / chosen.seconds
            if spent >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = 4e-3 * min(1, (step + 1) / 300) * (1 - spent)
            picked = torch.from_numpy(texts.astype(np.int64)).to(device)
            lengths = offsets[picked + 1] - offsets[picked]
            places = torch.arange(int(lengths.max()), device=device)
            mask = places < lengths[:, None]
            index = torch.where(mask, offsets[picked][:, None] + places, offsets[picked][:, None])
            words, seen = tokens[index], mask[..., None].float()
            # Some texts lose a part of their words to others, so that the student sees more than the corpus says.
            share = torch.tensor([0.0, 0.0, 0.0, 0.05, 0.15], device=device)[torch.randint(5, (len(picked), 1))]
            other = torch.randint(len(rows), words.shape, device=device)
            swapped = torch.rand(words.shape, device=device) < share
            features = rows[torch.where(swapped, other, words)].float()
            with torch.no_grad():
                told = teacher(features, gaps[index], seen).log_softmax(-1)
            scores = student(features, gaps[index], seen)
            apart = (told.exp() * (told - scores.log_softmax(-1))).sum(-1)
            weight = (1 + 2 * (1 - told[..., 0].exp())) * mask
            loss = (apart * weight).sum() / weight.sum()
            if chosen.labels:
                permitted = (allowed[index][..., None] & class_bits) != 0
                lost = scores.logsumexp(-1) - scores.masked_fill(~permitted, -1e9).logsumexp(-1)
                whole = mask & ~swapped
                loss = loss + chosen.labels * (lost * whole).sum() / whole.sum().clamp(min=1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
            step += 1
            with torch.no_grad():
                for name, value in student.state_dict().items():
                    average[name].lerp_(value, 1 - min(0.9995, step / (step + 30)))
            if step % 100 == 0:
                print(f"{spent * 100:.0f} % step {step} loss {loss.item():.4f}", flush=True)
    student.load_state_dict(average)
    np.savez_compressed(chosen.out, **(shipped | student.arrays()))


if __name__ == "__main__":
    main()
