"""What happened to the system itself, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["in_words"]

WORDS = {
    "config_changed": "{file} was changed: {added} lines added, {removed} taken away.",
    "key_revoked": "An application key was revoked.",
    "token_rotated": "The operator's token was replaced.",
    "setup_check": "The set-up tried the journal: what is written is kept.",
    "budget_step": "The budget dial turned: {reason}.",
    "receipts_pruned": "Old receipts were pruned.",
    "receipts_resumed": "Receipts are kept again.",
    "journal_tail_cut": "The journal's last line was cut off by a crash; it is set aside.",
    "journal_lines_missing": "Lines {first} to {last} of the journal are missing.",
    "journal_line_changed": "Line {line} of the journal is not what was written; run `lancelot receipts verify`.",
    "journal_head_missing": "The journal's head was gone at a start; whether line {last} was the newest is not known.",
    "database_rebuilt": "The database was rebuilt from the journal.",
    "repaired": "A repair was carried out: {finding}.",
    "repair_undone": "A repair was undone.",
    "flagship_changed": "{text}",
    "snapshot_restored": "An older set-up was restored.",
}


class _Known(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


def in_words(data: Mapping[str, Any]) -> str:
    """One sentence for an event's data; its name with blanks where we have no sentence."""
    name = str(data.get("event", "event"))
    pattern = WORDS.get(name)
    if pattern is None:
        return name.replace("_", " ").capitalize() + "."
    return pattern.format_map(_Known(data))
