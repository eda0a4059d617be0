"""What a tuning that was cut off leaves behind: candidates and half-written files, some gigabyte in all.

A lock that the system lets go with its process tells whether somebody tunes right now; what lies there without one is
nobody's, and is removed by the next tuning and by every start of the service.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from filelock import FileLock, Timeout

from local_models.choice import remembered
from local_models.errors import Busy

__all__ = ["clear_leftovers", "merged_file", "tuning_lock"]


def merged_file(original: Path) -> Path:
    """Where the adapter is merged into plain numbers, for the time of a tuning (twice to three times the download)."""
    return original.parent / f".{original.stem}.merged.F16.gguf"


def _lock(original: Path) -> FileLock:
    return FileLock(original.parent / ".tuning.lock", thread_local=False)


@contextmanager
def tuning_lock(original: Path) -> Iterator[None]:
    """Held while these weights are tuned.

    Raises:
        Busy: another process tunes them.
    """
    lock = _lock(original)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy("The local model is being tuned by another process.", hint="Wait for its end.") from None
    try:
        yield
    finally:
        lock.release()


def clear_leftovers(original: Path, *, locked: bool = False) -> int:
    """Remove what belongs to no remembered result; the bytes that became free. Nothing happens while somebody tunes.

    Args:
        locked: the caller holds the lock.
    """
    if not locked:
        if not _candidates(original):
            return 0
        try:
            with tuning_lock(original):
                return clear_leftovers(original, locked=True)
        except (Busy, OSError):
            return 0
    freed = 0
    for path in _candidates(original):
        with suppress(OSError):  # a folder that may only be read keeps what it has
            size = path.stat().st_size
            path.unlink()  # a running service keeps its mapped file until it ends
            freed += size
    return freed


def _candidates(original: Path) -> list[Path]:
    stem, known = escape(original.stem), remembered(original)
    kept = {original.name} | ({known.file, known.chat_file} if known else set())
    patterns = (f"{stem}.utility.*.gguf", f"{stem}.chat.*.gguf", f".{stem}.merged.*.gguf", f".*{stem}.*.gguf.*.tmp")
    return [path for pattern in patterns for path in original.parent.glob(pattern) if path.name not in kept]
