"""Where approvals and standing rules lie: one small file, replaced whole; and the key of the digests in it."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lancelot.approvals.nouns import TRANSITIONS, Approval, StandingRule, State
from lancelot.errors import StoreError
from lancelot.files import Disk, read_or_none, write_atomic

__all__ = ["Shelf", "readable"]

KEPT = 500  # decided approvals, and ended rules, that stay listed
NEVER_FINISHED = timedelta(days=7)  # what was taken up this long ago will not be reported done any more


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    approvals: list[Approval] = Field(default_factory=list)
    rules: list[StandingRule] = Field(default_factory=list)


class Shelf:
    """All approvals and rules of one data folder; whoever reads or changes them holds `lock`.

    Attributes:
        approvals, rules: by id, oldest first.

    Raises:
        StoreError: approvals.json is damaged.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime], disk: Disk | None = None) -> None:
        self._path = folder / "approvals.json"
        self._key_path = folder / "approvals.key"
        self._clock = clock
        self._disk = disk
        self._key: bytes | None = None
        self.lock = threading.RLock()
        kept = self._read()
        self.approvals = {one.id: one for one in kept.approvals}
        self.rules = {one.id: one for one in kept.rules}

    def save(self) -> None:
        """Durable on return; what is long over is let go.

        Raises:
            StoreError: the file is as it was.
        """
        self._let_go()
        kept = _Kept(approvals=list(self.approvals.values()), rules=list(self.rules.values()))
        write_atomic(self._path, orjson.dumps(kept.model_dump(mode="json")), disk=self._disk)

    def digest(self, content: bytes) -> str:
        """A keyed digest (HMAC-SHA-256, hex): tells two requests apart and gives neither away.

        Raises:
            StoreError: its key cannot be kept.
        """
        with self.lock:
            if self._key is None:
                self._key = read_or_none(self._key_path)
            if self._key is None or len(self._key) != 32:
                key = os.urandom(32)
                write_atomic(self._key_path, key, disk=self._disk)
                self._key = key
            return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def _let_go(self) -> None:
        at = self._clock()
        long_ago = at - NEVER_FINISHED
        over = [
            one
            for one in self.approvals.values()
            if not TRANSITIONS[one.state] or (one.state is State.STARTED and (one.decided_at or at) < long_ago)
        ]
        for one in sorted(over, key=lambda one: one.id)[:-KEPT]:
            del self.approvals[one.id]
        ended = [one for one in self.rules.values() if not one.alive(at)]
        for rule in ended[:-KEPT]:
            del self.rules[rule.id]

    def _read(self) -> _Kept:
        try:
            content = read_or_none(self._path)
        except OSError as problem:
            raise _damaged(str(problem.strerror or problem)) from problem
        return _Kept() if content is None else readable(content)


def readable(content: bytes) -> _Kept:
    """What a file's content holds.

    Raises:
        StoreError: it is damaged.
    """
    try:
        return _Kept.model_validate_json(content)
    except ValidationError:
        raise _damaged("it is damaged or cut off") from None


def _damaged(why: str) -> StoreError:
    return StoreError(
        f"approvals.json cannot be read: {why}.",
        code="approvals_damaged",
        hint="`lancelot doctor --fix` sets it aside and keeps it; what waited asks again.",
    )
