"""The chain: whatever is changed, removed or cut off is found and named; the rest goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lancelot.store.chain import verify
from lancelot.store.journal import Journal
from lancelot.store.ledger import ReceiptStore
from lancelot.store.lines import join_line, line_hash, split_line
from lancelot.store.marks import read_checkpoint
from lancelot.store.rows import encode
from lancelot.store.segments import seal

SEGMENT = 10


@pytest.fixture
def folder(tmp_path: Path, make_receipt) -> Path:
    """35 receipts: segments 1 and 2 sealed, 3 full but open, 4 open with five lines."""
    journal = Journal(tmp_path / "journal", seal_at=SEGMENT)
    journal.append_many([encode(make_receipt(task=f"t{i}")) for i in range(1, 36)])
    journal.close()
    for number in (1, 2):
        source = tmp_path / "journal" / f"{number:04d}.jsonl"
        assert seal(source, source.with_suffix(".parquet"))
        source.unlink()
    return tmp_path


def edit_line(path: Path, index: int, change: Callable[[bytes], bytes | None]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    changed = change(lines[index])
    lines[index : index + 1] = [] if changed is None else [changed]
    path.write_bytes(b"".join(lines))


def edit_table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def kinds(report) -> list[tuple[str, int, int]]:
    return [(problem.kind, problem.n, problem.last) for problem in report.problems]


def test_an_untouched_chain_holds(folder: Path) -> None:
    report = verify(folder)
    assert report.ok
    assert (report.checked, report.head) == (35, 35)
    assert report.to_dict()["problem"] is None


def test_an_empty_folder_holds(tmp_path: Path) -> None:
    assert verify(tmp_path).ok


@pytest.mark.parametrize("index", [0, 1, 5, 9])
def test_a_changed_line_in_an_open_segment(folder: Path, index: int) -> None:
    edit_line(folder / "journal" / "0003.jsonl", index, lambda line: line.replace(b'"task":"t', b'"task":"x'))
    report = verify(folder)
    assert kinds(report) == [("broken", 21 + index, 21 + index)]
    assert f"Line {21 + index} has been changed" in str(report.to_dict()["problem"])


def test_the_changed_last_line(folder: Path) -> None:
    edit_line(folder / "journal" / "0004.jsonl", 4, lambda line: line.replace(b'"task":"t', b'"task":"x'))
    assert kinds(verify(folder)) == [("broken", 35, 35)]


def test_an_unreadable_line(folder: Path) -> None:
    edit_line(folder / "journal" / "0003.jsonl", 3, lambda line: b"\x00" * (len(line) - 1) + b"\n")
    assert kinds(verify(folder)) == [("broken", 24, 24)]


def test_a_removed_line(folder: Path) -> None:
    edit_line(folder / "journal" / "0003.jsonl", 3, lambda line: None)
    assert kinds(verify(folder)) == [("missing", 24, 24)]


def test_a_line_said_twice(folder: Path) -> None:
    edit_line(folder / "journal" / "0003.jsonl", 3, lambda line: line + line)
    assert kinds(verify(folder))[0] == ("broken", 24, 24)


def test_a_cut_off_tail(folder: Path) -> None:
    path = folder / "journal" / "0004.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert kinds(verify(folder)) == [("cut_off", 33, 35)]


def test_a_whole_segment_cut_off(folder: Path) -> None:
    (folder / "journal" / "0004.jsonl").unlink()
    assert kinds(verify(folder)) == [("cut_off", 31, 35)]


def test_a_cut_off_tail_is_still_told_after_the_journal_went_on(folder: Path) -> None:
    path = folder / "journal" / "0004.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    journal = Journal(folder / "journal")
    journal.append({"id": "later"})
    journal.close()
    assert kinds(verify(folder)) == [("missing", 33, 35)]


def test_a_missing_segment(folder: Path) -> None:
    (folder / "journal" / "0002.parquet").unlink()
    assert kinds(verify(folder)) == [("missing", 11, 20)]


def test_a_changed_sealed_row(folder: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        tasks = table.column("task").to_pylist()
        tasks[6] = "x"
        return table.set_column(table.schema.get_field_index("task"), "task", pa.array(tasks, pa.string()))

    edit_table(folder / "journal" / "0002.parquet", change)
    assert kinds(verify(folder)) == [("broken", 17, 17)]


@pytest.mark.parametrize("index", [0, 6, 9])
def test_a_removed_sealed_row(folder: Path, index: int) -> None:
    edit_table(
        folder / "journal" / "0002.parquet",
        lambda table: pa.concat_tables([table.slice(0, index), table.slice(index + 1)]),
    )
    assert kinds(verify(folder)) == [("missing", 11 + index, 11 + index)]


def test_an_unreadable_sealed_segment(folder: Path) -> None:
    (folder / "journal" / "0002.parquet").write_bytes(b"PAR1 nothing PAR1")
    found = kinds(verify(folder))
    assert found[0] == ("broken", 11, 11)
    assert len(found) <= 2


def test_every_problem_is_told_the_first_one_first(folder: Path) -> None:
    edit_line(folder / "journal" / "0003.jsonl", 8, lambda line: None)
    edit_line(folder / "journal" / "0003.jsonl", 2, lambda line: line.replace(b'"task":"t', b'"task":"x'))
    assert kinds(verify(folder)) == [("broken", 23, 23), ("missing", 29, 29)]


def test_a_lost_head_is_told(folder: Path) -> None:
    (folder / "journal.head").unlink()
    assert [problem.kind for problem in verify(folder).problems] == ["no_head"]


def test_the_next_walk_goes_on_from_the_checkpoint(folder: Path, make_receipt) -> None:
    assert verify(folder).checked == 35
    assert read_checkpoint(folder).n == 35
    journal = Journal(folder / "journal")
    journal.append({"id": "later"})
    journal.close()
    again = verify(folder)
    assert again.ok
    assert again.started_after == 35
    assert again.checked == 16  # the unsealed segments are walked anyway
    assert verify(folder, full=True).checked == 36


def test_the_checkpoint_stays_before_the_first_problem(folder: Path) -> None:
    edit_line(folder / "journal" / "0003.jsonl", 5, lambda line: line.replace(b'"task":"t', b'"task":"x'))
    for _ in range(2):
        assert kinds(verify(folder)) == [("broken", 26, 26)]
    assert read_checkpoint(folder).n == 25


def test_a_removed_verified_segment_is_noticed_without_a_full_walk(folder: Path) -> None:
    verify(folder)
    (folder / "journal" / "0001.parquet").unlink()
    assert kinds(verify(folder)) == [("missing", 1, 10)]


def test_a_forged_checkpoint_is_not_believed(folder: Path) -> None:
    verify(folder)
    path = folder / "journal.checkpoint"
    path.write_bytes(path.read_bytes().replace(b'"n":35', b'"n":34'))
    assert read_checkpoint(folder).n == 0


def test_a_rewritten_history_contradicts_the_checkpoint(folder: Path, make_receipt) -> None:
    verify(folder)
    shutil.rmtree(folder / "journal")
    os.unlink(folder / "journal.head")
    journal = Journal(folder / "journal")
    for index in range(40):
        journal.append({"id": f"forged {index}"})
    journal.close()
    assert ("broken", 35, 35) in kinds(verify(folder))


def test_verifying_while_receipts_are_written(tmp_path: Path, make_receipt) -> None:
    store = ReceiptStore(tmp_path, seal_at=10)
    for _ in range(20):
        for _ in range(7):
            store.write(make_receipt())
        assert store.verify(full=True).ok
    store.close()


def test_sealing_leaves_a_broken_segment_alone(folder: Path) -> None:
    path = folder / "journal" / "0003.jsonl"
    edit_line(path, 5, lambda line: line.replace(b'"task":"t', b'"task":"x'))
    assert not seal(path, path.with_suffix(".parquet"))
    assert not path.with_suffix(".parquet").exists()


def reopened(folder: Path) -> list[dict[str, object]]:
    """The events a start leaves, newest first; the store is closed again."""
    store = ReceiptStore(folder, seal_at=SEGMENT)
    receipts, _ = store.page({"kind": "event"})
    store.close()
    return [receipt.data for receipt in receipts]


def test_a_restart_does_not_make_a_changed_last_line_right(folder: Path) -> None:
    edit_line(folder / "journal" / "0004.jsonl", 4, lambda line: line.replace(b'"tokens_in":120', b'"tokens_in":1'))
    assert {"event": "journal_line_changed", "line": 35} in reopened(folder)
    assert kinds(verify(folder, full=True)) == [("broken", 35, 35)]
    assert kinds(verify(folder)) == [("broken", 35, 35)]


def test_a_rewritten_tail_is_noticed_at_the_next_start(folder: Path, make_receipt) -> None:
    """Changed and linked anew, with more lines than the head outside knows."""
    path = folder / "journal" / "0004.jsonl"
    lines = path.read_bytes().splitlines()[:-1]
    last = split_line(lines[-1])
    assert last is not None
    n, prev = last.n, last.hash
    for number in range(3):
        line = join_line(n + 1 + number, prev, encode(make_receipt(task="forged")))
        lines.append(line)
        prev = line_hash(line)
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert {"event": "journal_line_changed", "line": 35} in reopened(folder)


def test_a_head_that_is_gone_leaves_an_event(folder: Path) -> None:
    (folder / "journal.head").unlink()
    assert {"event": "journal_head_missing", "last": 35} in reopened(folder)
    assert not [event for event in reopened(folder)[:-1] if event["event"] == "journal_line_changed"]
