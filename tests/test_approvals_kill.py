"""kill -9 anywhere in a decision: what waited still waits or was allowed as decided; nothing is allowed by a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lancelot.approvals import ApprovalQueue, State
from lancelot.errors import Conflict
from lancelot.store.ledger import ReceiptStore

PROJECT = Path(__file__).resolve().parents[1]
CHILD = """
    import os, signal, sys
    from pathlib import Path
    from lancelot.approvals import ApprovalQueue, Ask
    from lancelot.approvals.nouns import ToolCall
    from lancelot.files import Disk
    from lancelot.store.ledger import ReceiptStore

    folder, where = Path(sys.argv[1]), sys.argv[2]
    deciding = False

    def die(here):
        if deciding and here == where:
            os.kill(os.getpid(), signal.SIGKILL)

    class Deadly(Disk):
        def write(self, path, content, mode):
            die("before the file")
            return super().write(path, content, mode)

        def rename(self, source, target):
            die("before the rename")
            super().rename(source, target)
            die("after the rename")

    class Receipts(ReceiptStore):
        def write(self, receipt):
            die("before the receipt")
            kept = super().write(receipt)
            die("after the receipt")
            return kept

    queue = ApprovalQueue(folder, Receipts(folder), disk=Deadly())
    waiting = queue.ask(Ask(what="Pay", tools=(ToolCall(name="pay"),), idempotency_key="k"))
    print(waiting.id, flush=True)
    deciding = True
    queue.decide(waiting.id, "always")
    die("after the decision")
"""
# where it dies -> whether the decision holds, and how many receipts of it there are
PLACES = {
    "before the receipt": (State.PENDING, 0),
    "after the receipt": (State.PENDING, 1),
    "before the file": (State.PENDING, 1),
    "before the rename": (State.PENDING, 1),
    "after the rename": (State.ALLOWED, 1),
    "after the decision": (State.ALLOWED, 1),
}


@pytest.mark.parametrize("where", PLACES)
def test_a_decision_is_whole_or_has_not_happened(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "data"
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(folder), where],
        cwd=PROJECT, text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr
    state, receipts = PLACES[where]
    store = ReceiptStore(folder)
    try:
        queue = ApprovalQueue(folder, store)
        found = queue.get(child.stdout.strip())
        assert found.state is state
        assert len(queue.rules()) == (state is State.ALLOWED)
        assert len(store.page({"kind": "approval"})[0]) == receipts
        if state is State.PENDING:  # the person decides again; the rule is made then
            queue.decide(found.id, "always")
        queue.start(found.id)
        with pytest.raises(Conflict):
            queue.start(found.id)
        assert store.verify(full=True).ok
    finally:
        store.close()
