"""The journal: durable when told so, one fsync for many callers, chained, cut back after a failure."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import orjson
import pytest

from lancelot.errors import DiskFull, StoreError
from lancelot.store.head import GENESIS, Head, HeadFile
from lancelot.store.journal import Journal, JournalFile
from lancelot.store.lines import read_lines, segments, split_line


def lines_of(folder: Path) -> list:
    return [
        split_line(raw) for segment in segments(folder) if not segment.sealed for _, raw in read_lines(segment.path)
    ]


def assert_chained(lines: list) -> None:
    previous = GENESIS
    for number, line in enumerate(lines, start=1):
        assert line.n == number
        assert line.prev == previous
        previous = line.hash


class RecordingFile(JournalFile):
    """Keeps the order of the calls, and fails when told to."""

    calls: list[str]
    failing: dict[str, OSError]

    def write(self, content: bytes) -> None:
        self.calls.append("write")
        if problem := self.failing.get("write"):
            super().write(content[: len(content) // 2])  # a full disk takes half of it
            raise problem
        super().write(content)

    def sync(self) -> None:
        self.calls.append("sync")
        if problem := self.failing.get("sync"):
            raise problem
        super().sync()

    def truncate(self, size: int) -> None:
        self.calls.append("truncate")
        super().truncate(size)


@pytest.fixture
def recording() -> type[RecordingFile]:
    return type("Recording", (RecordingFile,), {"calls": [], "failing": {}})


def test_each_line_carries_the_hash_of_the_one_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert [journal.append({"id": name}) for name in "abc"] == [1, 2, 3]
    journal.close()
    lines = lines_of(tmp_path / "journal")
    assert_chained(lines)
    assert [orjson.loads(line.payload) for line in lines] == [{"id": "a"}, {"id": "b"}, {"id": "c"}]


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        journal = Journal(tmp_path / "journal")
        journal.append({"id": "x"})
        journal.close()
    assert len(lines_of(tmp_path / "journal")) == 3
    assert_chained(lines_of(tmp_path / "journal"))


def test_the_line_is_synced_before_the_caller_and_the_callback_hear_of_it(tmp_path: Path, recording) -> None:
    calls = recording.calls
    journal = Journal(tmp_path / "journal", open_file=recording, on_commit=lambda entries: calls.append("told"))
    journal.append({"id": "a"})
    calls.append("returned")
    journal.close()
    assert calls == ["write", "sync", "told", "returned"]


def test_the_head_outside_says_what_the_journal_ends_with(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append({"id": "a"})
    journal.append({"id": "b"})
    assert HeadFile.read(tmp_path / "journal.head") == journal.head  # also without a clean close
    journal.close()
    assert journal.head == Head(2, lines_of(tmp_path / "journal")[-1].hash)


def test_a_damaged_head_slot_falls_back_to_the_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for name in "abc":
        journal.append({"id": name})
    journal.close()
    path = tmp_path / "journal.head"
    content = path.read_bytes()
    newest_at = content.index(b"3 ")
    path.write_bytes(content[:newest_at] + b"9" + content[newest_at + 1 :])
    found = HeadFile.read(path)
    assert found is not None
    assert found.n == 2
    path.write_bytes(b"\x00" * 256)
    assert HeadFile.read(path) is None


def test_threads_share_fsyncs_and_nothing_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    numbers: list[int] = []

    def write(name: int) -> None:
        numbers.extend([journal.append({"id": f"{name}-{index}"}) for index in range(50)])

    threads = [threading.Thread(target=write, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert sorted(numbers) == list(range(1, 801))
    assert journal.fsyncs < 800
    assert_chained(lines_of(tmp_path / "journal"))


@pytest.mark.anyio
async def test_tasks_share_fsyncs_and_the_loop_stays_free(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    numbers = await asyncio.gather(*[journal.append_async({"id": str(index)}) for index in range(500)])
    assert sorted(numbers) == list(range(1, 501))
    assert journal.fsyncs < 50
    journal.close()
    assert_chained(lines_of(tmp_path / "journal"))


@pytest.mark.anyio
async def test_a_cancelled_task_hurts_nobody(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    impatient = asyncio.ensure_future(journal.append_async({"id": "a"}))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await journal.append_async({"id": "b"}) == 2
    with pytest.raises(asyncio.CancelledError):
        await impatient
    journal.close()
    assert_chained(lines_of(tmp_path / "journal"))


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EIO, StoreError)])
def test_a_failed_write_is_told_and_leaves_nothing_behind(tmp_path, recording, operation, number, error) -> None:
    journal = Journal(tmp_path / "journal", open_file=recording)
    journal.append({"id": "kept"})
    recording.failing[operation] = OSError(number, os.strerror(number))
    with pytest.raises(error):
        journal.append({"id": "refused"})
    with pytest.raises(error):
        journal.append({"id": "refused too"})
    recording.failing.clear()
    assert journal.append({"id": "after"}) == 2
    journal.close()
    lines = lines_of(tmp_path / "journal")
    assert_chained(lines)
    assert [orjson.loads(line.payload)["id"] for line in lines] == ["kept", "after"]


@pytest.mark.anyio
async def test_a_failed_group_is_told_to_every_task(tmp_path: Path, recording) -> None:
    journal = Journal(tmp_path / "journal", open_file=recording)
    recording.failing["sync"] = OSError(errno.ENOSPC, "full")
    answers = await asyncio.gather(*[journal.append_async({"id": str(i)}) for i in range(20)], return_exceptions=True)
    assert all(isinstance(answer, DiskFull) for answer in answers)
    recording.failing.clear()
    assert await journal.append_async({"id": "after"}) == 1
    journal.close()


@pytest.mark.parametrize("torn", [b'{"n":3,"prev":"', b"\x00" * 4096, b"\x00\n\x00\n", b'{"n":3}\n'])
def test_an_unfinished_tail_is_cut_off_and_kept_aside(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append({"id": "a"})
    journal.append({"id": "b"})
    journal.close()
    with (tmp_path / "journal" / "0001.jsonl").open("ab") as file:
        file.write(torn)
    journal = Journal(tmp_path / "journal")
    assert journal.recovery.torn_bytes == len(torn)
    assert journal.recovery.torn_copy is not None
    assert journal.recovery.torn_copy.read_bytes() == torn
    assert journal.recovery.lost is None
    assert journal.append({"id": "c"}) == 3
    journal.close()
    assert_chained(lines_of(tmp_path / "journal"))


def test_lines_the_head_knows_and_the_journal_lost_are_named_and_their_numbers_never_used_again(tmp_path) -> None:
    journal = Journal(tmp_path / "journal")
    for name in "abcd":
        journal.append({"id": name})
    journal.close()
    path = tmp_path / "journal" / "0001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    journal = Journal(tmp_path / "journal")
    assert journal.recovery.lost == (3, 4)
    assert journal.append({"id": "e"}) == 5
    journal.close()


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    full: list[int] = []
    journal = Journal(tmp_path / "journal", seal_at=10, on_full=full.append)
    journal.append_many([b'{"id":"%d"}' % number for number in range(25)])
    assert full == [1, 2]
    journal.close()
    journal = Journal(tmp_path / "journal", seal_at=10)
    assert journal.open_segment == 3
    assert journal.append({"id": "x"}) == 26
    journal.close()
    assert_chained(lines_of(tmp_path / "journal"))
    assert [segment.number for segment in segments(tmp_path / "journal")] == [1, 2, 3]


def test_a_closed_journal_refuses(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.close()
    journal.close()
    with pytest.raises(StoreError):
        journal.append({"id": "a"})
