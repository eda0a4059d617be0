"""What the same calls would cost under another price list: a view beside the recorded costs, which never change.

Every call is priced by its own tokens, tiers included; then sums are formed. Local calls keep the cost that was
measured for them; those without one are priced when a price of power is given. Nothing is written, so turning the view
off leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from lancelot.config import PricesConfig
from lancelot.providers.prices import Parts, charge, price_of, rates_for
from lancelot.store.ranges import during
from lancelot.store.rollup import COUNTED, UNPRICED
from lancelot.store.rows import plain_decimal
from lancelot.store.usage import UsageQueries, name_of, raw_column

__all__ = ["repriced"]

PARTS = "sum(i - c - w), sum(c), sum(w), sum(o - r), sum(r)"  # in the order of `Parts`
SPENT = "(status IN ('ok', 'cancelled') OR coalesce(tokens_in, tokens_out) IS NOT NULL)"
US_AN_HOUR = 3_600_000_000
DIGITS = Decimal("0.000000000001")


def repriced(
    usage: UsageQueries,
    prices: PricesConfig,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    by: str = "lane",
    power_usd_per_hour: Decimal | None = None,
) -> dict[str, Any]:
    """{"version", "recorded_versions", "by", "groups": [row], "totals": row, "gone_calls"}.

    A row has group, calls, tokens, recorded_usd, repriced_usd (text; None is unknown, never zero), difference_usd (None
    where either is unknown or not all calls are priced in both), unpriced_calls and unpriced_tokens under the list.
    `gone_calls` were pruned: their tokens are in the sums of other views, but cannot be priced again.

    Raises:
        BadInput: `by` is not something to group by.
    """
    column = raw_column(by)
    usage.settle()
    where, bounds = during(since, until)
    steps = sorted({tier.above_input_tokens for price in prices.models.values() for tier in price.tiers})
    bucket = " + ".join(["0", *(f"CAST(tokens_in > {step} AS INTEGER)" for step in steps)])
    sql = f"""
        SELECT {column} AS g, lane, model, bucket, price_version, known, count(*), sum(t), sum(cost_usd),
            count(cost_usd), count(*) FILTER (was_unpriced), count(*) FILTER (spent), sum(t) FILTER (spent),
            sum(us) FILTER (cost_usd IS NULL), count(us) FILTER (cost_usd IS NULL AND spent), {PARTS}
        FROM (
            SELECT *, {bucket} AS bucket, tokens_in IS NOT NULL AND tokens_out IS NOT NULL AS known,
                coalesce(tokens_in, 0) AS i, coalesce(tokens_out, 0) AS o, i + o AS t,
                least(coalesce(tokens_cached, 0), i) AS c, least(coalesce(tokens_cache_write, 0), i - c) AS w,
                least(coalesce(tokens_reasoning, 0), o) AS r, provider_us AS us,
                {UNPRICED} AS was_unpriced, {SPENT} AS spent
            FROM receipts WHERE {COUNTED} AND {where}
        ) GROUP BY ALL ORDER BY g NULLS LAST"""  # noqa: S608 - our own names
    groups: dict[Any, _Sum] = {}
    everything = _Sum()
    versions: dict[str, int] = {}
    for found in usage.database.query(sql, bounds):
        row = _Row._make((*found[:15], Parts(*(int(part) for part in found[15:]))))
        usd, priced = _price(row, prices, steps, power_usd_per_hour)
        for sum_ in (groups.setdefault(row.group, _Sum()), everything):
            sum_.add(row, usd, priced)
        if row.costed:
            versions[row.version or "none"] = versions.get(row.version or "none", 0) + row.costed
    totals = usage.summary(since, until, by)["totals"]
    return {
        "version": prices.version,
        "recorded_versions": [{"version": name, "calls": count} for name, count in sorted(versions.items())],
        "by": by,
        "groups": [{"group": name_of(name), **sum_.figures()} for name, sum_ in groups.items()],
        "totals": everything.figures(),
        "gone_calls": totals["calls"] - everything.calls,
    }


class _Row(NamedTuple):
    """Calls that share group, lane, model, tier and recorded price list."""

    group: Any
    lane: str | None
    model: str | None
    bucket: int
    version: str | None
    known: bool  # tokens in and out were reported
    calls: int
    tokens: int
    recorded_usd: Decimal | None
    costed: int  # calls with a recorded cost
    was_unpriced: int
    spent: int  # calls that cost something, known or not
    spent_tokens: int | None
    uncosted_us: int | None
    uncosted_timed: int
    parts: Parts


def _price(
    row: _Row, prices: PricesConfig, steps: Sequence[int], power_usd_per_hour: Decimal | None
) -> tuple[Decimal, bool]:
    """(dollars under the list, whether all calls of the row that cost something are in it)."""
    if row.lane == "local":
        usd = row.recorded_usd or Decimal(0)
        if power_usd_per_hour is not None and row.uncosted_us:
            usd += (int(row.uncosted_us) * power_usd_per_hour / US_AN_HOUR).quantize(DIGITS)
            return usd, row.uncosted_timed >= row.was_unpriced
        return usd, not row.was_unpriced
    price = price_of(row.model or "", prices)
    if price is None or not row.known:
        return Decimal(0), not row.spent
    smallest = steps[row.bucket - 1] + 1 if row.bucket else 0  # any input of this bucket has the same rates
    return charge(rates_for(price, smallest), row.parts), True


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    tokens: int = 0
    recorded: Decimal = Decimal(0)
    recorded_priced: int = 0
    recorded_unpriced: int = 0
    usd: Decimal = Decimal(0)
    priced: int = 0
    unpriced: int = 0
    unpriced_tokens: int = 0

    def add(self, row: _Row, usd: Decimal, whole: bool) -> None:
        self.calls += row.calls
        self.tokens += int(row.tokens)
        self.recorded += row.recorded_usd or Decimal(0)
        self.recorded_priced += row.costed
        self.recorded_unpriced += row.was_unpriced
        self.usd += usd
        if whole:
            self.priced += row.spent
        else:
            self.unpriced += row.spent
            self.unpriced_tokens += int(row.spent_tokens or 0)

    def figures(self) -> dict[str, Any]:
        recorded = None if self.recorded_unpriced and not self.recorded_priced else self.recorded
        usd = None if self.unpriced and not self.priced else self.usd
        comparable = recorded is not None and usd is not None and not (self.unpriced or self.recorded_unpriced)
        return {
            "calls": self.calls,
            "tokens": self.tokens,
            "recorded_usd": None if recorded is None else plain_decimal(recorded),
            "repriced_usd": None if usd is None else plain_decimal(usd),
            "difference_usd": plain_decimal(self.usd - self.recorded) if comparable else None,
            "recorded_unpriced_calls": self.recorded_unpriced,
            "unpriced_calls": self.unpriced,
            "unpriced_tokens": self.unpriced_tokens,
        }
