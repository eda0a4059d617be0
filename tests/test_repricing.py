"""Another price list is a view: exact, call by call, and the recorded costs stay as they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lancelot.chat import Usage
from lancelot.config import ModelPrice, PricesConfig, PriceTier, load_config
from lancelot.errors import BadInput
from lancelot.providers.prices import cost
from lancelot.repricing import repriced
from lancelot.settings import project_dir
from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Latency, Receipt
from lancelot.store.usage import UsageQueries

SHIPPED = load_config(project_dir() / "config").prices
AT = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
MODELS = [*SHIPPED.models, "nobody-knows"]
COUNTS = st.integers(0, 400_000)
CALLS = st.lists(st.tuples(st.sampled_from(MODELS), COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=20)


@pytest.fixture
def store(tmp_path: Path):
    opened = ReceiptStore(tmp_path)
    yield opened
    opened.close()


def receipt(model: str, usage: Usage, prices: PricesConfig = SHIPPED, **changes: object) -> Receipt:
    priced = cost(model, usage, prices)
    fields = {
        "request_id": "r",
        "at": AT,
        "lane": "fast",
        "model": model,
        "tokens_in": usage.input,
        "tokens_out": usage.output,
        "tokens_cached": usage.cached,
        "tokens_cache_write": usage.cache_write,
        "tokens_reasoning": usage.reasoning,
        "cost_usd": priced.usd,
        "price_version": priced.version,
    }
    return Receipt(**(fields | changes))  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(CALLS)
def test_the_list_a_cost_was_worked_out_with_gives_the_same_cost_to_the_last_digit(tmp_path_factory, calls) -> None:
    store = ReceiptStore(tmp_path_factory.mktemp("priced"))
    for model, tokens_in, cached, written, out, reasoning in calls:
        store.write(receipt(model, Usage(tokens_in, out, cached, written, reasoning)))
    usage = UsageQueries(store)
    found = repriced(usage, SHIPPED, by="model")
    recorded = {row["group"]: row for row in usage.summary(by="model")["groups"]}
    for row in found["groups"]:
        assert row["repriced_usd"] == row["recorded_usd"] == recorded[row["group"]]["cost_usd"]
        assert row["unpriced_tokens"] == recorded[row["group"]]["unpriced_tokens"]
        assert row["tokens"] == recorded[row["group"]]["tokens"]
    store.close()


def test_a_newer_list_worked_by_hand_and_nothing_is_changed(store) -> None:
    store.write(receipt("gpt-6-luna", Usage(1_000, 500)))  # 0.00035 then
    store.write(receipt("gpt-6-luna", Usage(300_000, 0, cached=200_000)))  # 100k × 0.2 + 200k × 0.02 = 0.024 then
    newer = PricesConfig(
        version="next",
        date=date(2027, 1, 1),
        models={
            "gpt-6-luna": ModelPrice(
                input=Decimal(1),
                output=Decimal(2),
                tiers=[PriceTier(above_input_tokens=250_000, input=Decimal(3), output=Decimal(4))],
            )
        },
    )
    before = UsageQueries(store).summary()
    found = repriced(UsageQueries(store), newer, by="day")
    assert found["version"] == "next"
    assert found["recorded_versions"] == [{"version": "2026-11-22", "calls": 2}]
    # 1,000 × 1 + 500 × 2 = 0.002; 300,000 × 3, cached input without a price of its own is input = 0.9
    assert found["totals"]["repriced_usd"] == "0.902"
    assert found["totals"]["recorded_usd"] == "0.02435"
    assert found["totals"]["difference_usd"] == "0.87765"
    assert [row["group"] for row in found["groups"]] == ["2026-11-23"]
    assert UsageQueries(store).summary() == before


def test_unknown_stays_unknown_with_its_tokens(store) -> None:
    store.write(receipt("gpt-6-luna", Usage(1_000, 500)))
    store.write(receipt("brand-new", Usage(70, 30)))
    store.write(receipt("gpt-6-luna", Usage(None, None), status="error"))  # cost nothing that anybody knows of
    named = SHIPPED.model_copy(update={"models": {"brand-new": ModelPrice(input=Decimal(1), output=Decimal(1))}})
    rows = {row["group"]: row for row in repriced(UsageQueries(store), named, by="model")["groups"]}
    assert (rows["gpt-6-luna"]["repriced_usd"], rows["gpt-6-luna"]["unpriced_tokens"]) == (None, 1_500)
    assert (rows["brand-new"]["recorded_usd"], rows["brand-new"]["repriced_usd"]) == (None, "0.0001")
    assert rows["brand-new"]["difference_usd"] is None
    totals = repriced(UsageQueries(store), named, by="model")["totals"]
    assert (totals["repriced_usd"], totals["unpriced_calls"], totals["unpriced_tokens"]) == ("0.0001", 1, 1_500)


def test_local_calls_keep_what_was_measured_and_get_a_price_when_power_has_one(store) -> None:
    seconds = Latency(provider_ms=36_000.0, total_ms=36_001.0)
    measured = receipt("small", Usage(10, 5), lane="local", cost_usd=Decimal("0.0005"), price_version="power")
    store.write(measured)
    store.write(receipt("small", Usage(10, 5), lane="local", latency=seconds))
    without = repriced(UsageQueries(store), SHIPPED)["groups"][0]
    assert (without["repriced_usd"], without["unpriced_tokens"]) == ("0.0005", 15)
    priced = repriced(UsageQueries(store), SHIPPED, power_usd_per_hour=Decimal("0.03"))["groups"][0]
    assert (priced["repriced_usd"], priced["unpriced_calls"]) == ("0.0008", 0)  # 36 s at 3 cents an hour: 0.0003


def test_ranges_groups_and_refusals(store) -> None:
    store.write(receipt("gpt-6-luna", Usage(1_000, 0), key_id="k"))
    store.write(receipt("gpt-6-luna", Usage(2_000, 0), at=AT + timedelta(minutes=10)))
    half = repriced(UsageQueries(store), SHIPPED, since=AT, until=AT + timedelta(minutes=5), by="key")
    assert [(row["group"], row["repriced_usd"]) for row in half["groups"]] == [("k", "0.0001")]
    assert half["gone_calls"] == 0
    assert repriced(UsageQueries(store), SHIPPED, by="hour")["groups"][0]["group"] == "2026-11-23T10:00:00+00:00"
    with pytest.raises(BadInput):
        repriced(UsageQueries(store), SHIPPED, by="colour")
