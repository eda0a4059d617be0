"""Changes to the configuration as a person makes them: look at the difference, save it, take it back.

    change = changes.propose("router.yaml", text)      # or propose_values("router.yaml", {("previews",): True})
    change.diff; change.problem                         # what would change; why it would not do
    changes.save(change)                                # refused when the file has changed meanwhile
    changes.undo("router.yaml"); changes.put_back("router.yaml", 3)

Every save leaves an event beside the receipts: which file, how many lines, never its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from lancelot.config import FILES, ConfigStore
from lancelot.config_edit import Path, Value, set_values
from lancelot.errors import BadInput, Conflict, LancelotError, StoreError
from lancelot.filediff import text_diff

__all__ = ["Change", "Changes", "OlderCopy", "version_of"]


class Events(Protocol):
    """`store.ReceiptStore`."""

    def event(self, name: str, **data: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What would be saved. `problem` is None when it would do; `base` names the version it was made from."""

    name: str
    text: str
    diff: str
    problem: LancelotError | None
    base: str

    @property
    def is_empty(self) -> bool:
        return not self.diff


@dataclass(frozen=True, slots=True)
class OlderCopy:
    """An older version of a file. `diff` is what putting it back would change."""

    number: int
    at: datetime
    diff: str


class Changes:
    """The configuration's files with their history. Thread-safe as far as `ConfigStore` is.

    Args:
        config: the files and what is in force.
        events: where each save is noted down.
    """

    def __init__(self, config: ConfigStore, events: Events) -> None:
        self._config = config
        self._events = events

    def names(self) -> tuple[str, ...]:
        """The files that can be changed."""
        return tuple(FILES)

    def text(self, name: str) -> str:
        """A file as it stands on disk.

        Raises:
            NotFound: there is no such configuration file. StoreError: it cannot be read.
        """
        try:
            return self._config.text(name)
        except (OSError, UnicodeDecodeError) as problem:
            raise StoreError(f"{name} cannot be read.", hint="Restore it from the project or a backup.") from problem

    def propose(self, name: str, text: str, base: str | None = None) -> Change:
        """What saving this text would change, and whether it would do.

        Args:
            base: `version_of` the text the person began with; None is what is on disk now.
        """
        if len(text) > 2_000_000:
            raise BadInput(f"{name} would be larger than 2 MB.")
        now = self.text(name)
        text = text.replace("\r\n", "\n")
        try:
            self._config.check(name, text)
            problem = None
        except LancelotError as refused:
            problem = refused
        return Change(name, text, text_diff(now, text), problem, base or version_of(now))

    def propose_values(self, name: str, values: Mapping[Path, Value]) -> Change:
        """The same for single values, by their path; comments and layout stay. None restores a default.

        Raises:
            BadConfig: the file on disk cannot be edited value by value.
        """
        now = self.text(name)
        return self.propose(name, set_values(now, values), version_of(now))

    def save(self, change: Change) -> None:
        """Put a change in force; the version before stays as an older copy.

        Raises:
            BadConfig: it would not do. Conflict: the file has changed since. StoreError: it could not be written.
        """
        if change.problem is not None:
            raise change.problem
        if version_of(self.text(change.name)) != change.base:
            raise Conflict(
                f"{change.name} was changed by somebody else meanwhile.",
                hint="Look at the difference again, then save.",
                code="config_changed",
            )
        if change.is_empty:
            return
        self._config.save(change.name, change.text)
        self._note(change.name, "saved", change.diff)

    def undo(self, name: str) -> None:
        """Put the version before the last save back; a second time brings the save back.

        Raises:
            NotFound: there is none.
        """
        self.put_back(name, 1)

    def put_back(self, name: str, number: int) -> None:
        """Put an older copy back in force.

        Raises:
            NotFound: there is no such copy. BadConfig: it does not do any more.
        """
        change = self.propose(name, self._config.copy_text(name, number))
        self.save(change)

    def older(self, name: str) -> list[OlderCopy]:
        """The older copies, newest first."""
        now = self.text(name)
        found = []
        for number, at in self._config.copies(name):
            diff = text_diff(now, self._config.copy_text(name, number))
            found.append(OlderCopy(number, datetime.fromtimestamp(at, UTC), diff))
        return found

    def _note(self, name: str, what: str, diff: str) -> None:
        lines = diff.splitlines()
        self._events.event(
            "config_changed",
            file=name,
            what=what,
            added=sum(line.startswith("+") for line in lines),
            removed=sum(line.startswith("-") for line in lines),
        )


def version_of(text: str) -> str:
    """Names a version of a file's content."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
