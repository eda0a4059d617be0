"""Costs worked by hand from the price list of 2026-11-22 (US dollars per million tokens), and what never happens."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.chat import Usage
from lancelot.config import ModelPrice, PricesConfig, PriceTier, load_config
from lancelot.providers.prices import cost, estimate, local_cost, outdated, price_of, tokens
from lancelot.settings import project_dir

# model, usage, the sum in dollars, how it was worked out ("M" is a million)
BY_HAND: list[tuple[str, Usage, str, str]] = [
    ("gpt-6-luna", Usage(1_000_000 // 10, 10_000), "0.015", "0.1M × 0.10 + 0.01M × 0.50"),
    ("gpt-6-luna", Usage(1_000, 500), "0.00035", "1,000 × 0.10 + 500 × 0.50 = 350, over a million"),
    ("gpt-6-luna", Usage(100_000, 1_000, cached=80_000), "0.0033", "20k × 0.10 + 80k × 0.01 + 1k × 0.50"),
    ("gpt-6-luna", Usage(100_000, 0, cache_write=40_000), "0.011", "60k × 0.10 + 40k × 0.125"),
    ("gpt-6-luna", Usage(272_000, 0), "0.0272", "at the threshold: still 0.10"),
    ("gpt-6-luna", Usage(272_001, 0), "0.0544002", "one token past it: all of it at 0.20"),
    (
        "gpt-6-luna",
        Usage(300_000, 10_000, cached=200_000, cache_write=50_000),
        "0.034",
        "50k at .2, 200k at .02, 50k at .25, 10k at .75",
    ),
    (
        "gpt-6.1-sol",
        Usage(10_000, 2_000, cached=8_000, reasoning=1_500),
        "0.0248",
        "2k × 2 + 8k × 0.1 + 2k × 10; reasoning is output",
    ),
    ("gpt-6.1-sol", Usage(500_000, 4_000, cached=400_000), "0.54", "tier: 100k × 4 + 400k × 0.2 + 4k × 15"),
    ("gpt-6-astra", Usage(1_000, 1_000), "0.06", "1k × 10 + 1k × 50"),
    ("gpt-5.4", Usage(1_000_000, 1_000), "5.0225", "tier: 1M × 5 + 1k × 22.5"),
    (
        "gpt-5.4",
        Usage(100_000, 100, cache_write=50_000),
        "0.2515",
        "no write price: charged as input, 100k × 2.5 + 100 × 15",
    ),
    ("gpt-5.4-nano", Usage(400_000, 8), "0.08001", "no tiers: 400k × 0.2 + 8 × 1.25"),
    (
        "claude-haiku-5-5",
        Usage(50_000, 3_000, cached=30_000, cache_write=10_000),
        "0.00405",
        "10k×0.1+30k×0.01+10k×0.125+3k×0.5",
    ),
    ("claude-haiku-5-5", Usage(100_001, 0), "0.0500005", "past 100k: all of it at 0.5"),
    (
        "claude-haiku-5-5",
        Usage(200_000, 2_000, cached=150_000, cache_write=20_000),
        "0.04",
        "30k×0.5+150k×0.05+20k×0.625+2k×2.5",
    ),
    ("claude-haiku-4-5", Usage(2_000, 400), "0.004", "2k × 1 + 400 × 5"),
    ("claude-sonnet-5-5", Usage(1_000_000, 64_000, cached=900_000), "0.93", "100k × 2 + 900k × 0.1 + 64k × 10"),
    (
        "claude-opus-5-5",
        Usage(12_345, 678, cached=10_000, reasoning=600),
        "0.02494",
        "2,345 × 4 + 10k × 0.2 + 678 × 20",
    ),
    ("claude-fable-5-1", Usage(7, 3), "0.00022", "7 × 10 + 3 × 50"),
    (
        "gemini-3.5-flash-lite",
        Usage(10_000, 3_000, cached=6_000, reasoning=2_000),
        "0.00888",
        "4k×0.3+6k×0.03+1k×2.5+2k×2.5",
    ),
    (
        "gemini-3.1-pro-preview",
        Usage(200_001, 1_000, cached=100_001),
        "0.4580004",
        "past 200k: 100k × 4 + 100,001 × 0.4 + 1k × 18",
    ),
    ("gemini-4-argon", Usage(900_000, 50_000, reasoning=40_000), "2.3", "no tiers: 900k × 2 + 50k × 10"),
    ("gpt-6-luna", Usage(0, 0), "0", "nothing is nothing"),
]


PRICES = load_config(project_dir() / "config").prices


@pytest.fixture
def prices() -> PricesConfig:
    return PRICES


@pytest.mark.parametrize(("model", "usage", "dollars", "how"), BY_HAND, ids=[f"{row[0]}: {row[3]}" for row in BY_HAND])
def test_costs_worked_by_hand(prices: PricesConfig, model: str, usage: Usage, dollars: str, how: str) -> None:
    priced = cost(model, usage, prices)
    assert priced.usd == Decimal(dollars), how
    assert priced.version == "2026-11-22"


@pytest.mark.parametrize("usage", [Usage(None, 5), Usage(5, None), Usage()])
def test_usage_that_was_not_reported_costs_unknown(prices: PricesConfig, usage: Usage) -> None:
    assert cost("gpt-6-luna", usage, prices).usd is None


@pytest.mark.parametrize("model", ["smollm2-135m", "gpt-6", "gpt-6-luna-mini", "", "gpt-6-luna-2026"])
def test_an_unpriced_model_costs_unknown_never_zero(prices: PricesConfig, model: str) -> None:
    assert cost(model, Usage(1_000, 1_000), prices).usd is None
    assert estimate(model, 1_000, 1_000, prices) is None


def test_dated_builds_and_aliases_have_their_models_price(prices: PricesConfig) -> None:
    names = ["gpt-6-luna-2026-09-01", "claude-haiku-5-5-20260922", "models/gemini-4-argon", "claude-opus-5-5-latest"]
    assert all(price_of(name, prices) is not None for name in names)
    named = prices.model_copy(update={"aliases": {"house-fast": "gpt-6-luna"}})
    assert cost("house-fast", Usage(1_000, 0), named).usd == Decimal("0.0001")


def test_local_calls_cost_their_measured_time_at_the_price_of_power() -> None:
    hourly = Decimal("0.30") * 65 / 1000  # 65 watts at 30 cents a kilowatt-hour
    found = local_cost(2_400.0, hourly)
    assert found is not None
    assert (found.usd, found.version) == (Decimal("0.000013"), "power")  # 2.4 s of 0.0195 dollars an hour
    assert local_cost(0.0, hourly) is not None
    assert local_cost(2_400.0, None) is None
    assert local_cost(None, hourly) is None


def test_tokens_are_counted_without_a_price() -> None:
    assert tokens(Usage(100, 20, cached=80, reasoning=10)) == 120
    assert tokens(Usage(None, 20)) == 20


def test_a_price_that_is_only_known_for_a_while_is_told(prices: PricesConfig) -> None:
    assert outdated(prices, date(2026, 11, 30)) == []
    assert outdated(prices, date(2026, 12, 1)) == ["gemini-4-argon"]


def test_the_highest_tier_passed_decides() -> None:
    tiers = [
        PriceTier(above_input_tokens=200, input=Decimal(3), output=Decimal(3)),
        PriceTier(above_input_tokens=100, input=Decimal(2), output=Decimal(2)),
    ]
    price = ModelPrice(input=Decimal(1), output=Decimal(1), tiers=tiers)
    listed = PricesConfig(version="t", date=date(2026, 1, 1), models={"m": price})
    dollars = [cost("m", Usage(count, 0), listed).usd for count in (100, 101, 201)]
    assert dollars == [Decimal("0.0001"), Decimal("0.000202"), Decimal("0.000603")]


COUNTS = st.integers(0, 2_000_000)


@given(st.data())
def test_no_part_is_counted_twice_and_no_estimate_too_low(data: st.DataObject) -> None:
    prices = PRICES
    model = data.draw(st.sampled_from(sorted(prices.models)))
    fresh, cached, written, out, reasoning = (data.draw(COUNTS) for _ in range(5))
    usage = Usage(fresh + cached + written, out + reasoning, cached, written, reasoning)
    price = prices.models[model]
    assert usage.input is not None
    passed = [tier for tier in price.tiers if usage.input > tier.above_input_tokens]
    rates = passed[-1] if passed else price
    parts = [
        (fresh, rates.input),
        (cached, rates.input if rates.cache_read is None else rates.cache_read),
        (written, rates.input if rates.cache_write is None else rates.cache_write),
        (out, rates.output),
        (reasoning, rates.output if rates.reasoning is None else rates.reasoning),
    ]
    priced = cost(model, usage, prices).usd
    assert priced == sum(Decimal(count) * rate for count, rate in parts) / 1_000_000
    most = estimate(model, usage.input, out + reasoning, prices)
    assert most is not None
    assert priced <= most


@given(COUNTS, COUNTS, COUNTS)
def test_a_provider_that_reports_more_cached_than_sent_is_not_paid_twice(whole: int, cached: int, written: int) -> None:
    prices = PRICES
    priced = cost("gpt-6-luna", Usage(whole, 0, cached=cached, cache_write=written), prices).usd
    most = estimate("gpt-6-luna", whole, 0, prices)
    assert priced is not None
    assert most is not None
    assert 0 <= priced <= most
