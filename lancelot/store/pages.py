"""Which receipts to show: filters that mean the same for rows in the database and for receipts not yet loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from lancelot.errors import BadInput
from lancelot.store.database import Database
from lancelot.store.receipts import Receipt
from lancelot.store.rows import NAMES, from_row, iso

__all__ = ["MAX_PAGE", "ReceiptFilters", "read_cursor", "select"]

MAX_PAGE = 1_000
COLUMNS = ", ".join(("n", *NAMES))
EQUAL = (
    "lane", "status", "task", "model", "provider", "key_id", "kind", "request_id", "risk", "error_code",
    "conversation_id",
)  # fmt: skip


class ReceiptFilters(NamedTuple):
    """What to show; None means any. Times are inclusive from `since`, exclusive at `until` (a naive time is UTC)."""

    since: datetime | None = None
    until: datetime | None = None
    lane: str | None = None
    status: str | None = None
    task: str | None = None
    model: str | None = None
    provider: str | None = None
    key_id: str | None = None
    kind: str | None = None
    request_id: str | None = None
    risk: str | None = None
    error_code: str | None = None
    conversation_id: str | None = None
    redacted: bool | None = None  # True: only receipts with something redacted

    @classmethod
    def of(cls, given: ReceiptFilters | Mapping[str, Any] | None) -> ReceiptFilters:
        """Filters from a mapping by field name; times may be ISO text.

        Raises:
            BadInput: an unknown name, or a time that is none.
        """
        if isinstance(given, ReceiptFilters):
            return given
        fields: dict[str, Any] = dict(given or {})
        for name in fields:
            if name not in cls._fields:
                raise BadInput(f"`{name}` is not a filter.", param=name, hint=f"One of {', '.join(cls._fields)}.")
        for name in ("since", "until"):
            if isinstance(fields.get(name), str):
                try:
                    fields[name] = datetime.fromisoformat(fields[name])
                except ValueError:
                    raise BadInput(f"`{name}` is not a time.", param=name, hint="Use an ISO time.") from None
        return cls(**fields)

    def matches(self, receipt: Receipt) -> bool:
        """Whether a receipt in memory is one to show."""
        at = iso(receipt.at)
        if self.since is not None and at < iso(self.since):
            return False
        if self.until is not None and at >= iso(self.until):
            return False
        if self.redacted is not None and self.redacted != bool(receipt.redactions):
            return False
        return all(
            wanted is None or getattr(receipt, name) == wanted
            for name, wanted in ((name, getattr(self, name)) for name in EQUAL)
        )

    def where(self) -> tuple[str, list[Any]]:
        """The same as SQL conditions (joined by AND, "TRUE" for none) with their parameters."""
        conditions, parameters = ["TRUE"], []
        for name in EQUAL:
            if getattr(self, name) is not None:
                conditions.append(f"{name} = ?")
                parameters.append(getattr(self, name))
        for sign, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                conditions.append(f"time {sign} ?::TIMESTAMP")
                parameters.append(iso(moment))
        if self.redacted is not None:
            conditions.append("redactions IS NOT NULL" if self.redacted else "redactions IS NULL")
        return " AND ".join(conditions), parameters


def read_cursor(cursor: str | int | None) -> int | None:
    """The line number a page ended with.

    Raises:
        BadInput: it is not a cursor of ours.
    """
    if cursor is None or cursor == "":
        return None
    text = str(cursor)
    if not (text.isdigit() and len(text) <= 18):
        raise BadInput("The page cursor is not valid.", param="cursor", hint="Use the cursor of the page before.")
    return int(text)


def select(database: Database, filters: ReceiptFilters, *, before: int | None, limit: int) -> list[tuple[int, Receipt]]:
    """The newest matching rows with a number below `before`, newest first, each with its number."""
    where, parameters = filters.where()
    if before is not None:
        where += " AND n < ?"
        parameters.append(before)
    found = database.query(
        f"SELECT {COLUMNS} FROM receipts WHERE {where} ORDER BY n DESC LIMIT {int(limit)}",  # noqa: S608 - names only
        parameters,
    )
    return numbered(found)


def numbered(rows: Sequence[Sequence[Any]]) -> list[tuple[int, Receipt]]:
    """(number, receipt) of rows with the columns of `COLUMNS`."""
    return [(row[0], from_row(row[1:])) for row in rows]
