"""The gateway in the console's process adds at most 5 ms to raw httpx (rules only), in one run."""

from __future__ import annotations

import pytest

from tests.bench.gateway import run

MOST_ADDED_MS = 5.0


@pytest.mark.real_model
def test_the_gateway_adds_little_to_raw_httpx() -> None:
    table = run()
    for row, found in table.items():
        print(f"\n{row:<36} {found}")
    raw, ours = table["raw httpx"]["1 caller"]["p50_ms"], table["gateway, rules only"]["1 caller"]["p50_ms"]
    assert ours - raw <= MOST_ADDED_MS, f"adds {ours - raw:.2f} ms"
