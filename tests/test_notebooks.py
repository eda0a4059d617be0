"""The analysts' notebooks run from top to bottom: on made-up receipts, on none, and beside a running writer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from lancelot.demo import seed
from lancelot.store.ledger import ReceiptStore

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
WRITER = """
import sys
from pathlib import Path
from lancelot.demo import demo_records
from lancelot.store.ledger import ReceiptStore
from lancelot.store.rows import decode
store = ReceiptStore(Path(sys.argv[1]), seal_at=300)
for number, record in enumerate(demo_records(200_000)):
    store.write(decode(record))
    if number == 500:
        print("going", flush=True)
"""

pytestmark = [
    pytest.mark.timeout(300),
    # the kernel client's own loop handling
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def run(path: Path) -> str:
    """Execute a notebook in a kernel of its own; returns all its text output."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": FOLDER}}).execute()
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            shown.append(output.get("text", "") or str(output.get("data", {})))
    return "\n".join(shown)


@pytest.fixture
def going_on(data_folder: Path) -> Iterator[None]:
    """Another process writes receipts meanwhile."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, data_folder], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"going\n"
    yield
    assert writer.poll() is None, "the writer has stopped by itself"
    writer.kill()
    writer.wait()
    writer.stdout.close()


def test_there_are_three() -> None:
    assert NAMES == ["01_router_receipts", "02_cost_and_token_pressure", "03_what_if_routing"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_outputs_are_stripped(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_on_made_up_receipts(data_folder: Path, path: Path) -> None:
    store = ReceiptStore(data_folder, seal_at=1000)
    seed(store, 4000, end=datetime(2026, 6, 20, tzinfo=UTC))
    store.close()
    shown = run(path)
    assert "4,000 journal lines" in shown
    assert "The chain of receipts holds." in shown
    if path.stem.startswith("02"):
        assert "agree" in shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_on_nothing(data_folder: Path, path: Path) -> None:
    assert "0 journal lines" in run(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_beside_a_writer(going_on: None, path: Path) -> None:
    assert "journal lines" in run(path)
