"""Backup and restore: everything comes back, a damaged file changes nothing, nothing is overwritten unasked."""

from __future__ import annotations

import io
import tarfile
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from lancelot import settings
from lancelot.backup import backup, restore
from lancelot.errors import BadInput, Conflict, DiskFull, LancelotError
from lancelot.files import lock_folder
from lancelot.redaction.misses import Misses
from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Receipt
from lancelot.store.tables import Exams
from lancelot.store.usage import UsageQueries
from local_models.tier import choice_file


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """25 receipts in segments of ten, an exam result, a setting, a secret, a model and a log."""
    folder = tmp_path / "data"
    store = ReceiptStore(folder, seal_at=10)
    for number in range(25):
        store.write(Receipt(request_id=f"r{number}", tokens_in=number, cost_usd="0.001"))
    Exams(store.database).add("classify", 0.9, 120)
    store.close()
    (folder / "onboarding").mkdir()
    (folder / "onboarding" / "onboarding.json").write_text('{"state": "READY"}')
    (folder / "credentials.json").write_text('{"openai": "a secret"}')
    (folder / "models").mkdir()
    (folder / "models" / "weights.gguf").write_bytes(b"big")
    (folder / "logs").mkdir()
    (folder / "logs" / "x.log").write_text("noise")
    return folder


def test_everything_comes_back(installation: Path, tmp_path: Path) -> None:
    made = backup(installation, tmp_path / "b.tar.gz")
    assert made["receipts"] == 25
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
    restored = restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert restored["chain_ok"], restored["problem"]
    store = ReceiptStore(tmp_path / "new")
    assert store.replayed == 0
    assert len(store.page(limit=100)[0]) == 25
    assert UsageQueries(store).summary()["totals"]["cost_usd"] == "0.025"
    assert Exams(store.database).latest()[0]["score"] == 0.9
    store.write(Receipt(request_id="after"))
    assert store.verify(full=True).ok
    store.close()
    assert (tmp_path / "new" / "onboarding" / "onboarding.json").read_text() == '{"state": "READY"}'


