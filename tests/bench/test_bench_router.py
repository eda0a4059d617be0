"""The router library beside raw httpx, in one run: what it adds with rules alone, with the name tagger, to a stream.

LITELLM_PYTHON names an interpreter that has litellm: its Router is measured in the same run then. SOAK_REQUESTS sets
how many requests memory is watched over.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.bench import soak, streaming
from tests.bench.router_overhead import rows

RULES_MS, TAGGER_MS = 1.5, 2.5
FIRST_TOKEN_MS, CHUNK_MS = 5.0, 0.2
TIMES_LITELLM = 3
SOAK = int(os.environ.get("SOAK_REQUESTS", "50000"))


def test_the_router_adds_little_to_raw_httpx() -> None:
    table = {row.name: row for row in asyncio.run(rows(peer=os.environ.get("LITELLM_PYTHON")))}
    for row in table.values():
        print(f"\n{row}")
    raw, rules, tagger = list(table.values())[:3]
    assert rules.median_ms - raw.median_ms <= RULES_MS, f"rules add {rules.median_ms - raw.median_ms:.2f} ms"
    assert tagger.median_ms - raw.median_ms <= TAGGER_MS, (
        f"the tagger adds up to {tagger.median_ms - raw.median_ms:.2f} ms"
    )
    if "LiteLLM Router" in table:
        assert rules.per_second >= TIMES_LITELLM * table["LiteLLM Router"].per_second


def test_the_router_adds_little_to_a_stream() -> None:
    found = asyncio.run(streaming.rows())
    print(f"\n{found}")
    (raw_first, raw_chunk), (first, chunk) = found["raw httpx"], found["router"]
    assert first - raw_first <= FIRST_TOKEN_MS
    assert chunk - raw_chunk <= CHUNK_MS


@pytest.mark.timeout(3600)
def test_many_requests_cost_and_keep_the_same() -> None:
    """Memory after the first 5,000 requests and at the end; processor time a request in the first and last block."""
    blocks = asyncio.run(soak.blocks(SOAK))
    assert blocks[-1].resident_mb <= 1.05 * blocks[0].resident_mb
    assert blocks[-1].cpu_us <= 1.1 * blocks[0].cpu_us
