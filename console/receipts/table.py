"""Receipts as a table: one row each, numbers as numbers, units in the heads."""

from __future__ import annotations

import pandas as pd

from console.tables import Kind
from lancelot.store.receipts import Receipt

__all__ = ["KINDS", "as_table", "what"]

KINDS: dict[str, Kind] = {
    "Time": "time",
    "Status": "word",
    "Risk": "word",
    "Cost, USD": "usd",
    "Tokens in": "count",
    "Tokens out": "count",
    "Total, ms": "ms",
    "Hidden": "count",
}


def what(receipt: Receipt) -> str:
    """The kind of request; for events and decisions what happened."""
    if receipt.kind == "event":
        return str(receipt.data.get("event") or "event")
    if receipt.kind == "approval":
        return str(receipt.data.get("decision") or receipt.data.get("event") or "approval")
    return receipt.task or receipt.kind


def as_table(found: list[Receipt]) -> pd.DataFrame:
    """One row a receipt; times in the browser's zone, unknown costs empty, never zero."""
    return pd.DataFrame(
        {
            "Time": [receipt.at for receipt in found],
            "Lane": [receipt.lane or receipt.kind for receipt in found],
            "What": [what(receipt) for receipt in found],
            "Status": [receipt.status for receipt in found],
            "Risk": [receipt.risk for receipt in found],
            "Model": [receipt.model or "" for receipt in found],
            "Try": [receipt.attempt for receipt in found],
            "Tokens in": [receipt.tokens_in for receipt in found],
            "Tokens out": [receipt.tokens_out for receipt in found],
            "Cost, USD": [receipt.cost_usd for receipt in found],
            "Total, ms": [receipt.latency.total_ms for receipt in found],
            "Hidden": [sum(receipt.redactions.values()) for receipt in found],
            "Key": [receipt.key_id or "operator" for receipt in found],
            "Why": [receipt.reasons[-1] if receipt.reasons else "" for receipt in found],
        }
    )
