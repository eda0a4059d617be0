"""The router library beside raw httpx, in one run: what it adds with rules alone, and with the name tagger."""

from __future__ import annotations

import asyncio

from tests.bench.router_overhead import rows

RULES_MS, TAGGER_MS = 1.5, 2.5


def test_the_router_adds_little_to_raw_httpx() -> None:
    table = {row.name: row for row in asyncio.run(rows())}
    for row in table.values():
        print(f"\n{row}")
    raw, rules, tagger = list(table.values())[:3]
    assert rules.median_ms - raw.median_ms <= RULES_MS, f"rules add {rules.median_ms - raw.median_ms:.2f} ms"
    assert tagger.median_ms - raw.median_ms <= TAGGER_MS, (
        f"the tagger adds up to {tagger.median_ms - raw.median_ms:.2f} ms"
    )
