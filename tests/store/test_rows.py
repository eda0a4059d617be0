"""A receipt survives each of its written forms unchanged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.errors import StoreError
from lancelot.store.receipts import Latency, Receipt
from lancelot.store.rows import FIELDS, decode, encode, plain_decimal

RENAMED = {"at": "time", "latency": None}


def test_every_field_of_a_receipt_has_a_column() -> None:
    wanted = {RENAMED.get(name, name) for name in Receipt.model_fields} - {None}
    wanted |= {f"{name.removesuffix('_ms')}_us" for name in Latency.model_fields}
    assert {field.name for field in FIELDS} == wanted


def test_round_trip(make_receipt) -> None:
    receipt = make_receipt()
    assert decode(encode(receipt)) == receipt


def test_absent_values_are_left_out() -> None:
    record = orjson.loads(encode(Receipt(request_id="r", kind="event")))
    assert "cost_usd" not in record
    assert "reasons" not in record
    assert record["tokens_cached"] == 0


def test_times_are_written_in_utc() -> None:
    east = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    assert orjson.loads(encode(Receipt(request_id="r", at=east)))["time"] == "2026-01-01T00:00:00.000000Z"
    assert decode(encode(Receipt(request_id="r", at=east))).at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.00120", "0.0012"),
        ("0", "0"),
        ("1E-12", "0.000000000001"),
        ("100", "100"),
        ("4.2E+2", "420"),
    ],
)
def test_money_is_written_in_plain_digits(value: str, text: str) -> None:
    assert plain_decimal(Decimal(value)) == text


@pytest.mark.parametrize("cost", [Decimal(1_000_000), Decimal("NaN"), Decimal("Infinity")])
def test_a_cost_no_column_can_hold_is_refused(make_receipt, cost: Decimal) -> None:
    receipt = make_receipt().model_copy(update={"cost_usd": cost})
    with pytest.raises(StoreError) as refused:
        encode(receipt)
    assert refused.value.code == "receipt_not_writable"


def test_half_an_emoji_is_written_with_a_replacement(make_receipt) -> None:
    receipt = make_receipt(reasons=["cut \ud83d here"])
    assert decode(encode(receipt)).reasons == ["cut ? here"]


@given(
    text=st.text(st.characters(blacklist_categories=("Cs",))),
    tokens=st.none() | st.integers(0, 2**40),
    cost=st.none() | st.decimals(0, 999_999, places=12),
    score=st.none() | st.floats(0, 1),
    milliseconds=st.none() | st.floats(0, 1e7),
)
def test_any_receipt_comes_back(text, tokens, cost, score, milliseconds) -> None:
    receipt = Receipt(
        request_id=text,
        reasons=[text],
        tokens_in=tokens,
        cost_usd=cost,
        deep_score=score,
        latency=Latency(total_ms=milliseconds),
        data={"text": text},
    )
    assert decode(encode(receipt)) == receipt