def test_the_choice_of_the_local_model_comes_back_without_its_weights(installation: Path, tmp_path: Path) -> None:
    content = b'{"model_id": "a-larger-one", "at": "2026-11-27T03:00:00+00:00"}'
    choice_file(installation / "models").write_bytes(content)
    backup(installation, tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert choice_file(tmp_path / "new" / "models").read_bytes() == content
    assert not (tmp_path / "new" / "models" / "weights.gguf").exists()


def test_models_logs_and_secrets_stay_out(installation: Path, tmp_path: Path) -> None:
    backup(installation, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = archive.getnames()
    assert "onboarding/onboarding.json" in names
    assert not [name for name in names if name.startswith(("models", "logs")) or "credentials" in name]


def test_texts_reported_to_the_redaction_lab_stay_out(installation: Path, tmp_path: Path) -> None:
    Misses(installation).report("Ask Wilhelmina", "Wilhelmina", "PERSON", agreed=True)
    backup(installation, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        held = [archive.extractfile(entry).read() for entry in archive]  # type: ignore[union-attr]
    assert not any(b"Wilhelmina" in content for content in held)


def test_copies_of_keys_stay_out_too(installation: Path, tmp_path: Path) -> None:
    (installation / "credentials.json.1").write_text('{"openai": "an older secret"}')
    (installation / "repairs" / "one").mkdir(parents=True)
    (installation / "repairs" / "one" / "0").write_text('{"openai": "a secret"}')
    backup(installation, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        held = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
    assert not [name for name, content in held.items() if b"secret" in content and name != "manifest.json"]


def test_keys_come_back_only_with_the_passphrase(installation: Path, tmp_path: Path) -> None:
    (installation / "token").write_text("lt_the-operator")
    right = SecretStr("correct horse battery")
    made = backup(installation, tmp_path / "s.tar.gz", passphrase=right)
    assert made["secrets"] is True
    with tarfile.open(tmp_path / "s.tar.gz") as archive:
        held = b"".join(archive.extractfile(entry).read() for entry in archive)  # type: ignore[union-attr]
    assert b"a secret" not in held
    assert b"lt_the-operator" not in held
    for wrong, code in ((None, "passphrase_needed"), (SecretStr("another passphrase"), "wrong_passphrase")):
        with pytest.raises(BadInput) as caught:
            restore(tmp_path / "s.tar.gz", tmp_path / "new", passphrase=wrong)
        assert caught.value.code == code
        assert not (tmp_path / "new").exists()
    assert restore(tmp_path / "s.tar.gz", tmp_path / "bare", without_keys=True)["secrets"] is False
    assert not (tmp_path / "bare" / "credentials.json").exists()
    assert restore(tmp_path / "s.tar.gz", tmp_path / "new", passphrase=right)["secrets"] is True
    assert (tmp_path / "new" / "credentials.json").read_text() == '{"openai": "a secret"}'
    assert (tmp_path / "new" / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "token").read_text() == "lt_the-operator"


def test_a_short_passphrase_is_refused_and_nothing_is_left(installation: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="12 characters"):
        backup(installation, tmp_path / "s.tar.gz", passphrase=SecretStr("short"))
    assert not list(tmp_path.glob("*s.tar.gz*"))


def test_the_configuration_goes_along_and_is_not_put_into_force(installation: Path, tmp_path: Path) -> None:
    backup(installation, tmp_path / "b.tar.gz", config_dir=settings.config_dir())
    restored = restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert restored["config"] == str(tmp_path / "new" / "config")
    for name in ("models.yaml", "router.yaml", "prices.yaml"):
        assert (tmp_path / "new" / "config" / name).read_text() == (settings.config_dir() / name).read_text()


def test_a_backup_taken_while_receipts_are_written_is_consistent(installation: Path, tmp_path: Path) -> None:
    store = ReceiptStore(installation, seal_at=10)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            store.write(Receipt(request_id="live"))

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for number in range(3):
            backup(installation, tmp_path / f"{number}.tar.gz", receipts=store)
            restored = restore(tmp_path / f"{number}.tar.gz", tmp_path / f"new{number}")
            assert restored["chain_ok"], restored["problem"]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
        store.close()
    again = ReceiptStore(tmp_path / "new2")
    assert again.journal.recovery.lost is None
    assert again.verify(full=True).ok
    again.close()


def test_an_installation_is_not_overwritten_unasked(installation: Path, tmp_path: Path) -> None:
    backup(installation, tmp_path / "b.tar.gz")
    with pytest.raises(Conflict) as refused:
        restore(tmp_path / "b.tar.gz", installation)
    assert refused.value.code == "data_folder_not_empty"
    restored = restore(tmp_path / "b.tar.gz", installation, replace=True)
    assert (Path(restored["moved_to"]) / "credentials.json").exists()
    assert (installation / "models" / "weights.gguf").read_bytes() == b"big"  # need not be fetched again
    assert (installation / "lancelot.duckdb").exists()


def test_a_folder_in_use_is_left_alone(installation: Path, tmp_path: Path) -> None:
    backup(installation, tmp_path / "b.tar.gz")
    lock = lock_folder(installation)
    with pytest.raises(Conflict):
        restore(tmp_path / "b.tar.gz", installation, replace=True)
    with pytest.raises(Conflict):
        backup(installation, tmp_path / "c.tar.gz")
    lock.release()
    assert not (tmp_path / "c.tar.gz").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "missing", "directory"])
def test_a_damaged_backup_changes_nothing(installation: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "b.tar.gz"
    backup(installation, path)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    elif damage == "text":
        path.write_text("not an archive")
    elif damage == "missing":
        path.unlink()
    else:
        path.unlink()
        path.mkdir()
    with pytest.raises(BadInput):
        restore(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".new*"))


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped-lancelot", "link"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        entry.size = 0
        archive.addfile(entry, io.BytesIO(b""))
    with pytest.raises(BadInput):
        restore(path, tmp_path / "new")
    assert not (tmp_path / "escaped").exists()


def test_a_target_that_cannot_be_written(installation: Path, tmp_path: Path) -> None:
    with pytest.raises(LancelotError) as refused:
        backup(installation, tmp_path / "nowhere" / "b.tar.gz")
    assert not isinstance(refused.value, DiskFull)
    store = ReceiptStore(installation)  # and the folder is free again
    store.close()
