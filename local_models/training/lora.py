"""The network with low-rank adapters, in plain torch: a Llama block as llama.cpp computes it.

Weights keep GGUF's layout (rotary pairs side by side), so nothing is permuted on the way in or out: what is trained
here is what llama.cpp adds at run time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["TARGETS", "AdaptedLlama", "Shape", "read_adapter", "read_base", "tiny_base"]

TARGETS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; `base` is the rotary base, `epsilon` of the norms."""

    layers: int
    heads: int
    kv_heads: int
    width: int
    hidden: int
    vocabulary: int
    base: float = 100_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


class LowRank(nn.Module):
    """A frozen matrix plus alpha/rank · B·A; B starts at zero, so training starts at the base model."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.register_buffer("weight", weight, persistent=False)
        self.down = nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns))
        self.up = nn.Parameter(torch.zeros(rows, rank).float())
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        low = functional.linear(functional.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype))
        return functional.linear(x, self.weight) + self.scale * low


class Block(nn.Module):
    """Attention with grouped keys, then a gated feed-forward layer."""

    def __init__(self, shape: Shape, tensors: dict[str, Tensor], number: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.shape = shape
        self.parts = nn.ModuleDict(
            {name: LowRank(tensors[f"blk.{number}.{name}.weight"], rank, alpha) for name in TARGETS}
        )
        self.register_buffer("norm_in", tensors[f"blk.{number}.attn_norm.weight"], persistent=False)
        self.register_buffer("norm_out", tensors[f"blk.{number}.ffn_norm.weight"], persistent=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        shape, (batch, length, _) = self.shape, x.shape
        seen = functional.rms_norm(x, (shape.width,), self.norm_in, shape.epsilon)
        query = self._heads("attn_q", seen, shape.heads)
        key = self._heads("attn_k", seen, shape.kv_heads)
        value = self._heads("attn_v", seen, shape.kv_heads)
        mixed = functional.scaled_dot_product_attention(
            rotate(query, cosine, sine), rotate(key, cosine, sine), value, is_causal=True, enable_gqa=True
        )
        x = x + self.parts["attn_output"](mixed.transpose(1, 2).reshape(batch, length, -1))
        seen = functional.rms_norm(x, (shape.width,), self.norm_out, shape.epsilon)
        gated = functional.silu(self.parts["ffn_gate"](seen)) * self.parts["ffn_up"](seen)
        return x + self.parts["ffn_down"](gated)

    def _heads(self, name: str, x: Tensor, heads: int) -> Tensor:
        batch, length, _ = x.shape
        return self.parts[name](x).view(batch, length, heads, self.shape.head_width).transpose(1, 2)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions on neighbouring pairs, as llama.cpp does for this architecture."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1).flatten(-2).to(x.dtype)


class AdaptedLlama(nn.Module):
    """The whole network; only the adapters' matrices are trained."""

    def __init__(
        self, shape: Shape, tensors: dict[str, Tensor], *, rank: int = 16, alpha: float = 32.0, longest: int = 1024
    ) -> None:
        super().__init__()
        self.shape, self.alpha = shape, alpha
        self.register_buffer("embedding", tensors["token_embd.weight"], persistent=False)
        self.register_buffer("norm", tensors["output_norm.weight"], persistent=False)
        self.blocks = nn.ModuleList(Block(shape, tensors, number, rank, alpha) for number in range(shape.layers))
        frequency = shape.base ** (-torch.arange(0, shape.head_width, 2).float() / shape.head_width)
        angle = torch.arange(longest).float()[:, None] * frequency
        self.register_buffer("cosine", angle.cos(), persistent=False)
        self.register_buffer("sine", angle.sin(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states of (batch, length) token ids."""
        x = functional.embedding(ids, self.embedding)
        for block in self.blocks:
            x = block(x, self.cosine[: ids.shape[1]], self.sine[: ids.shape[1]])
        return functional.rms_norm(x, (self.shape.width,), self.norm, self.shape.epsilon)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary; input and output embeddings are shared."""
        return functional.linear(hidden, self.embedding).float()

    def adapters(self) -> dict[str, np.ndarray]:
        """Trained matrices under the names llama.cpp looks for, half precision."""
        made = {}
        for number, block in enumerate(self.blocks):
            for name in TARGETS:
                part = block.parts[name]
                for letter, matrix in (("a", part.down), ("b", part.up)):
                    key = f"blk.{number}.{name}.weight.lora_{letter}"
                    made[key] = matrix.detach().cpu().numpy().astype(np.float16)
        return made

    def load_adapters(self, matrices: dict[str, np.ndarray]) -> None:
        """Go on from these matrices.

        Raises:
            KeyError, ValueError: one is missing or of another shape.
        """
        for number, block in enumerate(self.blocks):
            for name in TARGETS:
                for letter, matrix in (("a", block.parts[name].down), ("b", block.parts[name].up)):
                    given = matrices[f"blk.{number}.{name}.weight.lora_{letter}"].astype(np.float32)
                    if given.shape != tuple(matrix.shape):
                        raise ValueError(f"lora_{letter} of {name} is {given.shape}, not {tuple(matrix.shape)}")
                    matrix.data.copy_(torch.from_numpy(given))


def read_adapter(path: Path) -> dict[str, np.ndarray]:
    """The matrices of an exported adapter, by the names `AdaptedLlama.adapters` gives."""
    from gguf import GGUFReader

    return {one.name: np.array(one.data) for one in GGUFReader(str(path)).tensors}


def read_base(weights: Path, dtype: torch.dtype) -> tuple[Shape, dict[str, Tensor]]:
    """Shape and de-quantised tensors of a GGUF file: the adapter learns on top of what is really served."""
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(str(weights))

    def number(name: str) -> float:
        return float(reader.fields[f"llama.{name}"].contents())

    tensors = {
        one.name: torch.from_numpy(np.ascontiguousarray(dequantize(one.data, one.tensor_type)).astype(np.float32)).to(
            dtype
        )
        for one in reader.tensors
    }
    shape = Shape(
        layers=int(number("block_count")),
        heads=int(number("attention.head_count")),
        kv_heads=int(number("attention.head_count_kv")),
        width=int(number("embedding_length")),
        hidden=int(number("feed_forward_length")),
        vocabulary=int(tensors["token_embd.weight"].shape[0]),
        base=number("rope.freq_base"),
        epsilon=number("attention.layer_norm_rms_epsilon"),
    )
    return shape, tensors


def tiny_base(seed: int = 0, vocabulary: int = 512) -> tuple[Shape, dict[str, Tensor]]:
    """A random network of the same kind, small enough for a test on a CPU."""
    shape = Shape(layers=2, heads=4, kv_heads=2, width=32, hidden=64, vocabulary=vocabulary)
    source = torch.Generator().manual_seed(seed)

    def draw(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=source) / math.sqrt(columns)

    narrow = shape.kv_heads * shape.head_width
    tensors = {"token_embd.weight": draw(vocabulary, shape.width), "output_norm.weight": torch.ones(shape.width)}
    sizes = {"attn_q": (shape.width, shape.width), "attn_k": (narrow, shape.width), "attn_v": (narrow, shape.width)}
    sizes |= {"attn_output": (shape.width, shape.width), "ffn_gate": (shape.hidden, shape.width)}
    sizes |= {"ffn_up": (shape.hidden, shape.width), "ffn_down": (shape.width, shape.hidden)}
    for number in range(shape.layers):
        tensors |= {f"blk.{number}.{name}.weight": draw(*size) for name, size in sizes.items()}
        tensors |= {f"blk.{number}.{name}.weight": torch.ones(shape.width) for name in ("attn_norm", "ffn_norm")}
    return shape, tensors
