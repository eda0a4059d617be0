"""The store's figures in one run: printed, and held against the disk's own speed and each other."""

from __future__ import annotations

import importlib.util
import os
import statistics
from pathlib import Path
from types import ModuleType

import pytest

from lancelot.store.ledger import ReceiptStore

GROWTH = int(os.environ.get("BENCH_RECEIPTS", "1000000"))


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("store_figures", Path(__file__).with_name("store.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_durable_receipt_costs_little_more_than_its_fsync(tmp_path: Path, figures, capsys) -> None:
    store = ReceiptStore(tmp_path / "store")
    figures.alone_ms(store, 100)
    floor = statistics.median(figures.fsync_ms(tmp_path, 100) for _ in range(3))
    alone = figures.alone_ms(store)
    tasks_alone = figures.alone_async_ms(store)
    threads, tasks = figures.by_threads(store), figures.by_tasks(store)
    store.close()
    with capsys.disabled():
        print(
            f"\ndurable receipt: bare fsync {floor:.3f} ms; alone {alone:.3f} ms, in a loop {tasks_alone:.3f} ms; "
            f"32 threads {threads:,.0f}/s, 32 tasks {tasks:,.0f}/s"
        )
    assert alone < 3 * floor + 0.2
    assert min(threads, tasks) > 1.2 * 1000 / alone  # callers share fsyncs


@pytest.mark.timeout(3600)
def test_a_receipt_costs_the_same_after_a_million(tmp_path: Path, figures, capsys) -> None:
    store = ReceiptStore(tmp_path / "store")
    figures.grow(store, 20_000)  # past the first sealing and the first row group
    costs = {}
    for size in (0, GROWTH // 2, GROWTH):
        figures.grow(store, max(0, size - store.journal.head.n))
        costs[store.journal.head.n] = statistics.median(figures.whole_cost_us(store) for _ in range(5))
    store.close()
    with capsys.disabled():
        print("\nprocessor time a receipt: " + ", ".join(f"{cost:.0f} us after {n:,}" for n, cost in costs.items()))
    first, *later = costs.values()
    assert all(cost < first * 1.1 for cost in later)
