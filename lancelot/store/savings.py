"""What routing saved against a baseline: a range, net of everything, with its assumptions in words.

What was paid holds failed attempts and second ones, so they reduce the saving. What the baseline would have cost is
worked out in two ways, and the truth may lie between them: each task at what it costs in the baseline's lane, and all
tokens at that lane's price a token. Flagship calls of unknown price widen the range: nothing at its high end, the
baseline's price a token at its low end.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from lancelot.store.rows import plain_decimal

__all__ = ["LaneUse", "savings"]

CENT_OF_A_CENT = Decimal("0.000001")


class LaneUse(NamedTuple):
    """All use of one task in one lane. `tokens` are in and out; the priced ones are those with a known cost.

    `replaced` are calls after which another attempt of the same request was needed.
    """

    task: str | None
    lane: str | None
    requests: int
    calls: int
    tokens: int
    cost_usd: Decimal
    priced_calls: int
    unpriced_calls: int
    unpriced_tokens: int
    replaced_calls: int = 0
    replaced_usd: Decimal = Decimal(0)


def savings(use: Sequence[LaneUse], baseline: str) -> dict[str, Any]:
    """{"baseline", "paid_usd", "retries", "would_cost_usd", "saved_usd", "assumptions"}; ranges are [from, to] as text.

    `retries`: {"calls", "usd", "local_calls", "local_usd"}, attempts that another one had to follow; they are in
    what was paid. A range is None when the baseline's lane has never answered at a known price; a saving can be
    negative.
    """
    paid = sum((row.cost_usd for row in use), Decimal(0))
    assumptions = _assumptions(use, baseline)
    report: dict[str, Any] = {
        "baseline": baseline,
        "paid_usd": plain_decimal(paid),
        "retries": _retries(use),
        "would_cost_usd": None,
        "saved_usd": None,
        "assumptions": assumptions,
    }
    in_lane = [row for row in use if row.lane == baseline and row.priced_calls]
    priced_tokens = sum(row.tokens - row.unpriced_tokens for row in in_lane)
    if not priced_tokens:
        assumptions.append(f"The {baseline} lane has no answer at a known price yet, so there is nothing to compare.")
        return report
    a_token = sum((row.cost_usd for row in in_lane), Decimal(0)) / priced_tokens
    low, high = sorted(_would_cost(use, in_lane, a_token))
    unknown = sum(row.unpriced_tokens for row in use if row.lane != "local") * a_token
    report["would_cost_usd"] = [_text(low), _text(high)]
    report["saved_usd"] = [_text(low - paid - unknown), _text(high - paid)]
    return report


def _would_cost(use: Sequence[LaneUse], in_lane: Sequence[LaneUse], a_token: Decimal) -> tuple[Decimal, Decimal]:
    """By task and by token."""
    a_call = {row.task: row.cost_usd / row.priced_calls for row in in_lane}
    by_task = by_token = Decimal(0)
    for task in {row.task for row in use}:
        rows = [row for row in use if row.task == task]
        requests, calls = sum(row.requests for row in rows), sum(row.calls for row in rows)
        tokens = Decimal(sum(row.tokens for row in rows)) * requests / max(calls, 1)  # one attempt a request
        by_token += tokens * a_token
        by_task += requests * a_call[task] if task in a_call else tokens * a_token
    return by_task, by_token


def _retries(use: Sequence[LaneUse]) -> dict[str, Any]:
    local = [row for row in use if row.lane == "local"]
    return {
        "calls": sum(row.replaced_calls for row in use),
        "usd": plain_decimal(sum((row.replaced_usd for row in use), Decimal(0))),
        "local_calls": sum(row.replaced_calls for row in local),
        "local_usd": plain_decimal(sum((row.replaced_usd for row in local), Decimal(0))),
    }


def _assumptions(use: Sequence[LaneUse], baseline: str) -> list[str]:
    retries = _retries(use)
    said = [
        f"Every request would have been answered once, by the {baseline} lane, with as many tokens as it really took.",
        f"What was paid includes the {retries['calls']:,} attempts that another one had to follow "
        f"({retries['local_calls']:,} of them local): {retries['usd']} US dollars of known cost.",
        "The range comes from pricing each task at its own mean in that lane, and all tokens at the lane's mean.",
    ]
    dear = [row for row in use if row.lane != "local" and row.unpriced_calls]
    local = sum(row.unpriced_calls for row in use if row.lane == "local")
    if dear:
        said.append(
            f"{sum(row.unpriced_calls for row in dear):,} flagship calls have no known price: the high end takes them "
            "for nothing, the low end for the baseline's price a token."
        )
    if local:
        said.append(
            f"{local:,} local calls have no price, because no price of power is set; their electricity is not counted."
        )
    return said


def _text(value: Decimal) -> str:
    return plain_decimal(value.quantize(CENT_OF_A_CENT))
