"""The Cost & tokens page: the same totals as everywhere else, to the last digit; nothing, a little, unknown prices."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from nbclient import NotebookClient
from streamlit.testing.v1 import AppTest

from lancelot import analysis
from lancelot.api.app import install
from lancelot.demo import seed
from lancelot.services import Services
from lancelot.store.receipts import Receipt
from tests.console.drawing import draw, open_services
from tests.e2e.harness import PROJECT, lancelot

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.xdist_group("pages"),
]
PAGE = "war_room/costs.py"
GROUPS = {"lane": "Lane", "model": "Model", "task": "Task", "key": "Key", "day": "Day"}


def assert_well(app: AppTest) -> None:
    assert not app.exception, [found.value for found in app.exception]
    assert [found.value for found in app.title] == ["Cost & tokens"]
    assert not app.error, [found.value for found in app.error]


def metric(app: AppTest, label: str) -> Any:
    return next(found for found in app.metric if found.label == label)


def endpoint(services: Services, path: str) -> Any:
    app = FastAPI()
    install(app)
    app.state.services = services

    async def ask() -> Any:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers={"Authorization": f"Bearer {services.keys.token()}"})

    return asyncio.run(ask())


def notebook() -> str:
    path = PROJECT / "notebooks" / "02_cost_and_token_pressure.ipynb"
    found = nbformat.read(path, as_version=4)
    NotebookClient(found, timeout=240, kernel_name="python3", resources={"metadata": {"path": path.parent}}).execute()
    return "\n".join(output.get("text", "") for cell in found.cells for output in cell.get("outputs", []))


def test_one_total_on_page_endpoint_command_line_notebook_csv_parquet_and_views(data_folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANCELOT_UPKEEP", "off")
        with open_services() as services:
            seed(services.receipts, 2000, days=20, end=datetime.now(UTC) - timedelta(minutes=1))
            services.receipts.flush(60)
            totals = services.usage.summary()["totals"]
            usd, tokens, calls = totals["cost_usd"], totals["tokens"], totals["calls"]
            app = draw(PAGE)
            assert_well(app)
            assert f"exactly {usd} US dollars" in metric(app, "Spent").proto.help
            assert metric(app, "Tokens").value == f"{tokens:,}"
            lanes = next(found.value for found in app.dataframe if "Lane" in found.value and "Cost" in found.value)
            assert lanes["Calls"].sum() == calls
            for by in ("lane", "model", "task", "day", "key"):
                shown = endpoint(services, f"/usage/summary?by={by}").json()
                assert shown["totals"] == totals
                text = endpoint(services, f"/usage/export?by={by}").text
                rows = list(csv.DictReader(io.StringIO(text)))
                known = [Decimal(row["cost_usd"]) for row in rows if row["cost_usd"] != "unknown"]
                assert (sum(known), sum(int(row["tokens"]) for row in rows)) == (Decimal(usd), tokens)
                content = endpoint(services, f"/usage/export?by={by}&format=parquet").content
                table = pq.read_table(io.BytesIO(content)).to_pandas()
                assert (table["cost_usd"].dropna().sum(), table["tokens"].sum()) == (Decimal(usd), tokens)
            points = endpoint(services, "/usage/timeseries?every=hour&by=model").json()["points"]
            assert sum(Decimal(point["cost_usd"] or 0) for point in points) == Decimal(usd)
            assert endpoint(services, "/usage/savings").json()["paid_usd"] == usd
            assert services.costs.pressure()["tokens"] == tokens
            assert services.costs.repriced()["totals"]["recorded_usd"] == usd
            since = datetime(2020, 1, 1, tzinfo=UTC)
            assert services.receipts.stats(since)["attempts"] == calls
            connection = analysis.connect()
            for view in ("receipts", "usage_hourly"):
                found = connection.execute(
                    f"SELECT sum(cost_usd), sum(tokens_in)::BIGINT + sum(tokens_out)::BIGINT FROM {view}"
                ).fetchone()
                assert found == (Decimal(usd), tokens)
            connection.close()
            assert f"exactly {usd} US dollars" in notebook()  # beside the running services
    said = lancelot(data_folder, "usage", "--json")
    assert said.returncode == 0, said.stderr
    assert f'"cost_usd":"{usd}"' in said.stdout


def test_a_model_without_a_price_is_unknown_with_its_tokens_everywhere(services: Services) -> None:
    services.receipts.write(Receipt(request_id="r", lane="deep", model="brand-new", tokens_in=700, tokens_out=77))
    app = draw(PAGE)
    assert_well(app)
    assert metric(app, "Spent").value == "unknown"
    assert metric(app, "This month so far").value == "unknown"
    assert metric(app, "Tokens").value == "777"
    assert any("777 tokens is unknown" in found.value for found in app.info)
    for table in app.dataframe:
        if "Cost" in table.value:
            assert table.value["Cost"].isna().all()
    app.segmented_control(key="cost_of").set_value("cost_usd").run()
    assert_well(app)
    assert any("Left out: 1 bars" in found.value for found in app.caption)
    row = endpoint(services, "/usage/summary?by=model").json()["groups"][0]
    assert (row["cost_usd"], row["unpriced_tokens"]) == (None, 777)
    assert endpoint(services, "/usage/pace").json()["month"]["cost_usd"] is None
    connection = analysis.connect()
    assert connection.execute("SELECT sum(cost_usd), sum(unpriced_tokens)::BIGINT FROM usage_hourly").fetchone() == (
        None,
        777,
    )
    connection.close()


def test_every_choice_draws(services: Services) -> None:
    seed(services.receipts, 400, days=10)
    app = draw(PAGE)
    app.toggle(key="cost_repriced").set_value(True)
    app.segmented_control(key="cost_baseline").set_value("fast")
    for amount, by in zip(("cost_usd", "tokens", "requests", "latency", "tokens"), GROUPS, strict=True):
        app.segmented_control(key="cost_of").set_value(amount)
        app.segmented_control(key="cost_by").set_value(by).run()
        assert_well(app)
        assert any("Every receipt keeps the cost" in found.value for found in app.caption)
        assert any(GROUPS[by] in found.value and "Calls" in found.value for found in app.dataframe)


def test_budgets_are_held_against_the_clock(services: Services, config_folder: Path) -> None:
    policy = config_folder / "router.yaml"
    policy.write_text(policy.read_text().replace("  total: {}", "  total: { daily_tokens: 1000, monthly_usd: 5 }"))
    services.config.reload_if_changed()
    services.receipts.write(Receipt(request_id="r", lane="fast", model="m", tokens_in=900, tokens_out=50))
    app = draw(PAGE)
    assert_well(app)
    table = next(found.value for found in app.dataframe if "Budget" in found.value)
    rows = {row["Budget"]: row for row in table.to_dict("records")}
    assert rows["total, daily"]["Used"] == "950"
    assert rows["total, daily"]["Share"] == 0.95
    assert rows["total, monthly"]["Limit"] == "$5.00"
    assert any("950 tokens of unknown price count against token budgets only" in found.value for found in app.caption)
