"""The analysts' notebooks run from top to bottom: on made-up receipts, on none, and beside a running server."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from lancelot.demo import seed
from lancelot.store.ledger import ReceiptStore
from tests.cli.shell import serving

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]

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


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a server that carries out one request after the other."""
    folder, over = tmp_path_factory.mktemp("served") / "data", threading.Event()
    store = ReceiptStore(folder, seal_at=300)
    seed(store, 1000)
    store.close()
    done: list[int] = []

    def ask(url: str) -> None:
        bearer = {"Authorization": f"Bearer {(folder / 'token').read_text().strip()}"}
        with httpx.Client(headers=bearer, timeout=60, trust_env=False) as client:
            while not over.is_set():
                body = {"text": f"Mail anna{len(done)}@example.com"}
                done.append(client.post(f"{url}/v1/utility/redact", json=body).status_code)

    with serving(folder) as url:
        client = threading.Thread(target=ask, args=(url,))
        client.start()
        yield folder
        over.set()
        client.join()
    assert done
    assert set(done) == {200}
    shutil.rmtree(folder)


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
def test_beside_a_running_server(busy: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANCELOT_DATA_DIR", str(busy))
    shown = run(path)
    assert int(shown.split(" journal lines")[0].split()[-1].replace(",", "")) > 1000
    assert "The chain of receipts holds." in shown
