"""python -m training.tagger.export MODEL.npz LEXICON.xz OUT.npz [--bias B]

Tables as int8 with a scale a row, matrices as fp16, in the layout `lancelot.redaction.names` reads. bias: added to the
score of "nothing here"; below zero finds more and is wrong more often.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
from pathlib import Path

import numpy as np

_TABLES = ("W", "P3", "S3", "P4", "S2", "SH")
_DILATIONS = (1, 2, 4, 8, 1)


def read_lexicon(packed: bytes) -> dict[str, int]:
    """The lexicon as `lexicon.py` packs it."""
    lexicon: dict[str, int] = {}
    before = ""
    for line in lzma.decompress(packed).decode().split("\n"):
        key, bits = line.split("\t")
        before = before[: int(key[0], 36)] + key[1:]
        lexicon[before] = int(bits, 32)
    return lexicon


def packed(model: dict[str, np.ndarray], lexicon: bytes, bias: float) -> dict[str, np.ndarray]:
    """The arrays of the data file."""
    out: dict[str, np.ndarray] = {}
    for name in _TABLES:
        table = model[f"tables.{name}.weight"]
        scale = (np.abs(table).max(1) / 127 + 1e-8).astype(np.float16)
        out[name] = np.clip(np.round(table / scale.astype(np.float32)[:, None]), -127, 127).astype(np.int8)
        out[f"{name}_s"] = scale
    half = {"Win": model["into.weight"].T, "bin": model["into.bias"], "glue": model["gap.weight"]}
    half |= {"Wo": model["out.weight"].T, "bo": model["out.bias"]}
    for i in range(len(_DILATIONS)):
        half |= {f"c{i}w": model[f"layers.{i}.weight"].T, f"c{i}b": model[f"layers.{i}.bias"]}
    out |= {name: value.astype(np.float16) for name, value in half.items()}
    shift = np.zeros(len(model["out.bias"]), np.float32)
    shift[0] = bias
    return out | {
        "nlayer": np.array(len(_DILATIONS)),
        "dil": np.array(_DILATIONS),
        "bias": shift,
        "lex": np.frombuffer(lexicon, np.uint8),
    }


def main() -> None:
    """Write the file and print its checksum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("lexicon", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bias", type=float, default=0.0)
    chosen = parser.parse_args()
    with np.load(chosen.model) as file:
        model = {name: file[name] for name in file.files}
    np.savez_compressed(chosen.out, **packed(model, chosen.lexicon.read_bytes(), chosen.bias))
    blob = chosen.out.read_bytes()
    print(f"{len(blob)} bytes, sha256 {hashlib.sha256(blob).hexdigest()}")


if __name__ == "__main__":
    main()
