"""What a call costs: Decimal, no part counted twice, one tier for the whole request, and `unknown` for the unknown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from lancelot.chat import Usage
from lancelot.config import ModelPrice, PricesConfig, PriceTier

__all__ = [
    "Parts",
    "Priced",
    "charge",
    "cost",
    "estimate",
    "local_cost",
    "outdated",
    "price_of",
    "rates_for",
    "tokens",
    "undated",
]

PER = Decimal(1_000_000)
MS_AN_HOUR = Decimal(3_600_000)
# what providers put behind a model's name for one dated build of it: -2026-03-05, -20260305, -latest, @20260305
DATED = re.compile(r"(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{8})|-latest)$")


@dataclass(frozen=True, slots=True)
class Priced:
    """A cost in US dollars (None is unknown, never zero) and the version of the price list it was worked out with."""

    usd: Decimal | None
    version: str


class Parts(NamedTuple):
    """Tokens that share no token: fresh, cached and written input, output without and with reasoning."""

    fresh: int
    cached: int
    written: int
    output: int
    reasoning: int


def price_of(model: str, prices: PricesConfig) -> ModelPrice | None:
    """The rates of a model under its listed name, an alias, or a dated build of a listed name."""
    for candidate in (model.removeprefix("models/"), undated(model)):
        found = prices.models.get(prices.aliases.get(candidate, candidate))
        if found is not None:
            return found
    return None


def local_cost(milliseconds: float | None, usd_per_hour: Decimal | None) -> Priced | None:
    """What a local call cost: its measured time at the price of an hour's power; None while either is not known."""
    if milliseconds is None or usd_per_hour is None:
        return None
    return Priced(usd_per_hour * Decimal(str(round(milliseconds, 3))) / MS_AN_HOUR, "power")


def undated(model: str) -> str:
    """The listed name behind a dated build of a model."""
    return DATED.sub("", model.removeprefix("models/"))


def cost(model: str, usage: Usage, prices: PricesConfig) -> Priced:
    """The cost of one call.

    `usage.cached` and `usage.cache_write` are parts of `usage.input`, `usage.reasoning` a part of `usage.output`: each
    token is charged once, at its own rate. Unknown when the model has no price or the provider reported no usage.
    """
    price = price_of(model, prices)
    if price is None or usage.input is None or usage.output is None:
        return Priced(None, prices.version)
    cached = min(usage.cached, usage.input)
    written = min(usage.cache_write, usage.input - cached)
    reasoning = min(usage.reasoning, usage.output)
    parts = Parts(usage.input - cached - written, cached, written, usage.output - reasoning, reasoning)
    return Priced(charge(rates_for(price, usage.input), parts), prices.version)


def charge(rates: ModelPrice | PriceTier, parts: Parts) -> Decimal:
    """US dollars for tokens of one call, or of many that have the same rates: each part at its own rate."""
    total = (
        parts.fresh * rates.input
        + parts.cached * _or(rates.cache_read, rates.input)
        + parts.written * _or(rates.cache_write, rates.input)
        + parts.output * rates.output
        + parts.reasoning * _or(rates.reasoning, rates.output)
    )
    return total / PER


def estimate(model: str, input_tokens: int, output_tokens: int, prices: PricesConfig) -> Decimal | None:
    """The most a call of this size can cost in US dollars (nothing cached, dearest part rates); None is unknown."""
    price = price_of(model, prices)
    if price is None:
        return None
    rates = rates_for(price, input_tokens)
    dearest_in = max(rates.input, _or(rates.cache_write, rates.input))
    dearest_out = max(rates.output, _or(rates.reasoning, rates.output))
    return (input_tokens * dearest_in + output_tokens * dearest_out) / PER


def outdated(prices: PricesConfig, on: date) -> list[str]:
    """The models whose rates are not known to hold on that day any more; for warnings, costs are still worked out."""
    return sorted(name for name, price in prices.models.items() if price.valid_until and price.valid_until < on)


def tokens(usage: Usage) -> int:
    """All tokens of a call, in and out; what the provider did not say counts as none."""
    return (usage.input or 0) + (usage.output or 0)


def rates_for(price: ModelPrice, input_tokens: int) -> ModelPrice | PriceTier:
    """The rates of a whole request with so much input, cached tokens included: the highest tier it passes decides."""
    passed = [tier for tier in price.tiers if input_tokens > tier.above_input_tokens]
    return max(passed, key=lambda tier: tier.above_input_tokens) if passed else price


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate
