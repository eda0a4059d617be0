"""python -m training.tagger.train CORPUS.npz MODEL.npz [--seconds 390] [--seed 1]"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, DILATIONS, BITS, CLASSES = 128, (1, 2, 4, 8, 1), 17, 10
TABLES = {
    "W": (1 << 15, 64),
    "P3": (1 << 13, 32),
    "S3": (1 << 13, 32),
    "P4": (1 << 13, 32),
    "S2": (1 << 13, 32),
    "SH": (1 << 11, 32),
}
BATCH_TOKENS = 4096


class Net(nn.Module):
    """The same arithmetic as `lancelot.redaction.names`, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleDict({name: nn.Embedding(rows, width) for name, (rows, width) in TABLES.items()})
        for table in self.tables.values():
            nn.init.normal_(table.weight, std=0.15)
        self.into = nn.Linear(64 + 4 * 32 + 32 + BITS, WIDTH)
        self.gap = nn.Embedding(4, WIDTH)
        nn.init.zeros_(self.gap.weight)
        self.layers = nn.ModuleList(nn.Linear(3 * WIDTH, 2 * WIDTH) for _ in DILATIONS)
        self.out = nn.Linear(WIDTH, CLASSES)

    def forward(self, features: Tensor, gaps: Tensor, mask: Tensor) -> Tensor:
        look = self.tables
        word = look["W"](features[..., 0]) + look["W"](features[..., 1])
        affixes = torch.cat([look[name](features[..., 2 + i]) for i, name in enumerate(("P3", "S3", "P4", "S2"))], -1)
        shape = look["SH"](features[..., 6])
        bits = ((features[..., 7:8] >> torch.arange(BITS, device=features.device)) & 1).to(word.dtype)
        if self.training:
            # Each kind of evidence is missing now and then, never word and lexicon for the same token.
            dice = torch.rand(*word.shape[:2], 1, device=word.device)
            word = functional.dropout(word * (dice > 0.10), 0.1)
            bits = bits * ((dice > 0.05) & (dice < 0.93))
            affixes = functional.dropout(affixes * (torch.rand_like(dice) > 0.06), 0.1)
        x = functional.relu(self.into(torch.cat([word, affixes, shape, bits], -1)) + self.gap(gaps)) * mask
        for layer, step in zip(self.layers, DILATIONS, strict=True):
            padded = functional.pad(x, (0, 0, step, step))
            size = x.shape[1]
            around = torch.cat([padded[:, :size], x, padded[:, 2 * step :]], -1)
            value, gate = layer(functional.dropout(around, 0.1, self.training)).chunk(2, -1)
            x = (x + value * torch.sigmoid(gate)) * mask
        return self.out(functional.dropout(functional.relu(x), 0.15, self.training))


def batches(offsets: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Texts of similar length together, at most BATCH_TOKENS tokens with padding."""
    lengths = np.diff(offsets)
    order = np.argsort(lengths + rng.random(len(lengths)) * 4)
    made, current = [], []
    for text in order:
        if current and (len(current) + 1) * max(int(lengths[text]), 1) > BATCH_TOKENS:
            made.append(np.array(current))
            current = []
        current.append(text)
    return [*made, np.array(current)]


def main() -> None:
    """Train by the clock; the learning rate falls to nothing in that time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=390)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with np.load(chosen.corpus) as file:
        arrays = {name: file[name] for name in file.files}
    features = torch.from_numpy(arrays["features"]).to(device)
    tokens, gaps, allowed = (
        torch.from_numpy(arrays[name].astype(np.int64)).to(device) for name in ("tokens", "gaps", "allowed")
    )
    offsets = torch.from_numpy(arrays["offsets"]).to(device)
    net = Net().to(device)
    embeddings = [*net.tables.parameters()]
    others = [p for name, p in net.named_parameters() if not name.startswith("tables.")]
    groups = [{"params": embeddings, "weight_decay": 0.0}, {"params": others, "weight_decay": 0.02}]
    optimiser = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    class_bits = 1 << torch.arange(CLASSES, device=device)
    began, step = time.monotonic(), 0
    while (spent := (time.monotonic() - began) / chosen.seconds) < 1:
        for texts in rng.permutation(np.array(batches(arrays["offsets"], rng), dtype=object)):
            spent = (time.monotonic() - began) / chosen.seconds
            if spent >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = 3e-3 * min(1, (step + 1) / 200) * (1 - spent)
            rows = torch.from_numpy(texts.astype(np.int64)).to(device)
            lengths = offsets[rows + 1] - offsets[rows]
            places = torch.arange(int(lengths.max()), device=device)
            mask = places < lengths[:, None]
            index = torch.where(mask, offsets[rows][:, None] + places, offsets[rows][:, None])
            scores = net(features[tokens[index]], gaps[index], mask[..., None].float())
            permitted = (allowed[index][..., None] & class_bits) != 0
            # How much of the probability lies on classes the token may have.
            lost = scores.logsumexp(-1) - scores.masked_fill(~permitted, -1e9).logsumexp(-1)
            weight = torch.where(permitted[..., 0], 1.0, 1.5) * mask
            loss = (lost * weight).sum() / weight.sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            step += 1
            decay = min(0.999, step / (step + 20))
            with torch.no_grad():
                for name, value in net.state_dict().items():
                    average[name].lerp_(value, 1 - decay)
            if step % 50 == 0:
                print(f"{spent * 100:.0f} % step {step} loss {loss.item():.4f}", flush=True)
    np.savez(chosen.model, **{name: value.float().cpu().numpy() for name, value in average.items()})


if __name__ == "__main__":
    main()
