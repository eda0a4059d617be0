"""Texts a person reported because redaction missed something. They hold originals: a file of their own, mode 0600.

No backup, export, log or receipt includes this file; `forget` deletes it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import orjson

from lancelot.errors import BadInput
from lancelot.files import as_store_error, open_private

__all__ = ["FILE_NAME", "Misses"]

FILE_NAME = "reported-misses.jsonl"
LONGEST = 20_000  # characters


class Misses:
    """The reported misses of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def report(self, text: str, missed: str, label: str, *, agreed: bool) -> None:
        """Keep one report; durable when this returns.

        Raises:
            BadInput: the person did not agree that the text is kept, or what was missed is not in it.
            StoreError: the file cannot be written.
        """
        if not agreed:
            raise BadInput(
                "Nothing was kept, because you did not agree to keep the text.",
                code="consent_needed",
                hint="Tick the box if the text may be kept in a private file on this machine.",
            )
        if not missed.strip() or missed not in text:
            raise BadInput("The missed part does not occur in the text.", hint="Copy it from the text as it stands.")
        if len(text) > LONGEST:
            raise BadInput(f"The text is longer than {LONGEST:,} characters.", hint="Report the paragraph alone.")
        entry = {"at": datetime.now(UTC).isoformat(), "text": text, "missed": missed, "label": label}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open_private(self.path) as file:
                file.write(orjson.dumps(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise as_store_error(problem, self.path) from problem

    def count(self) -> int:
        """How many reports are kept."""
        try:
            with self.path.open("rb") as file:
                return sum(1 for line in file if line.strip())
        except FileNotFoundError:
            return 0

    def forget(self) -> None:
        """Delete all reports."""
        self.path.unlink(missing_ok=True)
