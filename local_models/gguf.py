"""Just enough of the GGUF format to read tensors in place: names, shapes, types, where the numbers lie.

Layout (little-endian): magic, version, counts, metadata, tensor table, padding to the alignment, tensor data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from local_models.errors import BadWeights

__all__ = ["GgufFile", "Tensor"]

SIMPLE = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
LONGEST_STRING = 1 << 24  # bytes; a chat template is some thousand
MOST_DIMENSIONS = 4  # ggml knows no more
DEEPEST_ARRAY = 4  # arrays of arrays
FLOATS: dict[int, Any] = {0: np.float32, 1: np.float16}


@dataclass(frozen=True, slots=True)
class Tensor:
    """shape is numpy's (rows first); kind is GGUF's type number; offset counts from the file's start, in bytes."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


class GgufFile:
    """The table of one file. Arrays are memory maps: writing to one (writable=True) changes the file.

    Raises:
        BadWeights: not a GGUF file, or one cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {}
        self.tensors: dict[str, Tensor] = {}
        try:
            with path.open("rb") as source:
                self._read(source)
        except (struct.error, UnicodeDecodeError, KeyError) as problem:
            raise BadWeights(f"{path.name} is not a complete GGUF file.") from problem

    def array(self, name: str, *, writable: bool = False) -> npt.NDArray[Any]:
        """A float tensor (F32 or F16) as a mapped array.

        Raises:
            BadWeights: no such tensor, or it is quantised.
        """
        tensor = self.tensors.get(name)
        if tensor is None or tensor.kind not in FLOATS:
            raise BadWeights(f"{self.path.name} has no plain tensor {name}.")
        mode: Any = "r+" if writable else "r"
        return np.memmap(self.path, dtype=FLOATS[tensor.kind], mode=mode, offset=tensor.offset, shape=tensor.shape)

    def _read(self, source: BinaryIO) -> None:
        if source.read(4) != b"GGUF":
            raise BadWeights(f"{self.path.name} is not a GGUF file.")
        _version, tensors, pairs = struct.unpack("<IQQ", source.read(20))
        for _ in range(pairs):
            key = _string(source)
            self.metadata[key] = _value(source, *struct.unpack("<I", source.read(4)))
        table = []
        for _ in range(tensors):
            name = _string(source)
            (dimensions,) = struct.unpack("<I", source.read(4))
            if dimensions > MOST_DIMENSIONS:
                raise struct.error("not a number of dimensions")
            shape = struct.unpack(f"<{dimensions}Q", source.read(8 * dimensions))
            kind, offset = struct.unpack("<IQ", source.read(12))
            table.append((name, tuple(int(size) for size in reversed(shape)), kind, offset))
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise struct.error("not an alignment")
        start = -(-source.tell() // alignment) * alignment
        self.tensors = {name: Tensor(name, shape, kind, start + offset) for name, shape, kind, offset in table}


def _string(source: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", source.read(8))
    if length > LONGEST_STRING:
        raise struct.error("not a length")
    raw = source.read(length)
    if len(raw) != length:
        raise struct.error("cut short")
    return raw.decode("utf-8")


def _value(source: BinaryIO, kind: int, depth: int = 0) -> Any:
    if kind == STRING:
        return _string(source)
    if kind == ARRAY:
        item, count = struct.unpack("<IQ", source.read(12))
        if depth == DEEPEST_ARRAY:
            raise struct.error("not an array")
        return [_value(source, item, depth + 1) for _ in range(count)]
    form = SIMPLE[kind]
    return struct.unpack(form, source.read(struct.calcsize(form)))[0]
