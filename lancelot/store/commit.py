"""Group commit: whoever comes first commits at once, whoever comes meanwhile shares the next commit.

A lone caller commits in its own thread, without a hand-over. What arrives meanwhile, from threads and from event loops,
is committed together by one committer thread. Everybody hears the result after the commit, never before.
"""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lancelot.errors import StoreError

__all__ = ["GroupCommit", "Ticket"]

GROUP_LIMIT = 2_000  # tickets in one commit


class Ticket:
    """One record on its way: who waits for it, and how it went (`n` its number, or `error`)."""

    __slots__ = ("error", "future", "lock", "n", "payload", "tag")

    def __init__(self, payload: bytes, tag: Any = None, future: asyncio.Future[int] | None = None) -> None:
        self.payload = payload
        self.tag = tag
        self.future = future
        self.n = 0
        self.error: StoreError | None = None
        self.lock = _thread.allocate_lock()

    def settle(self) -> None:
        """In the event loop: pass the result to the awaiting task, unless that has been cancelled."""
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.n)


class GroupCommit:
    """Brings tickets to `commit`, one group at a time.

    Args:
        commit: makes a group durable and fills in `n` or `error` of each ticket; must not raise.
    """

    def __init__(self, commit: Callable[[Sequence[Ticket]], None]) -> None:
        self._commit = commit
        self._mutex = threading.Lock()
        self._work = threading.Condition(self._mutex)
        self._queue: list[Ticket] = []
        self._busy = False  # somebody is committing; the queue is theirs to empty
        self._handed_over = False  # … and that is the committer thread
        self._closing = False
        self._committer: threading.Thread | None = None

    def submit(self, ticket: Ticket) -> None:
        """Returns when the ticket is settled. For threads.

        Raises:
            StoreError: `code` journal_closed.
        """
        with self._mutex:
            self._refuse_when_closed()
            self._queue.append(ticket)
            alone = not self._busy
            self._busy = True
            if not alone:
                ticket.lock.acquire()
        if alone:
            self._commit_once()
        else:
            ticket.lock.acquire()  # released by the committer

    def submit_async(self, ticket: Ticket) -> None:
        """Returns at once; the ticket's future is settled in its own loop."""
        with self._mutex:
            self._refuse_when_closed()
            self._queue.append(ticket)
            if not self._busy:
                self._busy = True
                self._wake_committer()

    def submit_many(self, tickets: Sequence[Ticket]) -> None:
        """Returns when all tickets are settled; they stay together and in order."""
        for start in range(0, len(tickets), GROUP_LIMIT):
            part = tickets[start : start + GROUP_LIMIT]
            part[-1].lock.acquire()
            with self._mutex:
                self._refuse_when_closed()
                self._queue.extend(part)
                if not self._busy:
                    self._busy = True
                    self._wake_committer()
            part[-1].lock.acquire()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is committed inside; what arrives waits."""
        with self._mutex:
            self._refuse_when_closed()
            while self._busy:
                self._work.wait(0.01)
            self._busy = True
        try:
            yield
        finally:
            self._let_go()

    def close(self) -> bool:
        """Commit what is waiting and refuse what comes; False when that has been done before."""
        with self._mutex:
            if self._closing:
                return False
            self._closing = True
            self._work.notify_all()
        if self._committer is not None:
            self._committer.join()
        with self._mutex:
            while self._busy:  # a caller that commits alone is about to finish
                self._work.wait(0.01)
        return True

    def _commit_once(self) -> None:
        """The lone caller's way: commit, then hand over to the committer if others have come meanwhile."""
        with self._mutex:
            batch, self._queue = self._queue[:GROUP_LIMIT], self._queue[GROUP_LIMIT:]
        try:
            self._commit_and_tell(batch)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        with self._mutex:
            if self._queue:
                self._wake_committer()
            else:
                self._busy = False
                if self._closing:
                    self._work.notify_all()

    def _wake_committer(self) -> None:
        if self._committer is None:
            self._committer = threading.Thread(target=self._run_committer, name="journal", daemon=True)
            self._committer.start()
        self._handed_over = True
        self._work.notify_all()

    def _run_committer(self) -> None:
        while True:
            with self._mutex:
                while not self._handed_over:
                    if self._closing and not self._busy:
                        return
                    self._work.wait(0.2 if self._closing else None)
            while True:
                with self._mutex:
                    batch, self._queue = self._queue[:GROUP_LIMIT], self._queue[GROUP_LIMIT:]
                    if not batch:
                        self._busy = self._handed_over = False
                        self._work.notify_all()
                        break
                self._commit_and_tell(batch)

    def _commit_and_tell(self, batch: Sequence[Ticket]) -> None:
        self._commit(batch)
        loops: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
        for ticket in batch:
            if ticket.future is not None:
                loops.setdefault(ticket.future.get_loop(), []).append(ticket)
            elif ticket.lock.locked():
                ticket.lock.release()
        for loop, tickets in loops.items():
            try:
                loop.call_soon_threadsafe(_settle_all, tickets)
            except RuntimeError:
                continue  # that loop has ended; its lines are written all the same

    def _refuse_when_closed(self) -> None:
        if self._closing:
            raise StoreError("The journal is closed.", code="journal_closed", hint="Start Lancelot again.")


def _settle_all(tickets: list[Ticket]) -> None:
    for ticket in tickets:
        ticket.settle()
