"""kill -9 while receipts are written: every acknowledged one is there, and the database opens."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lancelot.store.ledger import ReceiptStore

KILLS = 20
WRITER = Path(__file__).with_name("receipt_writer.py")


def write_until_killed(folder: Path, acknowledged: int) -> set[str]:
    """Start a writer, kill it once it has acknowledged so many receipts; returns all ids it has acknowledged."""
    writer = subprocess.Popen([sys.executable, WRITER, folder, "6"], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    said = [next(writer.stdout) for _ in range(acknowledged)]
    writer.kill()
    said += writer.stdout.readlines()
    writer.stdout.close()
    writer.wait()
    return {line.decode().strip() for line in said if line.endswith(b"\n")}


@pytest.mark.timeout(600)
def test_no_acknowledged_receipt_is_lost_in_20_kills(tmp_path: Path) -> None:
    kills = int(os.environ.get("RECEIPT_KILLS", KILLS))
    chance = random.Random(7)
    acknowledged: set[str] = set()
    for _ in range(kills):
        acknowledged |= write_until_killed(tmp_path, chance.randint(1, 400))
    store = ReceiptStore(tmp_path)
    kept = {name for (name,) in store.database.query("SELECT id FROM receipts WHERE task = 'killed'")}
    lost_lines = store.database.query("SELECT data FROM receipts WHERE data->>'event' = 'journal_lines_missing'")
    store.close()
    assert len(acknowledged) > kills
    assert acknowledged <= kept
    assert lost_lines == []
