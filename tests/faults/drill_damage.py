"""Every file of the data folder damaged in turn: the next start recovers, or says in words what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Receipt
from local_models.errors import ModelError
from local_models.gguf import GgufFile
from local_models.lockfile import default_lock_path, load_lock
from tests.faults.world import Section, World, told_in_words

__all__ = ["damage"]

Damage = Callable[[Path], None]


def instead(path: Path, content: bytes) -> None:
    """The file anew: the weights of all copies are one file, and only this copy's may change."""
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o600)


def garbage(path: Path) -> None:
    """The middle of the file becomes something else."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\xde\xad\xbe\xef" * 16
    instead(path, bytes(content))


def cut(path: Path) -> None:
    """The second half is gone."""
    content = path.read_bytes()
    instead(path, content[: len(content) // 2])


def header(path: Path) -> None:
    """The beginning is zeros, as after a power cut."""
    content = bytearray(path.read_bytes())
    content[:4096] = b"\0" * min(4096, len(content))
    instead(path, bytes(content))


def bad_wal(path: Path) -> None:
    """Beside the database lies a write-ahead log that is none."""
    path.with_name(f"{path.name}.wal").write_bytes(b"\xde\xad\xbe\xef" * 1024)


def one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    assert found, f"{pattern} is not there"
    return found[-1]


# file -> (pattern, damage, whether the chain of receipts must notice)
FILES: dict[str, tuple[str, Damage, bool]] = {
    "database, header": ("lancelot.duckdb", header, False),
    "database, cut off": ("lancelot.duckdb", cut, False),
    "database's WAL": ("lancelot.duckdb", bad_wal, False),
    "journal, open segment": ("journal/*.jsonl", garbage, True),
    "journal, cut off": ("journal/*.jsonl", cut, True),
    "sealed Parquet segment": ("journal/*.parquet", garbage, True),
    "chain's head": ("journal.head", garbage, False),
    "snapshot": ("onboarding/onboarding.json", garbage, False),
    "snapshot's counters": ("onboarding/guards.json", garbage, False),
    "keys of applications": ("keys.json", garbage, False),
    "provider key": ("credentials.json", garbage, False),
    "server's lock file": ("lancelot.lock", garbage, False),
    "weights": ("models/*/*.gguf", garbage, False),
}


def prepared(world: World) -> Path:
    """A folder with sealed segments, an open one and an application key."""
    folder = world.copy("damage")
    world.lancelot(folder, "keys", "add", "shop")
    store = ReceiptStore(folder, seal_at=20)
    for number in range(50):
        store.write(Receipt(request_id=f"r{number}"))
    store.flush()
    store.close()
    for sealed in (folder / "journal").glob("*.parquet"):  # as after the grace: no lines to seal it from again
        sealed.with_suffix(".jsonl").unlink(missing_ok=True)
    return folder


def damage(world: World, number: int = 0) -> Section:
    section = Section(
        "damage",
        "Damaged files",
        ("what is damaged", "status", "doctor", "after `--fix`", "receipts", "recovered or said in words"),
    )
    origin = prepared(world)
    with ThreadPoolExecutor(2) as two:
        for good, cells in two.map(lambda name: one_file(world, origin, name), FILES):
            section.add(good, *cells)
    shipped(section)
    return section


def one_file(world: World, origin: Path, name: str) -> tuple[bool, tuple[str, ...]]:
    """Four commands on a copy in which the file is damaged; whether all is well, and the table's cells."""
    pattern, hurt, noticed = FILES[name]
    folder = origin.with_name(f"hurt-{list(FILES).index(name)}")
    shutil.copytree(origin, folder, copy_function=copied)
    try:
        hurt(one(folder, pattern))
        status = world.lancelot(folder, "status", "--json")
        doctor = world.lancelot(folder, "doctor", "--json")
        receipts = world.lancelot(folder, "receipts", "verify", "--json")
        fixed = world.lancelot(folder, "doctor", "--fix", "--json")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    chain = json.loads(receipts.stdout)["ok"] if receipts.stdout else None
    good = all("Traceback" not in done.stderr for done in (status, doctor, receipts, fixed))
    good = good and bool(doctor.stdout and fixed.stdout)  # the doctor comes to its end
    good = good and (status.returncode == 0 or told_in_words(status))
    good = good and (not noticed or chain is False)
    state = json.loads(status.stdout)["onboarding"]["state"] if status.stdout else status.stderr.strip()[:70]
    whole = {True: "whole", False: "damage named", None: "-"}[chain]
    return good, (name, state, named(doctor), named(fixed), whole)


def named(doctor: subprocess.CompletedProcess[str]) -> str:
    """What the doctor complains of."""
    if not doctor.stdout:
        return doctor.stderr.strip()[:70]
    bad = [row["title"] for row in json.loads(doctor.stdout)["checks"] if not row["ok"]]
    return f"names {', '.join(bad)}" if bad else "all well"


def copied(source: str, target: str) -> str:
    """A file of the copy; the weights are large and stay one file."""
    if source.endswith(".gguf"):
        Path(target).hardlink_to(source)
        return target
    return shutil.copy2(source, target)


def shipped(section: Section) -> None:
    """What ships with the product: the models' lock file and the adapter."""
    with tempfile.TemporaryDirectory() as scratch:
        lock = Path(scratch) / "models.lock.yaml"
        lock.write_bytes(default_lock_path().read_bytes())
        cut(lock)
        section.add(*_said(lambda: load_lock(lock), "lock file of the models"))
        adapter = Path(scratch) / "adapter.gguf"
        adapter.write_bytes((default_lock_path().parent / "adapters" / "lancelot-utility-lora.gguf").read_bytes())
        header(adapter)
        section.add(*_said(lambda: GgufFile(adapter), "adapter"))


def _said(read: Callable[[], object], name: str) -> tuple[bool, str, str, str, str, str]:
    try:
        read()
    except ModelError as problem:
        return True, name, problem.code, problem.title[:70], "-", "-"
    return False, name, "taken as good", "-", "-", "-"
