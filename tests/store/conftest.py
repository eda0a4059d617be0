"""Receipts for store tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Latency, Receipt, new_id

MakeReceipt = Callable[..., Receipt]


@pytest.fixture
def make_receipt() -> MakeReceipt:
    """A full receipt; keyword arguments replace fields."""

    def make(**changes: Any) -> Receipt:
        fields: dict[str, Any] = {
            "request_id": new_id(),
            "at": datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
            "task": "question",
            "lane": "fast",
            "provider": "openai",
            "model": "some-model",
            "assessment": {"words": 12, "code": False, "score": 0.25, "nested": {"ü": [1, None]}},
            "reasons": ["a short question", "low risk"],
            "risk": "low",
            "complexity": 0.1,
            "deep_score": 1 / 3,
            "tokens_in": 120,
            "tokens_out": 45,
            "tokens_cached": 20,
            "cost_usd": Decimal("0.0012300"),
            "price_version": "2026-11-01",
            "latency": Latency(redaction_ms=0.5678, total_ms=1234.56789),
            "finish_reason": "stop",
            "redactions": {"EMAIL": 1, "PHONE": 2},
            "policy": "default",
            "sent_sha256": "ab" * 32,
            "sent_bytes": 1234,
            "egress": "remote",
        }
        return Receipt(**{**fields, **changes})

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReceiptStore]:
    opened = ReceiptStore(tmp_path / "store")
    yield opened
    opened.close()
