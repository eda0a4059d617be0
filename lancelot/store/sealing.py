"""Full segments become Parquet in the background; their JSON lines go a little later, when no reader is in them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from lancelot.store.journal import Journal
from lancelot.store.lines import open_path, sealed_path, segments
from lancelot.store.seals import Seals
from lancelot.store.segments import as_sealed, seal, sealed_head

__all__ = ["GRACE_S", "Sealer"]

GRACE_S = 10.0  # a sealed segment's JSON lines stay this long for readers of other processes


class Sealer:
    """Seals what the journal says is full. Hold `lock` to keep all segments as they are for a while."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lock = threading.RLock()
        self._mutex = threading.Lock()
        self._full: list[int] = []
        self._to_remove: list[tuple[float, Path]] = []

    def collect(self, open_segment: int) -> None:
        """Take up what a former run filled without sealing it, or sealed without tidying up."""
        for segment in segments(self._folder):
            if segment.number >= open_segment:
                continue
            source = open_path(self._folder, segment.number)
            if not segment.sealed or source.exists():
                self.full(segment.number)

    def full(self, number: int) -> None:
        """Segment `number` will not grow any more."""
        with self._mutex:
            self._full.append(number)

    def has_work(self) -> bool:
        """Whether there is something to seal or to remove now."""
        return bool(self._full) or any(when <= time.monotonic() for when, _ in self._to_remove)

    def wait_s(self) -> float | None:
        """How long to sleep at most until there may be work; None is until told."""
        return GRACE_S if self._to_remove else None

    def work(self) -> None:
        """Seal one segment, and remove the lines whose time has come.

        Raises:
            StoreError, DiskFull, OSError: it is tried again the next time.
        """
        with self.lock:
            self._seal_next()
            now = time.monotonic()
            with self._mutex:
                due = [path for when, path in self._to_remove if when <= now]
                self._to_remove = [item for item in self._to_remove if item[1] not in due]
            for path in due:
                path.unlink(missing_ok=True)

    def seal_through(self, journal: Journal, n: int) -> None:
        """Seal everything up to line n, ending the open segment when the line lies in it."""
        with self.lock:
            found = segments(self._folder)
            if not any(segment.sealed and sealed_head(segment.path).n >= n for segment in found):
                journal.rotate()
            while self._seal_next():
                continue

    def _seal_next(self) -> bool:
        """Seal the oldest full segment; False when there is none. A broken one stays as it is."""
        with self._mutex:
            number = self._full[0] if self._full else None
        if number is None:
            return False
        source, target = open_path(self._folder, number), sealed_path(self._folder, number)
        if source.exists() and (self._whole(target) or seal(source, target)):
            self._remove_later(source)
        with self._mutex:
            self._full.remove(number)
        return True

    def _whole(self, target: Path) -> bool:
        """Whether it is sealed already, and nothing happened to the file since: only then may the lines go."""
        return target.exists() and bool(as_sealed(target, Seals(self._folder.parent)))

    def _remove_later(self, path: Path) -> None:
        with self._mutex:
            self._to_remove.append((time.monotonic() + GRACE_S, path))
