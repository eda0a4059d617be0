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
    before = store.journal.fsyncs
    threads, tasks = figures.by_threads(store), figures.by_tasks(store)
    shared = 2 * 32 * 500 / (store.journal.fsyncs - before)
    store.close()
    with capsys.disabled():
        print(
            f"\ndurable receipt: bare fsync {floor:.3f} ms; alone {alone:.3f} ms, in a loop {tasks_alone:.3f} ms; "
            f"32 threads {threads:,.0f}/s, 32 tasks {tasks:,.0f}/s, {shared:.0f} receipts an fsync"
        )
    assert alone < 3 * floor + 0.2
    assert shared > 4


@pytest.mark.timeout(3600)
def test_a_receipt_costs_the_same_after_a_million(tmp_path: Path, figures, capsys) -> None:
    small, big = ReceiptStore(tmp_path / "small"), ReceiptStore(tmp_path / "big")
    figures.grow(big, GROWTH)
    pairs = [(figures.whole_cost_us(small), figures.whole_cost_us(big)) for _ in range(9)]  # in turns: same weather
    size = big.journal.head.n
    small.close()
    big.close()
    first, later = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(after / before for before, after in pairs)
    with capsys.disabled():
        print(f"\nprocessor time a receipt: {first:.0f} us when new, {later:.0f} us after {size:,}; ratio {ratio:.2f}")
    assert ratio < 1.1
