"""Whether the compiled llama.cpp computes rightly on this processor: exit 0 if so.

A tiny model of random 8-bit weights is evaluated with the processor's special kernels and without; both have to agree.
A library compiled for another processor, or wrongly, dies here (SIGILL, SIGSEGV) and not in the middle of the set-up.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np

WIDTH, HIDDEN, WORDS, TOKENS = 256, 512, 64, 40
F32, Q8_0 = 0, 8
SHAPES = {  # rows, columns
    "token_embd": (WORDS, WIDTH),
    "output": (WORDS, WIDTH),
    "blk.0.attn_q": (WIDTH, WIDTH),
    "blk.0.attn_k": (WIDTH, WIDTH),
    "blk.0.attn_v": (WIDTH, WIDTH),
    "blk.0.attn_output": (WIDTH, WIDTH),
    "blk.0.ffn_gate": (HIDDEN, WIDTH),
    "blk.0.ffn_up": (HIDDEN, WIDTH),
    "blk.0.ffn_down": (WIDTH, HIDDEN),
}
NORMS = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
NUMBERS = {
    "block_count": 1,
    "context_length": 128,
    "embedding_length": WIDTH,
    "feed_forward_length": HIDDEN,
    "attention.head_count": 4,
    "vocab_size": WORDS,
}


def tiny_model(path: Path) -> None:
    """Write the model as GGUF."""
    random = np.random.default_rng(7)
    tensors: list[tuple[str, tuple[int, ...], int, bytes]] = []
    for name, (rows, columns) in SHAPES.items():
        blocks = np.zeros(rows * columns // 32, dtype=[("scale", "<f2"), ("values", "i1", 32)])
        blocks["scale"] = 0.5 / 127
        blocks["values"] = random.integers(-127, 128, (len(blocks), 32))
        tensors.append((name, (columns, rows), Q8_0, blocks.tobytes()))
    tensors += [(name, (WIDTH,), F32, np.ones(WIDTH, "<f4").tobytes()) for name in NORMS]

    fields = [_text("general.architecture", "llama"), _text("tokenizer.ggml.model", "none")]
    fields += [_string(f"llama.{name}") + struct.pack("<II", 4, value) for name, value in NUMBERS.items()]
    fields.append(_string("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields)) + b"".join(fields)
    data = b""
    for name, shape, kind, raw in tensors:
        head += _string(f"{name}.weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, len(data))
        data += raw + bytes(-len(raw) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _text(key: str, value: str) -> bytes:
    return _string(key) + struct.pack("<I", 8) + _string(value)


def logits(path: Path, *, special: bool) -> np.ndarray:
    """The last token's logits, with the processor's special kernels or without."""
    how = llama_cpp.llama_model_default_params()
    how.use_extra_bufts = special
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), how)
    if not model:
        sys.exit("llama.cpp cannot load a tiny model.")
    context = llama_cpp.llama_init_from_model(model, llama_cpp.llama_context_default_params())
    tokens = (llama_cpp.llama_token * TOKENS)(*(7 * index % WORDS for index in range(TOKENS)))
    if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, TOKENS)) != 0:
        sys.exit("llama.cpp cannot evaluate a tiny model.")
    row = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), shape=(WORDS,)).copy()
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return row


def main() -> int:
    """Compare both ways."""
    quiet = llama_cpp.llama_log_callback(lambda _level, _text, _user: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(None))
    llama_cpp.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.gguf"
        tiny_model(path)
        plain, special = logits(path, special=False), logits(path, special=True)
    if not np.allclose(plain, special, atol=0.05 * float(np.abs(plain).max())):
        print("llama.cpp computes something else with this processor's special kernels.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
