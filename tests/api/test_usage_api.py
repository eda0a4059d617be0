"""The cost routes: one query layer behind every form, other price lists as a view, files for other tools."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lancelot.demo import seed
from lancelot.settings import config_dir
from lancelot.store.receipts import Receipt
from tests.api.conftest import serve

NEWER = """
version: next
date: 2027-01-01
models:
  gpt-6-luna: {input: 3.25, output: 1}
"""


@pytest.fixture
def used(gateway):
    """A gateway with 300 made-up receipts, and one of a model whose price is known."""
    seed(gateway.services.receipts, 300, end=datetime(2026, 6, 1, tzinfo=UTC))
    gateway.services.receipts.write(
        Receipt(
            request_id="r",
            at=datetime(2026, 6, 1, tzinfo=UTC),
            lane="fast",
            model="gpt-6-luna",
            tokens_in=1_000_000,
            tokens_out=0,
            cost_usd=Decimal("0.2"),
            price_version="2026-11-22",
        )
    )
    return gateway


@pytest.mark.parametrize("by", ["lane", "model", "task", "day", "key"])
def test_summary_and_files_say_the_same(used, by: str) -> None:
    found = used.call("GET", "/usage/summary", params={"by": by}).json()
    assert found["totals"]["calls"] == 301
    assert found["savings"] == used.call("GET", "/usage/savings").json()
    text = used.call("GET", "/usage/export", params={"by": by, "format": "csv"})
    assert text.headers["content-disposition"] == f'attachment; filename="usage-by-{by}.csv"'
    rows = list(csv.DictReader(io.StringIO(text.text)))
    table = pq.read_table(io.BytesIO(used.call("GET", "/usage/export", params={"by": by, "format": "parquet"}).content))
    for shown, row, number in zip(found["groups"], rows, table.to_pylist(), strict=True):
        assert (row[by] or None) == number[by] == shown["group"]
        assert row["cost_usd"] == (shown["cost_usd"] or "unknown")
        assert number["cost_usd"] == (None if shown["cost_usd"] is None else Decimal(shown["cost_usd"]))
        assert int(row["tokens"]) == number["tokens"] == shown["tokens"]


def test_another_price_list_is_a_view(used) -> None:
    before = used.call("GET", "/usage/summary").content
    body = {"prices": NEWER, "by": "model", "since": "2026-05-31T00:00:00Z"}
    found = used.call("POST", "/usage/repriced", json=body).json()
    row = next(row for row in found["groups"] if row["group"] == "gpt-6-luna")
    assert (found["version"], row["recorded_usd"], row["repriced_usd"]) == ("next", "0.2", "3.25")
    assert used.call("GET", "/usage/summary").content == before
    now = used.call("GET", "/usage/repriced", params={"by": "model"}).json()
    row = next(row for row in now["groups"] if row["group"] == "gpt-6-luna")
    assert row["repriced_usd"] == row["recorded_usd"] == "0.2"  # a million tokens pass the tier: 0.2 a million
    assert now["totals"]["unpriced_tokens"] > 0  # the demonstration's models have no price here


def test_a_price_list_that_is_none_is_refused_in_words(used) -> None:
    for text in ("models: {x: {input: cheap}}", "version: [", "\x00"):
        answer = used.call("POST", "/usage/repriced", json={"prices": text})
        assert answer.status_code == 400
        assert "prices.yaml" in answer.json()["title"]
    assert used.call("POST", "/usage/repriced", json={"price": NEWER}).status_code == 400


def test_pace_and_pressure(used) -> None:
    month = used.call("GET", "/usage/pace").json()["month"]
    assert month["since"].endswith("01T00:00:00+00:00")
    used.services.receipts.write(
        Receipt(request_id="x", lane="deep", model="gpt-5.4-nano-2026-01-02", tokens_in=27_200)
    )
    found = used.call("GET", "/usage/pressure").json()
    row = next(row for row in found["context"] if row["model"] == "gpt-5.4-nano-2026-01-02")
    assert (row["window"], row["most_share"]) == (272_000, 0.1)  # a dated build has its model's window
    later = {"since": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    assert used.call("GET", "/usage/pressure", params=later).json()["top"] == []


@pytest.mark.parametrize("path", ["summary", "timeseries", "savings", "pace", "pressure", "repriced", "export"])
def test_only_the_operator_may_look(used, path: str) -> None:
    assert used.call("GET", f"/usage/{path}", token=None).status_code == 401


def test_wrong_words_are_refused(used) -> None:
    for query in ({"by": "colour"}, {"since": "soon"}):
        assert used.call("GET", "/usage/summary", params=query).status_code == 400
    assert used.call("GET", "/usage/export", params={"format": "xlsx"}).status_code == 400


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:30:00Z"])
@pytest.mark.parametrize(
    "path",
    [
        *("/usage/summary", "/usage/timeseries", "/usage/savings", "/usage/pressure", "/usage/repriced"),
        *("/usage/export", "/router/receipts", "/router/decisions/stats"),
    ],
)
def test_a_date_at_the_calendars_end_is_refused_in_words(used, path: str, moment: str) -> None:
    answer = used.call("GET", path, params={"since": moment})
    assert answer.status_code in (400, 422)
    assert "1970 to 9998" in answer.text
    assert answer.json()["hint"]


def test_a_date_at_the_calendars_end_in_a_body_too(used) -> None:
    moment = "9999-12-31T23:59:59-14:00"
    for path, body in (("/usage/repriced", {"until": moment}), ("/router/prune", {"before": moment})):
        assert used.call("POST", path, json=body).status_code in (400, 422)


def test_the_shipped_list_can_be_handed_in(used) -> None:
    text = (config_dir() / "prices.yaml").read_text()
    found = used.call("POST", "/usage/repriced", json={"prices": text, "by": "model"}).json()
    assert found == used.call("GET", "/usage/repriced", params={"by": "model"}).json()


def test_local_work_costs_its_time_once_power_has_a_price(tmp_path, monkeypatch, provider) -> None:
    config = Path(shutil.copytree(config_dir(), tmp_path / "config"))
    policy = config / "router.yaml"
    policy.write_text(policy.read_text().replace("power: {}", "power: { usd_per_kwh: 0.30, watts: 65 }"))
    monkeypatch.setenv("LANCELOT_CONFIG_DIR", str(config))
    with serve(tmp_path / "data", provider) as gateway:
        done = gateway.call("POST", "/v1/utility/redact", json={"text": "Mail anna@example.com"}).json()
        assert "receipt_id" in done, done
        receipt = gateway.call("GET", f"/router/receipts/{done['receipt_id']}").json()["receipt"]
        took = Decimal(str(receipt["latency"]["provider_ms"]))
        assert Decimal(receipt["cost_usd"]) == (took * Decimal("0.0195") / 3_600_000).quantize(Decimal("1e-12"))
        assert receipt["price_version"] == "power"
        row = gateway.call("GET", "/usage/summary").json()["groups"][0]
        assert (row["group"], row["cost_usd"], row["unpriced_calls"]) == ("local", receipt["cost_usd"], 0)
