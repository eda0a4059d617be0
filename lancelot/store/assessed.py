"""Past requests with their stored assessments, without the rest: for look-backs and what-ifs over many of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Latency, Receipt

__all__ = ["past_requests"]

FLUSH_S = 2.0
COLUMNS = (
    "id", "request_id", "time", "kind", "key_id", "task", "lane", "model", "risk", "status",
    "tokens_in", "tokens_out", "tokens_cached", "tokens_cache_write", "tokens_reasoning", "cost_usd",
    "assessment", "reasons", "data",
)  # fmt: skip
JSON = ("assessment", "reasons", "data")


def past_requests(store: ReceiptStore, *, since: datetime | None = None, most: int = 20_000) -> list[Receipt]:
    """The first receipt of each of the newest requests, newest first: attempts, refused and parked ones, approvals.

    Only what a decision is made of and what it cost is filled in; hashes, latencies and texts are left out.

    Args:
        since: the oldest moment to look at; None is the beginning.
        most: requests at most.
    """
    store.flush(FLUSH_S)
    where, parameters = ["kind IN ('attempt', 'request', 'approval')", "coalesce(attempt, 1) = 1"], []
    if since is not None:
        where.append("time >= ?")
        parameters.append(since.astimezone(UTC).replace(tzinfo=None))
    newest = f"SELECT n FROM receipts WHERE {' AND '.join(where)} ORDER BY n DESC LIMIT {int(most)}"  # noqa: S608
    rows = store.database.query(
        f"SELECT {', '.join(COLUMNS)} FROM receipts WHERE n IN ({newest}) ORDER BY n DESC",  # noqa: S608 - our own names
        parameters,
    )
    return [_receipt(row) for row in rows]


def _receipt(row: tuple[Any, ...]) -> Receipt:
    record = dict(zip(COLUMNS, row, strict=True))
    for name in JSON:
        value = record[name]
        record[name] = orjson.loads(value) if value is not None else ([] if name == "reasons" else {})
    record["at"] = record.pop("time").replace(tzinfo=UTC)
    record["cost_usd"] = None if record["cost_usd"] is None else Decimal(record["cost_usd"])
    for name in ("tokens_cached", "tokens_cache_write", "tokens_reasoning"):
        record[name] = record[name] or 0
    # rows come from checked receipts; checking 20,000 of them again would take a second
    return Receipt.model_construct(host="", latency=Latency.model_construct(), **record)
