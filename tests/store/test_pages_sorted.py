"""Receipts in other orders: the largest first, page by page without gap or repetition."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.errors import BadInput
from lancelot.store.ledger import ReceiptStore
from lancelot.store.pages import SORTS
from lancelot.store.receipts import Latency, Receipt

MANY = 57


@pytest.fixture
def store(tmp_path: Path):
    opened = ReceiptStore(tmp_path / "data")
    opened.write_many(
        [
            Receipt(
                request_id=str(place),
                lane="fast" if place % 2 else "deep",
                tokens_in=place * 7 % 10,  # many the same
                tokens_out=place,
                cost_usd=None if place % 5 == 0 else Decimal(place * 13 % 17) / 1000,
                latency=Latency(total_ms=float(place * 11 % 23)),
            )
            for place in range(MANY)
        ]
    )
    yield opened
    opened.close()


def all_pages(store: ReceiptStore, sort: str, **filters: object) -> list[Receipt]:
    found, cursor = store.page(filters, None, 10, sort=sort)
    while cursor is not None:
        more, cursor = store.page(filters, cursor, 10, sort=sort)
        found += more
    return found


@pytest.mark.parametrize("sort", [name for name in SORTS if name != "newest"])
def test_every_page_goes_on_where_the_one_before_ended(store: ReceiptStore, sort: str) -> None:
    found = all_pages(store, sort)
    value = {"total_us": lambda one: one.latency.total_ms}.get(sort, lambda one: getattr(one, sort))
    values = [value(one) for one in found]
    assert values == sorted(values, reverse=True)
    assert len({one.id for one in found}) == len(found) == (MANY - 12 if sort == "cost_usd" else MANY)


def test_filters_hold_in_every_order(store: ReceiptStore) -> None:
    assert {one.lane for one in all_pages(store, "total_us", lane="deep")} == {"deep"}


@pytest.mark.parametrize("cursor", ["x", "1", "1~", "~5", "1'~5", "-1~5"])
def test_a_cursor_of_another_order_is_refused(store: ReceiptStore, cursor: str) -> None:
    with pytest.raises(BadInput):
        store.page(None, cursor, sort="cost_usd")


def test_an_unknown_order_is_refused(store: ReceiptStore) -> None:
    with pytest.raises(BadInput):
        store.page(None, None, sort="id; DROP TABLE receipts")
