"""The snapshot in memory and on disk, always the same: adopt what another process wrote, correct what is not true."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lancelot.errors import LancelotError
from lancelot.onboarding.clocks import Clock, Moment, moment
from lancelot.onboarding.cooldown import end_cooldown, heartbeat, remaining
from lancelot.onboarding.facts import Facts
from lancelot.onboarding.snapshot import OnboardingSnapshot, Problem, problem_of
from lancelot.onboarding.snapshot_store import SnapshotStore
from lancelot.onboarding.states import Move, State, Table, advance, position

__all__ = ["Keeper"]


class Keeper:
    """Holds one snapshot. Every change happens inside `changing()`: under a lock of this process and of the folder, on
    what is really on disk, with the cooldown looked at and the claims compared with the facts first.

    Args:
        moved: called with (before, after) once a changed snapshot is on disk.
    """

    def __init__(
        self,
        store: SnapshotStore,
        facts: Facts,
        *,
        clock: Clock,
        table: Table,
        moved: Callable[[OnboardingSnapshot, OnboardingSnapshot], None],
    ) -> None:
        self.store = store
        self.facts = facts
        self.snapshot = OnboardingSnapshot()
        self.trouble: Problem | None = None
        self._clock = clock
        self._table = table
        self._moved = moved
        self._lock = threading.RLock()
        self._depth = 0
        self._stamp: tuple[int, ...] | None = None
        self._opened = False

    @property
    def busy(self) -> bool:
        """Whether a change is under way in the calling thread (only meaningful while it holds the lock)."""
        return self._depth > 0

    @property
    def now(self) -> Moment:
        return moment(self._clock)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold everything still for one change.

        Raises:
            Conflict: another process is changing the set-up. StoreError: the folder cannot be used.
        """
        with self._lock:
            try:
                with self.store.locked():
                    self._depth += 1
                    try:
                        if self._depth == 1:
                            self._look_around()
                        yield
                    finally:
                        self._depth -= 1
            except LancelotError as failed:
                if failed.code in _STORE_TROUBLE:
                    self.trouble = problem_of(failed, self._clock.wall())
                raise

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hold this process's view still for reading."""
        with self._lock:
            yield

    def look(self) -> None:
        """Bring memory up to date for a reader; what stands in the way becomes `trouble`, never an exception."""
        with self._lock:
            if self._opened and self._stamp == self._stamp_now() and not self._cooldown_due():
                return
            try:
                with self.changing():
                    return
            except LancelotError as failed:
                self.trouble = problem_of(failed, self._clock.wall())
                self._read_only_look()

    def _read_only_look(self) -> None:
        """Without the right to write, what is on disk can still be shown."""
        try:
            self.snapshot = self.store.load().snapshot
        except LancelotError:
            return

    def _look_around(self) -> None:
        if not self._opened or self._stamp != self._stamp_now():
            self.reload()
        self._cooldown_step()
        self._correct()

    def reload(self) -> None:
        """Take what is on disk; a recovery is noted down and saved."""
        loaded = self.store.load()
        if self._opened and loaded.notice and self.snapshot.revision >= loaded.snapshot.revision:
            text = "The set-up record on disk was damaged from outside; it is written anew. Nothing is lost."
            self.put(self.snapshot.changed(notices=self.snapshot.noticed("snapshot_rewritten", text, self.now.wall)))
            return
        self._take(loaded.snapshot)
        self._opened = True
        if loaded.heal and not loaded.notice:
            self.put(loaded.snapshot)
        if loaded.notice and loaded.notice_code:
            known = loaded.snapshot
            self.put(known.changed(notices=known.noticed(loaded.notice_code, loaded.notice, self._clock.wall())))

    def put(self, snapshot: OnboardingSnapshot) -> OnboardingSnapshot:
        """Save a snapshot whose state has not changed."""
        return self._saving(lambda: self.store.save(snapshot))

    def move(
        self, move: Move, *, wanted: State | None = None, origin: State | None = None, **updates: Any
    ) -> OnboardingSnapshot:
        """The one way from state to state: `advance()` with this snapshot and this store."""
        return self._saving(
            lambda: advance(self.snapshot, move, self.store, wanted=wanted, origin=origin, table=self._table, **updates)
        )

    def _saving(self, save: Callable[[], OnboardingSnapshot]) -> OnboardingSnapshot:
        before = self.snapshot
        try:
            saved = save()
        except LancelotError as failed:
            if failed.code in _STORE_TROUBLE:
                self._after_failed_save(failed)
            raise
        self._take(saved)
        self.trouble = None
        self._moved(before, saved)
        return saved

    def _after_failed_save(self, failed: LancelotError) -> None:
        """A write that failed late may have reached the disk all the same: memory follows the disk."""
        self.trouble = problem_of(failed, self._clock.wall())
        try:
            self._take(self.store.load().snapshot)
        except LancelotError:
            self._stamp = None

    def _take(self, snapshot: OnboardingSnapshot) -> None:
        self.snapshot, self._stamp = snapshot, self._stamp_now()

    def _stamp_now(self) -> tuple[int, ...] | None:
        stamps: list[int] = []
        for path in (self.store.path, self.store.guards_path):
            try:
                found = path.stat()
            except OSError:
                stamps.append(0)
            else:
                stamps += [found.st_mtime_ns, found.st_size, found.st_ino]
        return tuple(stamps)

    def _cooldown_due(self) -> bool:
        guards = self.snapshot.guards
        if self.snapshot.state is not State.COOLDOWN:
            return False
        return remaining(guards, self.now) <= 0 or heartbeat(guards, self.now) is not None

    def _cooldown_step(self) -> None:
        """Give the remembered state back when the wait is over; else note how much of it is served."""
        guards = self.snapshot.guards
        if self.snapshot.state is not State.COOLDOWN:
            if guards.cooldown is not None:
                self._impose()
            return
        if remaining(guards, self.now) <= 0:
            self.move(Move.THAW, wanted=self.snapshot.standing, guards=end_cooldown(guards), problem=None)
            return
        served = heartbeat(guards, self.now)
        if served is not None:
            self._saving(lambda: self.store.save_guards(self.snapshot.changed(guards=served)))

    def _impose(self) -> None:
        """A cooldown runs but the state says otherwise (an older copy was restored): it is served all the same."""
        guards = self.snapshot.guards
        if remaining(guards, self.now) <= 0:
            self.put(self.snapshot.changed(guards=end_cooldown(guards)))
        elif self.snapshot.state is State.COMMS_VERIFY:
            self.move(Move.COOL)

    def _correct(self) -> None:
        """A snapshot that claims more than the facts is corrected, not believed."""
        furthest, standing = self.facts.furthest(self.snapshot), self.snapshot.standing
        if position(standing) <= position(furthest):
            return
        text = (
            f"The set-up record said {standing}, but {furthest} is not done on this machine, so it goes on there. "
            "What is verified stays verified."
        )
        notices = self.snapshot.noticed("snapshot_corrected", text, self._clock.wall())
        if self.snapshot.state is State.COOLDOWN:
            self.move(Move.CORRECT, origin=furthest, notices=notices)
        else:
            self.move(Move.CORRECT, wanted=furthest, notices=notices, problem=None, ready_at=None, ready_proof="")


_STORE_TROUBLE = frozenset(
    {"store_unavailable", "disk_full", "data_folder_read_only", "snapshot_unreadable", "onboarding_busy"}
)
