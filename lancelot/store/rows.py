"""A receipt in its three written forms: a journal line's JSON, a database row, a Parquet row.

The flat JSON object is the canonical one, and the only one that is hashed: fields in the order of `FIELDS`, absent ones
left out, `at` as `time` (ISO 8601, UTC), milliseconds as whole microseconds, money as a decimal string. Every form can
be turned back into exactly these bytes, so a sealed Parquet segment still proves the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from lancelot.errors import StoreError
from lancelot.store.receipts import Latency, Receipt

__all__ = ["FIELDS", "NAMES", "Field", "decode", "encode", "from_row", "plain_decimal"]

MICRO_DOLLARS = Decimal("0.000000000001")  # DECIMAL(18,12): below 1,000,000 USD a receipt


class Field(NamedTuple):
    """One column: its name and how it is written: text, int, float, json, time or money."""

    name: str
    form: str


LAYOUT = """
    id:text request_id:text parent_id:text kind:text host:text time:time key_id:text conversation_id:text
    task:text lane:text provider:text model:text attempt:int
    assessment:json reasons:json risk:text complexity:float deep_score:float
    tokens_in:int tokens_out:int tokens_cached:int tokens_cache_write:int tokens_reasoning:int
    cost_usd:money price_version:text
    redaction_us:int decision_us:int provider_us:int first_token_us:int total_us:int
    status:text finish_reason:text error_code:text
    redactions:json policy:text sent_sha256:text sent_bytes:int egress:text preview:text data:json
"""
FIELDS = tuple(Field(*pair.split(":")) for pair in LAYOUT.split())
NAMES = tuple(field.name for field in FIELDS)
LATENCY = ("redaction", "decision", "provider", "first_token", "total")
CONTAINERS = (dict, list)
LATENCY_COLUMNS = tuple(f"{part}_us" for part in LATENCY)


def encode(receipt: Receipt) -> bytes:
    """The canonical JSON object of a receipt: what the journal keeps and the chain hashes.

    Raises:
        StoreError: `code` receipt_not_writable, for values no column can hold (a cost of a million dollars).
    """
    values = receipt.__dict__
    record: dict[str, Any] = {}
    for name in NAMES:
        if name == "time":
            record[name] = iso(receipt.at)
            continue
        if name in LATENCY_COLUMNS:
            milliseconds = getattr(receipt.latency, f"{name[:-3]}_ms")
            if milliseconds is not None:
                record[name] = round(milliseconds * 1000)
            continue
        value = values[name]
        if value is None or (not value and value.__class__ in CONTAINERS):
            continue
        record[name] = _money(value) if name == "cost_usd" else value
    try:
        return orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as problem:
        return _encode_repaired(record, problem)


def _encode_repaired(record: dict[str, Any], problem: Exception) -> bytes:
    """Text with lone surrogates (half an emoji, cut by a client) is written with replacement characters."""
    try:
        return orjson.dumps(_repaired(record), default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        raise StoreError("A receipt holds a value that cannot be written.", code="receipt_not_writable") from problem


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_repaired(item) for item in value]
    return value


def _money(value: Decimal) -> str:
    if not value.is_finite() or abs(value) >= 1_000_000:
        raise StoreError("A receipt's cost is out of range.", code="receipt_not_writable")
    return plain_decimal(value.quantize(MICRO_DOLLARS))


def plain_decimal(value: Decimal) -> str:
    """A decimal in plain digits without trailing zeros: 0.0042, never 4.2E-3."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def iso(moment: datetime) -> str:
    """2026-01-31T12:00:00.000001Z; a time without zone is taken as UTC."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def decode(payload: bytes | Mapping[str, Any]) -> Receipt:
    """The receipt of a journal line's JSON object."""
    record = dict(orjson.loads(payload)) if isinstance(payload, (bytes, bytearray)) else dict(payload)
    latency = {}
    for part, column in zip(LATENCY, LATENCY_COLUMNS, strict=True):
        value = record.pop(column, None)
        if value is not None:
            latency[f"{part}_ms"] = value / 1000
    if "time" in record:
        record["at"] = record.pop("time")
    return Receipt.model_validate({**record, "latency": Latency(**latency)})


def from_row(row: Sequence[Any]) -> Receipt:
    """The receipt of a database row with the columns of `NAMES`, in their order."""
    record: dict[str, Any] = {}
    for field, value in zip(FIELDS, row, strict=True):
        if value is None:
            continue
        if field.form == "json":
            record[field.name] = orjson.loads(value)
        elif field.form == "time":
            record[field.name] = value.replace(tzinfo=UTC)
        elif field.form == "money":
            record[field.name] = Decimal(plain_decimal(value))
        else:
            record[field.name] = value
    return decode(record)
