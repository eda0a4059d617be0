"""Receipts as files for other tools."""

from __future__ import annotations

from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from lancelot.errors import BadInput


def test_parquet_and_csv_hold_what_was_chosen(tmp_path: Path, store, make_receipt) -> None:
    receipts = [store.write(make_receipt(lane=lane)) for lane in ("fast", "deep", "fast")]
    written = store.export(tmp_path / "it's all.parquet")
    assert written["receipts"] == 3
    table = pq.read_table(tmp_path / "it's all.parquet")
    assert table.column("id").to_pylist() == [receipt.id for receipt in receipts]
    assert table.column("total_ms").to_pylist()[0] == receipts[0].latency.total_ms
    assert table.column("reasons").to_pylist()[0] == receipts[0].reasons
    assert dict(table.column("redactions").to_pylist()[0]) == receipts[0].redactions
    assert store.export(tmp_path / "deep.csv", {"lane": "deep"})["receipts"] == 1
    assert pyarrow.csv.read_csv(tmp_path / "deep.csv").column("id").to_pylist() == [receipts[1].id]


@pytest.mark.parametrize("name", ["x.txt", "nowhere/x.parquet"])
def test_other_names_are_refused(tmp_path: Path, store, name: str) -> None:
    with pytest.raises(BadInput):
        store.export(tmp_path / name)
