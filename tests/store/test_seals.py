"""Sealed files, byte by byte: whatever changes in one is found and named, also by a walk from the last checkpoint."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lancelot.store.chain import VerifyReport, verify
from lancelot.store.ledger import ReceiptStore
from lancelot.store.seals import Seals, file_sha256, seals_path

SEALED = "0002.parquet"
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, make_receipt) -> Path:
    """35 receipts in segments of ten, the last of five, all sealed, nothing beside them; verified once."""
    store = ReceiptStore(tmp_path / "store", seal_at=10)
    for index in range(35):
        store.write(make_receipt(task=f"t{index}", at=START + timedelta(hours=index)))
    store._sealer.seal_through(store.journal, 35)
    store.close()
    found = tmp_path / "store"
    for sealed in (found / "journal").glob("*.parquet"):
        sealed.with_suffix(".jsonl").unlink(missing_ok=True)
    assert (found / "journal" / SEALED).exists()
    assert verify(found).ok
    return found


def named(report: VerifyReport) -> list[tuple[str, str | None]]:
    return [(problem.kind, problem.segment) for problem in report.problems]


def flip(content: bytes, at: int, bits: int) -> bytes:
    return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]


@pytest.mark.parametrize("full", [True, False])
def test_one_changed_byte_anywhere_is_found_and_its_file_named(folder: Path, full: bool) -> None:
    path = folder / "journal" / SEALED
    content = path.read_bytes()
    chance = random.Random(7)
    for at in [0, len(content) - 1, *chance.sample(range(len(content)), 120)]:
        path.write_bytes(flip(content, at, 1 << chance.randrange(8)))
        found = named(verify(folder, full=full))
        assert len(found) <= 2, (at, found)  # where the footer is hurt, the lines are missing to the next file, too
        assert found[0][0] in ("broken", "altered")
        assert found[0][1] == SEALED
    path.write_bytes(content)
    assert verify(folder, full=full).ok


def test_a_byte_no_row_depends_on(folder: Path) -> None:
    path = folder / "journal" / SEALED
    content = path.read_bytes()
    path.write_bytes(content.replace(b"parquet-cpp", b"parquet-CPP"))  # who wrote it, says the footer
    assert path.read_bytes() != content
    for full in (True, False):
        report = verify(folder, full=full)
        assert [(problem.kind, problem.n, problem.last) for problem in report.problems] == [("altered", 11, 20)]
        assert f"noticed in {SEALED}" in str(report.to_dict()["problem"])


def test_without_a_note_the_lines_still_prove_themselves(folder: Path) -> None:
    seals_path(folder).unlink()
    assert named(verify(folder)) == [("no_seal", f"000{number}.parquet") for number in (1, 2, 3, 4)]
    assert verify(folder).problems[0].words().startswith("The note of the sealed file that begins with line 1 is gone")


def test_any_change_of_the_notes_is_told(folder: Path) -> None:
    path = seals_path(folder)
    content = path.read_bytes()
    for at in range(3, content.index(b"\n"), 29):
        path.write_bytes(flip(content, at, 4))
        assert named(verify(folder))[0] == ("bad_seal", None), at
    path.write_bytes(content)
    assert verify(folder).ok


def test_a_dropped_segment_is_missed(folder: Path) -> None:
    (folder / "journal" / SEALED).unlink()
    assert not list((folder / "journal").glob("0002.*"))
    for full in (True, False):
        found = verify(folder, full=full).problems
        assert [(problem.kind, problem.n, problem.last) for problem in found] == [("missing", 11, 20)]


def test_one_segment_put_in_the_place_of_another(folder: Path) -> None:
    (folder / "journal" / SEALED).write_bytes((folder / "journal" / "0001.parquet").read_bytes())
    for full in (True, False):
        assert not verify(folder, full=full).ok


def test_what_a_prune_writes_anew_is_noted_anew(folder: Path) -> None:
    store = ReceiptStore(folder, seal_at=10)
    store.prune(START + timedelta(hours=15))
    store.close()
    now = file_sha256(folder / "journal" / SEALED)
    assert now in Seals(folder).of(SEALED)
    assert len(Seals(folder).of(SEALED)) == 2
    assert verify(folder, full=True).ok


def test_lines_go_only_once_the_sealed_file_holds(tmp_path: Path, make_receipt) -> None:
    """Damaged in the seconds both lie there: the next start seals it again from its lines."""
    store = ReceiptStore(tmp_path / "store", seal_at=10)
    for index in range(25):
        store.write(make_receipt(task=f"t{index}"))
    store._sealer.seal_through(store.journal, 20)
    store.close()
    sealed = tmp_path / "store" / "journal" / SEALED
    content = sealed.read_bytes()
    assert sealed.with_suffix(".jsonl").exists()
    sealed.write_bytes(flip(content, 200, 8))
    assert not verify(tmp_path / "store").ok
    store = ReceiptStore(tmp_path / "store", seal_at=10)
    store._sealer.seal_through(store.journal, 20)
    store.close()
    assert sealed.read_bytes() == content
    assert verify(tmp_path / "store", full=True).ok


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("where", ["footer", "rows", "half of it"])
def test_a_damaged_file_keeps_nobody_out(folder: Path, make_receipt, where: str, rebuilt: bool) -> None:
    """The store opens on what can be read; what the database holds of the file stays, and the walk names the file."""
    path = folder / "journal" / SEALED
    content = path.read_bytes()
    hurt = {
        "footer": content[:-200] + b"\xff" * 192 + content[-8:],
        "rows": content[:4] + b"\xff" * 400 + content[404:],
        "half of it": content[: len(content) // 2],
    }
    path.write_bytes(hurt[where])
    if rebuilt:
        (folder / "lancelot.duckdb").unlink()
    store = ReceiptStore(folder, seal_at=10)
    added = store.write(make_receipt(task="after"))
    assert store.flush()
    tasks = {receipt.task for receipt in store.page(limit=100)[0]}
    report = store.verify(full=True)
    store.close()
    others = {f"t{index}" for index in range(35) if not 10 <= index < 20}
    assert tasks >= others | {added.task}
    assert rebuilt or len(tasks) == 36
    assert not report.ok
    assert report.problems[0].segment == SEALED
