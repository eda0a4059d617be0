"""Costs and analysis on many receipts: ratios of one run. BENCH_RECEIPTS=10000000 is the figure that is promised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench import costs

COUNT = int(os.environ.get("BENCH_RECEIPTS", "1000000"))
pytestmark = pytest.mark.timeout(3600)


def test_costs_on_many_receipts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = costs.measure(tmp_path / "data", COUNT)
    with capsys.disabled():
        print(f"\ncosts on {COUNT:,} receipts")
        for name, found in table.items():
            print(f"  {name:<32} " + "   ".join(f"{key} {value}" for key, value in found.items()))
    disk = table["bytes a receipt"]
    assert disk["parquet"] <= 200
    assert disk["in_all"] <= 400
    if COUNT >= 10_000_000:  # the more receipts, the larger the difference
        assert all(table[name]["times"] >= 10 for name in costs.RAW)
    assert all(table[name]["times"] >= 2 for name in costs.RAW)
    page = table["cost page"]
    assert page["full_s"] - page["empty_s"] <= 2
