"""One file that brings an installation back: receipts with their chain, database, set-up, settings of the data folder.

Left out are what can be fetched or made again (models, logs, the demonstration), texts reported to the redaction lab,
and, unless asked for, what must not lie around: provider keys, the operator's token, older copies of both. Keys that
are asked for are encrypted with a passphrase. Taken while the console runs, a backup is consistent: the database first,
then the chain's head, then the journal, which only grows.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pydantic import SecretStr

from lancelot.errors import BadInput, Conflict
from lancelot.files import Disk, as_store_error, lock_folder
from lancelot.redaction.misses import FILE_NAME as REPORTED_MISSES
from lancelot.sealed_keys import seal, unseal
from lancelot.store.chain import verify
from lancelot.store.ledger import ReceiptStore
from lancelot.store.lines import read_lines
from local_models.tier import choice_file

__all__ = ["FORMAT", "backup", "restore"]

FORMAT = 1
MANIFEST = "manifest.json"
LEFT_OUT_FOLDERS = {"models", "logs", "run", "tmp", "demo", "repairs"}  # repairs/ holds copies of keys
CHOSEN_MODEL = choice_file(Path("models")).as_posix()  # which model is meant; the weights themselves stay out
SECRETS = ("credentials.json", "token")
SEALED = "keys.sealed"
CONFIG = "config"
DATABASE = "lancelot.duckdb"
HEAD = "journal.head"
LOCK = "lancelot.lock"


def backup(
    data_dir: Path,
    target: Path,
    *,
    receipts: ReceiptStore | None = None,
    passphrase: SecretStr | None = None,
    config_dir: Path | None = None,
) -> dict[str, Any]:
    """Write a backup to `target` (a .tar.gz, mode 0600); it appears whole or not at all.

    Args:
        receipts: the open store when this process is the one that holds it; else the folder is opened for the time.
        passphrase: put provider keys and the operator's token in, encrypted with it; None leaves them out.
        config_dir: the folder of the YAML files, which go along.

    Returns:
        {"path", "bytes", "files", "receipts", "secrets"}

    Raises:
        Conflict: another process holds the data folder.
        BadInput: the passphrase is too short.
        StoreError, DiskFull: it cannot be written; an older file of that name is untouched.
    """
    with ExitStack() as stack:
        if receipts is None:
            lock = lock_folder(data_dir)
            stack.callback(lock.release)
            receipts = ReceiptStore(data_dir)
            stack.callback(receipts.close)
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            manifest = _write(data_dir, temporary, receipts, passphrase, config_dir)
            disk = Disk()
            with temporary.open("rb") as file:
                disk.fsync(file.fileno())
            disk.rename(temporary, target)
            disk.fsync_folder(target.parent)
        except OSError as problem:
            raise as_store_error(problem, target) from problem
        finally:
            temporary.unlink(missing_ok=True)  # gone already where it became the backup
    return {
        "path": str(target),
        "bytes": target.stat().st_size,
        "files": len(manifest["files"]),
        "receipts": manifest["receipts"],
        "secrets": passphrase is not None,
    }


def restore(
    source: Path,
    data_dir: Path,
    *,
    replace: bool = False,
    passphrase: SecretStr | None = None,
    without_keys: bool = False,
) -> dict[str, Any]:
    """Bring a backup back into `data_dir`. Everything is unpacked and checked beside it first, then moved in.

    Args:
        replace: move existing receipts and settings aside (data_dir.before-restore-<time>) instead of refusing.

        passphrase: what opens the keys, when there are some.
        without_keys: leave the keys in the backup where they are.

    Returns:
        {"data_dir", "files", "receipts", "chain_ok", "problem", "moved_to", "secrets", "config"}: `config` is
        the folder with the YAML files of the backup's time, to compare with the present ones; none comes into force.

    Raises:
        BadInput: the file is no backup, is damaged, was made by a newer Lancelot, or its keys do not open.
        Conflict: the folder is in use, or holds an installation already.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{data_dir.name}.restore-", dir=data_dir.parent) as scratch:
        unpacked = Path(scratch) / "data"
        manifest = _unpack(source, unpacked)
        opened = _open_keys(unpacked, passphrase, without_keys)
        report = verify(unpacked, full=True)
        moved = _make_room(data_dir, replace)
        try:
            Disk().rename(unpacked, data_dir)
            Disk().fsync_folder(data_dir.parent)
        except OSError as problem:
            raise as_store_error(problem, data_dir) from problem
    if moved is not None and (moved / "models").is_dir():
        (moved / "models").rename(data_dir / "models")  # need not be fetched again
    return {
        "data_dir": str(data_dir),
        "files": len(manifest["files"]),
        "receipts": manifest["receipts"],
        "chain_ok": report.ok,
        "problem": report.problems[0].words() if report.problems else None,
        "moved_to": str(moved) if moved else None,
        "secrets": opened,
        "config": str(data_dir / CONFIG) if (data_dir / CONFIG).is_dir() else None,
    }


# ---- writing


