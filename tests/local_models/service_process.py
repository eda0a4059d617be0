"""The local model's service as a process of its own, for tests; and weights of the right shape that know nothing."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

__all__ = ["await_ready", "garbage_weights", "running_service"]


@contextmanager
def running_service(folder: Path, weights: Path, adapter: Path | None, *, more: Sequence[str] = ()) -> Iterator[str]:
    """Base URL of a service that is ready."""
    told = folder / "address.json"
    command = [sys.executable, "-m", "local_models.service", "--weights", str(weights), "--announce", str(told)]
    command += ["--port", "0", "--threads", "1", *more] + (["--adapter", str(adapter)] if adapter else [])
    with (folder / "service.log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            url = ""
            while not url:
                assert child.poll() is None, (folder / "service.log").read_text()
                url = json.loads(told.read_text())["base_url"] if told.exists() else ""
                threading.Event().wait(0.02)
            await_ready(url, child)
            yield url
        finally:
            child.terminate()
            child.wait(30)


def await_ready(url: str, child: subprocess.Popen[bytes]) -> None:
    """Wait until /health says 200; the test's own time limit ends it."""
    while child.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        threading.Event().wait(0.05)
    raise AssertionError(f"the service ended with {child.returncode}")


def garbage_weights(weights: Path, target: Path) -> None:
    """A copy of a GGUF file, 4-bit blocks shuffled inside each tensor: same shapes and scales, no knowledge."""
    content = bytearray(weights.read_bytes())
    chance = random.Random(1)
    for kind, start, count in _tensors(content):
        if kind == 3:  # Q4_1: blocks of 32 values in 20 bytes
            size = count // 32 * 20
            blocks = [content[at : at + 20] for at in range(start, start + size, 20)]
            chance.shuffle(blocks)
            content[start : start + size] = b"".join(blocks)
    target.write_bytes(content)


def _tensors(content: Mapping[Any, Any] | bytearray) -> list[tuple[int, int, int]]:
    """(type, first byte, values) of each tensor: a reader for the part of GGUF that we need."""
    at = 24
    tensors_n, keys_n = struct.unpack_from("<QQ", content, 8)
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def text(at: int) -> int:
        return at + 8 + int(struct.unpack_from("<Q", content, at)[0])

    def value(kind: int, at: int) -> int:
        if kind == 8:
            return text(at)
        if kind != 9:
            return at + sizes[kind]
        inner, count = struct.unpack_from("<IQ", content, at)
        at += 12
        for _ in range(count if inner in (8, 9) else 0):
            at = value(inner, at)
        return at if inner in (8, 9) else at + sizes[inner] * count

    for _ in range(keys_n):
        at = text(at)
        kind = struct.unpack_from("<I", content, at)[0]
        at = value(kind, at + 4)
    found = []
    for _ in range(tensors_n):
        at = text(at)
        rank = struct.unpack_from("<I", content, at)[0]
        shape = struct.unpack_from(f"<{rank}Q", content, at + 4)
        kind, offset = struct.unpack_from("<IQ", content, at + 4 + 8 * rank)
        at += 4 + 8 * rank + 12
        count = 1
        for side in shape:
            count *= side
        found.append((kind, offset, count))
    base = -(-at // 32) * 32
    return [(kind, base + offset, count) for kind, offset, count in found]
