"""Weights in another format, with the adapter merged in.

The downloaded file is expanded to plain numbers by llama.cpp, the adapter's product (alpha / rank x B A) is added to
each matrix in place, and the result is quantised. At run time merged weights cost nothing extra; a loaded adapter costs
13 to 30 percent.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np

from local_models.errors import BadWeights, EngineFailed
from local_models.gguf import GgufFile
from local_models.llama import lib, silence

__all__ = ["FORMATS", "convert", "merge"]

# llama.cpp's file types
FORMATS = {"F16": 1, "Q4_0": 2, "Q4_0-BF16": 2, "Q4_1": 3, "Q8_0": 7, "IQ4_NL": 25, "BF16": 32}
BF16_TENSOR = 30
# 4 bits for the two widest matrices of a layer only: half the loss of plain Q4_0 at nearly its speed
KEPT_WIDE = {"Q4_0-BF16": ("attn_.*", "ffn_down")}


def convert(source: Path, target: Path, form: str, *, threads: int = 0) -> None:
    """Write source in another format; target appears only when it is complete.

    Raises:
        EngineFailed: llama.cpp refused.
    """
    silence()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    params = lib.llama_model_quantize_default_params()
    params.ftype = FORMATS[form]
    params.allow_requantize = True
    params.nthread = threads or len(os.sched_getaffinity(0))
    wide = KEPT_WIDE.get(form, ())
    overrides = (lib.llama_model_tensor_override * (len(wide) + 1))()  # ended by an empty one
    for override, pattern in zip(overrides, wide, strict=False):
        override.pattern, override.type = pattern.encode(), BF16_TENSOR
    if wide:
        params.tt_overrides = ctypes.cast(overrides, type(params.tt_overrides))
    try:
        if lib.llama_model_quantize(str(source).encode(), str(temporary).encode(), params) != 0:
            raise EngineFailed(f"{source.name} cannot be converted to {form}.", code="convert_failed")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def merge(source: Path, adapter: Path, target: Path) -> int:
    """Write source with the adapter merged in, as F16; how many matrices were changed.

    Raises:
        BadWeights: the adapter does not fit.
        EngineFailed: llama.cpp cannot expand the file.
    """
    lora = GgufFile(adapter)
    pairs = sorted(name.removesuffix(".lora_a") for name in lora.tensors if name.endswith(".lora_a"))
    if not pairs:
        raise BadWeights(f"{adapter.name} is not a LoRA adapter.")
    alpha = float(lora.metadata.get("adapter.lora.alpha", 0.0))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        convert(source, temporary, "F16")
        plain = GgufFile(temporary)
        for name in pairs:
            down = lora.array(f"{name}.lora_a").astype(np.float32)
            up = lora.array(f"{name}.lora_b").astype(np.float32)
            rank = down.shape[0]
            matrix = plain.array(name, writable=True)
            if matrix.shape != (up.shape[0], down.shape[1]) or up.shape[1] != rank:
                raise BadWeights(f"{adapter.name} does not fit: {name} has another shape.")
            scale = alpha / rank if alpha else 1.0
            matrix[:] = (matrix.astype(np.float32) + scale * (up @ down)).astype(matrix.dtype)
            del matrix
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return len(pairs)
