"""Which receipts to show: filters that mean the same for rows in the database and for receipts not yet loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from lancelot.errors import BadInput
from lancelot.store.database import Database
from lancelot.store.receipts import Receipt
from lancelot.store.rows import NAMES, from_row, iso

__all__ = ["MAX_PAGE", "SORTS", "ReceiptFilters", "read_cursor", "select", "select_sorted"]

MAX_PAGE = 1_000
# orders beside the newest first, largest first, with the type their cursor is read as
SORTS = {
    "newest": "",
    "cost_usd": "DECIMAL(18,12)",
    "total_us": "BIGINT",
    "tokens_in": "BIGINT",
    "tokens_out": "BIGINT",
}
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


def select_sorted(
    database: Database, filters: ReceiptFilters, sort: str, *, cursor: str, limit: int
) -> tuple[list[Receipt], str | None]:
    """Matching rows with the largest values of a column first, and the next page's cursor; rows without a value are
    left out.

    Raises:
        BadInput: there is no such order, or the cursor is not one of its own.
    """
    if sort not in SORTS or sort == "newest":
        raise BadInput(f"`{sort}` is not an order.", param="sort", hint=f"One of {', '.join(SORTS)}.")
    where, parameters = filters.where()
    where += f" AND {sort} IS NOT NULL"
    if cursor:
        value, _, number = cursor.partition("~")
        if not (number.isdigit() and len(number) <= 18 and value.replace(".", "", 1).isdigit() and len(value) <= 32):
            raise BadInput("The page cursor is not valid.", param="cursor", hint="Use the cursor of the page before.")
        where += f" AND ({sort} < CAST(? AS {SORTS[sort]}) OR ({sort} = CAST(? AS {SORTS[sort]}) AND n < ?))"
        parameters += [value, value, int(number)]
    order = f"{sort} DESC, n DESC"
    top = f"SELECT n FROM receipts WHERE {where} ORDER BY {order} LIMIT {int(limit) + 1}"  # noqa: S608 - names only
    rows = database.query(
        f"SELECT {sort}, {COLUMNS} FROM receipts WHERE n IN ({top}) ORDER BY {order}",  # noqa: S608 - names only
        parameters,
    )
    shown = rows[:limit]
    following = f"{shown[-1][0]}~{shown[-1][1]}" if len(rows) > limit else None
    return [receipt for _, receipt in numbered([row[1:] for row in shown])], following


def numbered(rows: Sequence[Sequence[Any]]) -> list[tuple[int, Receipt]]:
    """(number, receipt) of rows with the columns of `COLUMNS`."""
    return [(row[0], from_row(row[1:])) for row in rows]
