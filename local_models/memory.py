"""What is loaded stays in memory once.

Weights are mapped from their file. Most tensors are packed anew for this processor's kernels at load, so that their
mapped pages are needed no more; what is read again later, a row of the token table at a time, comes back page by page.
Without letting them go the process would hold nearly everything twice. (Linux; elsewhere nothing is done.)
"""

from __future__ import annotations

import ctypes
import functools
import sys
from pathlib import Path
from typing import Any

__all__ = ["give_back_soon", "let_go"]

DONT_NEED = 4  # madvise
M_MMAP_THRESHOLD = -3  # mallopt
LARGE = 1 << 20  # bytes


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@functools.cache
def give_back_soon() -> None:
    """Freed blocks of a mebibyte and more go back to the system at once. By itself the C library raises that bound to
    the largest block it has seen freed (up to 32 MiB), and keeps everything below."""
    if hasattr(_libc(), "mallopt"):
        _libc().mallopt(M_MMAP_THRESHOLD, LARGE)


def let_go(path: Path) -> int:
    """Drop a mapped file's pages from this process's memory; bytes of address space concerned. They stay readable."""
    if not hasattr(_libc(), "madvise"):
        return 0
    found, dropped = str(path.resolve()), 0
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == found and "w" not in fields[1]:
            start, end = (int(bound, 16) for bound in fields[0].split("-"))
            _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), DONT_NEED)
            dropped += end - start
    return dropped