def _write(
    data_dir: Path, temporary: Path, receipts: ReceiptStore, passphrase: SecretStr | None, config_dir: Path | None
) -> dict[str, Any]:
    files: dict[str, str] = {}
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        receipts.quiet(),
        tempfile.TemporaryDirectory() as scratch,
        os.fdopen(descriptor, "wb") as raw,
        tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as archive,
    ):
        copy = Path(scratch) / DATABASE
        receipts.database.copy_to(copy)
        _add(archive, files, DATABASE, copy.read_bytes())
        if (data_dir / HEAD).exists():
            _add(archive, files, HEAD, (data_dir / HEAD).read_bytes())
        if passphrase is not None:
            kept = {name: (data_dir / name).read_bytes().decode() for name in SECRETS if (data_dir / name).is_file()}
            _add(archive, files, SEALED, seal(orjson.dumps(kept), passphrase))
        for path in sorted(config_dir.glob("*.yaml")) if config_dir is not None else []:
            _add(archive, files, f"{CONFIG}/{path.name}", path.read_bytes())
        for path in _files(data_dir):
            name = path.relative_to(data_dir).as_posix()
            _add(archive, files, name, _whole_lines(path) if path.suffix == ".jsonl" else path.read_bytes())
        manifest = {
            "format": FORMAT,
            "made_at": datetime.now(UTC).isoformat(),
            "receipts": receipts.journal.head.n,
            "secrets": passphrase is not None,
            "files": files,
        }
        _add(archive, {}, MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return manifest


def _files(data_dir: Path) -> Iterator[Path]:
    for path in sorted(data_dir.rglob("*")):
        inside = path.relative_to(data_dir)
        left_out = inside.parts[0] in LEFT_OUT_FOLDERS and inside.as_posix() != CHOSEN_MODEL
        if left_out or any(part.startswith(".") for part in inside.parts):
            continue
        if not path.is_file() or path.is_symlink() or path.suffix in (".lock", ".tmp"):
            continue
        if (
            path.name.startswith((DATABASE, REPORTED_MISSES, *SECRETS))
            or path.name == HEAD
            or inside.parts[0] == CONFIG
        ):
            continue
        yield path


def _whole_lines(path: Path) -> bytes:
    """An open segment's finished lines; the one being written is not ours yet."""
    return b"".join(line + b"\n" for _, line in read_lines(path))


def _add(archive: tarfile.TarFile, files: dict[str, str], name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    archive.addfile(entry, io.BytesIO(content))
    files[name] = hashlib.sha256(content).hexdigest()


# ---- reading


def _unpack(source: Path, target: Path) -> dict[str, Any]:
    found: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(source, "r:gz") as archive:
            for entry in archive:
                content = _content(archive, entry)
                if entry.name == MANIFEST:
                    manifest = orjson.loads(content)
                    continue
                found[entry.name] = hashlib.sha256(content).hexdigest()
                _place(target / entry.name, content)
    except FileNotFoundError:
        raise BadInput("There is no such backup file.", code="not_found", hint="Check the path.") from None
    except (tarfile.TarError, OSError, EOFError, ValueError) as problem:
        raise BadInput("This file is no backup, or it is damaged.", code="bad_backup") from problem
    if manifest is None or manifest.get("files") != found:
        raise BadInput("The backup is damaged: its contents do not match its manifest.", code="bad_backup")
    if manifest.get("format") != FORMAT:
        raise BadInput("The backup was made by another Lancelot.", code="bad_backup", hint="Use that version.")
    return manifest


def _open_keys(unpacked: Path, passphrase: SecretStr | None, without_keys: bool) -> bool:
    """Put the sealed keys in their places; whether there were any."""
    path = unpacked / SEALED
    if not path.exists():
        return False
    sealed = path.read_bytes()
    path.unlink()
    if without_keys:
        return False
    if passphrase is None:
        raise BadInput(
            "The backup holds keys, and they are encrypted.",
            code="passphrase_needed",
            hint="Set LANCELOT_BACKUP_PASSPHRASE, or restore without them (--without-keys).",
        )
    for name, text in orjson.loads(unseal(sealed, passphrase)).items():
        if name in SECRETS:
            _place(unpacked / name, text.encode())
    return True


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    path = PurePosixPath(entry.name)
    if not entry.isfile() or path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(entry.name)
    file = archive.extractfile(entry)
    return file.read() if file is not None else b""


def _place(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _make_room(data_dir: Path, replace: bool) -> Path | None:
    """Move what is there aside; None when there was nothing."""
    if not data_dir.exists():
        return None
    lock = lock_folder(data_dir)  # nobody else may be using it
    try:
        if not any(path.name not in (LOCK, *LEFT_OUT_FOLDERS) for path in data_dir.iterdir()):
            replace = True
        if not replace:
            raise Conflict(
                "This data folder holds an installation already.",
                code="data_folder_not_empty",
                hint="Choose an empty folder with --data-dir, or say that it may be moved aside.",
            )
        moved = data_dir.with_name(f"{data_dir.name}.before-restore-{time.time_ns()}")
        try:
            data_dir.rename(moved)
        except OSError as problem:
            raise as_store_error(problem, data_dir) from problem
    finally:
        lock.release()
    return moved
