"""Seeded, made-up receipts for demonstrations, notebooks and measurements. No text, no person, no real model's price.

The same seed and count give the same receipts, ids and times included, relative to `end`.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from lancelot.store.ledger import ReceiptStore
from lancelot.store.rows import NAMES, iso, plain_decimal

__all__ = ["demo_records", "seed"]

BATCH = 10_000
ATTEMPTS_A_REQUEST = 1.06
SHARE = Decimal("0.000001")


class Task(NamedTuple):
    """A kind of request: how often, how long (median tokens in and out), how often each lane answers it."""

    name: str
    weight: int
    tokens_in: int
    tokens_out: int
    lanes: tuple[int, int, int]  # local, fast, deep


class Model(NamedTuple):
    """A made-up model: its lane, provider, dollars a million tokens in and out (None: no price known), and its pace."""

    name: str
    lane: str
    provider: str
    usd_in: Decimal | None
    usd_out: Decimal | None
    milliseconds_a_token: float


TASKS = (
    Task("question", 30, 220, 140, (20, 70, 10)),
    Task("summarize", 15, 1800, 160, (70, 28, 2)),
    Task("extract", 15, 700, 60, (80, 19, 1)),
    Task("classify", 12, 120, 6, (95, 5, 0)),
    Task("code", 13, 900, 420, (0, 45, 55)),
    Task("plan", 6, 1200, 800, (0, 25, 75)),
    Task("rewrite", 9, 300, 260, (30, 65, 5)),
)
MODELS = {
    "local": Model("local-utility", "local", "local", Decimal("0.004"), Decimal("0.03"), 6.0),
    "fast": Model("demo-fast", "fast", "selfhosted", Decimal("0.25"), Decimal("2.00"), 7.5),
    "deep": Model("demo-deep", "deep", "selfhosted", Decimal("3.00"), Decimal("15.00"), 16.0),
    "unpriced": Model("demo-preview", "deep", "selfhosted", None, None, 18.0),
}
LANES = ("local", "fast", "deep")
LOCAL_TASKS = ("summarize", "extract", "classify", "rewrite")
KEYS = (None, "app-crm", "app-mail", "app-search")
LABELS = ("EMAIL", "PHONE", "PERSON", "CARD", "IBAN", "ADDRESS")
REASONS = {
    "local": ["the local model is good enough at this task", "low risk"],
    "fast": ["needs more than the local model", "the fast lane has sufficed for this task"],
    "deep": ["a high score for planning or code", "a mistake would be expensive"],
}
HOUR = timedelta(hours=1)
WEEKEND = 0.3  # of a weekday's load
GROWTH = 0.0002  # an hour: a third more after two months
HOURS = tuple(1 + 6 * (8 <= hour < 19) + 2 * (6 <= hour < 22) for hour in range(24))


def demo_records(count: int, *, seed: int = 7, days: int = 60, end: datetime | None = None) -> Iterator[dict[str, Any]]:
    """`count` receipts in journal form, oldest first, spread over working hours of the last `days` days."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    last = end or datetime.now(UTC)
    start = last - timedelta(days=days)
    made = 0
    moments = _moments(chance, int(count / ATTEMPTS_A_REQUEST), start, last)
    while made < count:
        at = next(moments, last)
        for record in itertools.islice(_request(chance, at), count - made):
            made += 1
            yield record


def seed(
    store: ReceiptStore,
    count: int,
    *,
    seed: int = 7,
    days: int = 60,
    end: datetime | None = None,
    told: Callable[[int], bool] | None = None,
) -> int:
    """Write made-up receipts into a store, through its journal like real ones; returns how many.

    A million take a minute or two and about 200 MB.

    Args:
        told: called with the number written so far; when it answers False nothing more is written.
    """
    batch: list[bytes] = []
    written = 0
    for record in demo_records(count, seed=seed, days=days, end=end):
        batch.append(orjson.dumps(record))
        if len(batch) >= BATCH:
            written += _write(store, batch)
            batch = []
            if told is not None and not told(written):
                return written
    return written + _write(store, batch)


def _write(store: ReceiptStore, batch: list[bytes]) -> int:
    if batch:
        store.journal.append_many(batch)
        store.flush(600)
    return len(batch)


def _moments(chance: random.Random, count: int, start: datetime, end: datetime) -> Iterator[datetime]:
    """`count` moments in order, the last one at the end: busy in working hours, a little more every week."""
    hours = max(1, round((end - start) / HOUR))
    bounds = list(itertools.accumulate((_load(start + HOUR * place, place) for place in range(hours)), initial=0.0))
    steps = [chance.expovariate(1.0) for _ in range(count)]
    total, position, place = sum(steps) or 1.0, 0.0, 0
    for step in steps:
        position = min(1.0, position + step / total)
        wanted = position * bounds[-1]
        while place < hours - 1 and bounds[place + 1] < wanted:
            place += 1
        share = (wanted - bounds[place]) / (bounds[place + 1] - bounds[place])
        yield min(end, start + HOUR * (place + share))


