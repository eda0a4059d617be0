"""Sealed segments: every line comes back byte for byte; the file appears whole or not at all."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lancelot.errors import DiskFull, StoreError
from lancelot.files import Disk
from lancelot.store.journal import Journal
from lancelot.store.lines import Line, read_lines, split_line
from lancelot.store.rows import encode
from lancelot.store.segments import ensure_empty, read_sealed, seal, sealed_head, sealed_range

ODD = [
    b'{"id":"a","request_id":"r","unknown":1}',
    b'{"anything":"else"}',
    b"{}",
    b'{"id":"a","complexity":1}',
    b'{"id":"a","cost_usd":"0.10"}',
    b'{"id":"a","time":"2026-01-01"}',
    b'{"id":"a","tokens_in":99999999999999999999}',
    b'{"id":"a","tokens_in":"7"}',
    b'{"id":"a", "task": "spaces"}',
    b'{"task":"first","id":"later"}',
    b'{"id":5}',
    b'{"id":null,"task":"n"}',
    b'{"id":"a","redactions":{"B":1,"A":2}}',
    b'{"id":"a","time":"2026-01-01T00:00:00.000000Z"}',
]


def journal_of(folder: Path, payloads: list[bytes]) -> tuple[Path, list[Line]]:
    journal = Journal(folder / "journal")
    journal.append_many(payloads)
    journal.close()
    path = folder / "journal" / "0001.jsonl"
    return path, [line for _, raw in read_lines(path) if (line := split_line(raw))]


def test_lines_come_back_byte_for_byte(tmp_path: Path, make_receipt) -> None:
    receipts = [encode(make_receipt()), encode(make_receipt(cost_usd=None, reasons=[], redactions={}, data={"a": []}))]
    path, lines = journal_of(tmp_path, receipts + ODD)
    assert seal(path, path.with_suffix(".parquet"))
    assert list(read_sealed(path.with_suffix(".parquet"))) == lines
    assert sealed_head(path.with_suffix(".parquet")) == (lines[-1].n, lines[-1].hash)
    assert sealed_range(path.with_suffix(".parquet"))[:2] == (1, len(lines))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {"id": st.text(max_size=5), "request_id": st.text(max_size=5)},
            optional={
                "complexity": st.floats(allow_nan=False),
                "tokens_in": st.integers(-(2**63), 2**63 - 1),
                "cost_usd": st.decimals(0, 10**5, places=6).map(str),
                "data": st.recursive(
                    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                    max_leaves=5,
                ),
                "time": st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z"),
            },
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_record_comes_back(tmp_path_factory, records) -> None:
    path, lines = journal_of(tmp_path_factory.mktemp("any"), [orjson.dumps(record) for record in records])
    assert seal(path, path.with_suffix(".parquet"))
    assert list(read_sealed(path.with_suffix(".parquet"))) == lines


class RecordingDisk(Disk):
    def __init__(self, fail: str | None = None) -> None:
        self.calls: list[str] = []
        self.fail = fail

    def fsync(self, descriptor: int) -> None:
        self._note("fsync")
        super().fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._note("rename")
        super().rename(source, target)

    def fsync_folder(self, folder: Path) -> None:
        self._note("fsync_folder")
        super().fsync_folder(folder)

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.fail:
            raise OSError(28, "No space left on device")


def test_sealing_syncs_before_and_after_the_rename(tmp_path: Path, make_receipt) -> None:
    path, _ = journal_of(tmp_path, [encode(make_receipt())])
    disk = RecordingDisk()
    seal(path, path.with_suffix(".parquet"), disk=disk)
    assert disk.calls == ["fsync", "rename", "fsync_folder"]


@pytest.mark.parametrize("fail", ["fsync", "rename"])
def test_a_full_disk_leaves_no_half_segment(tmp_path: Path, make_receipt, fail: str) -> None:
    path, _ = journal_of(tmp_path, [encode(make_receipt())])
    with pytest.raises(DiskFull):
        seal(path, path.with_suffix(".parquet"), disk=RecordingDisk(fail))
    assert [found.name for found in path.parent.iterdir()] == ["0001.jsonl"]


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "0001.parquet"
    path.write_bytes(b"nothing")
    with pytest.raises(StoreError) as refused:
        sealed_head(path)
    assert refused.value.code == "segment_damaged"


def test_the_empty_segment_is_made_once(tmp_path: Path) -> None:
    ensure_empty(tmp_path)
    before = (tmp_path / "0000.parquet").stat().st_mtime_ns
    ensure_empty(tmp_path)
    assert (tmp_path / "0000.parquet").stat().st_mtime_ns == before


def test_costs_keep_every_digit(tmp_path: Path, make_receipt) -> None:
    path, lines = journal_of(tmp_path, [encode(make_receipt(cost_usd=Decimal("123456.123456789012")))])
    seal(path, path.with_suffix(".parquet"))
    assert list(read_sealed(path.with_suffix(".parquet"))) == lines
    assert b'"123456.123456789012"' in lines[0].payload
