"""Writes receipts from several threads until it is killed, and says each id after it is acknowledged."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from lancelot.store.ledger import ReceiptStore
from lancelot.store.receipts import Receipt, new_id


def main(folder: Path, threads: int) -> None:
    store = ReceiptStore(folder, seal_at=500)

    def write() -> None:
        while True:
            receipt = store.write(Receipt(request_id=new_id(), task="killed", lane="fast", reasons=["x" * 50]))
            os.write(1, receipt.id.encode() + b"\n")

    for _ in range(threads):
        threading.Thread(target=write).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