def _load(at: datetime, place: int) -> float:
    """How busy an hour is, against a night."""
    return HOURS[at.hour] * (WEEKEND if at.weekday() >= 5 else 1.0) * (1.0 + GROWTH * place)


def _request(chance: random.Random, at: datetime) -> Iterator[dict[str, Any]]:
    """One request's attempts: mostly one; sometimes the first fails or does not suffice, and a higher lane follows."""
    task = chance.choices(TASKS, [task.weight for task in TASKS])[0]
    lane = chance.choices(LANES, task.lanes)[0]
    score = min(1.0, max(0.0, chance.gauss({"local": 0.15, "fast": 0.35, "deep": 0.75}[lane], 0.12)))
    request = {
        "request_id": _id(chance, at),
        "key": chance.choices(KEYS, (4, 3, 2, 1))[0],
        "risk": chance.choices(("low", "medium", "high"), (80, 15, 5))[0],
        "score": round(score, 4),
        "redactions": {label: chance.randint(1, 3) for label in LABELS if chance.random() < 0.08},
    }
    parent, number = None, 1
    while True:
        failed = chance.random() < 0.02
        more = number < 3 and lane != "deep" and (failed or chance.random() < 0.05)
        record = _attempt(chance, at, task, lane, request, parent, number, failed)
        if more:
            record["data"]["sufficed"] = False
        yield record
        if not more:
            return
        parent, number = record["id"], number + 1
        at += timedelta(milliseconds=record.get("total_us", 0) / 1000)
        lane = LANES[LANES.index(lane) + 1]


def _attempt(
    chance: random.Random,
    at: datetime,
    task: Task,
    lane: str,
    request: dict[str, Any],
    parent: str | None,
    number: int,
    failed: bool,
) -> dict[str, Any]:
    model = MODELS["unpriced"] if lane == "deep" and chance.random() < 0.03 else MODELS[lane]
    tokens_in = 8 + int(task.tokens_in * chance.lognormvariate(0, 0.6))
    tokens_out = None if failed else 1 + int(task.tokens_out * chance.lognormvariate(0, 0.5))
    cached = int(tokens_in * 0.8) if chance.random() < 0.2 else 0
    first = int(1000 * (60 + tokens_in * 0.05) * chance.lognormvariate(0, 0.3))
    provider = first + int(1000 * (tokens_out or 0) * model.milliseconds_a_token * chance.lognormvariate(0, 0.2))
    redaction, decision = 200 + tokens_in // 4, chance.randint(30, 90)
    cost = None
    if tokens_out is not None and model.usd_in is not None and model.usd_out is not None:
        cost = plain_decimal((tokens_in * model.usd_in + tokens_out * model.usd_out) * SHARE)
    record: dict[str, Any] = {
        "id": _id(chance, at),
        "request_id": request["request_id"],
        "parent_id": parent,
        "kind": "attempt",
        "host": "demo",
        "time": iso(at),
        "key_id": request["key"],
        "task": task.name,
        "lane": lane,
        "provider": model.provider,
        "model": model.name,
        "attempt": number,
        "assessment": {
            "task": task.name,
            "deep_score": request["score"],
            "known": True,
            "risk": request["risk"],
            "local_can": task.name in LOCAL_TASKS,
        },
        "reasons": REASONS[lane] if number == 1 else ["the lane before did not suffice"],
        "risk": request["risk"],
        "complexity": round(min(1.0, tokens_in / 4000), 3),
        "deep_score": request["score"],
        "tokens_in": None if failed else tokens_in,
        "tokens_out": tokens_out,
        "tokens_cached": 0 if failed else cached,
        "tokens_cache_write": 0,
        "tokens_reasoning": 0 if failed or lane != "deep" else int((tokens_out or 0) * 0.4),
        "cost_usd": cost,
        "price_version": None if cost is None else "demo",
        "redaction_us": redaction,
        "decision_us": decision,
        "provider_us": provider,
        "first_token_us": None if failed else first,
        "total_us": redaction + decision + provider,
        "status": "error" if failed else "ok",
        "finish_reason": None if failed else "stop",
        "error_code": "provider_timeout" if failed else None,
        "redactions": request["redactions"] or None,
        "policy": "default",
        "sent_sha256": None if lane == "local" else f"{chance.getrandbits(256):064x}",
        "sent_bytes": None if lane == "local" else tokens_in * 4 + 180,
        "egress": "loopback" if lane == "local" else "remote",
        "preview": None,
        "data": {"demo": True, "sufficed": not failed},
    }
    return {name: record[name] for name in NAMES if record.get(name) is not None}


def _id(chance: random.Random, at: datetime) -> str:
    """A UUIDv7 with the moment's milliseconds and seeded random bits."""
    value = int(at.timestamp() * 1000) << 80 | chance.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))
