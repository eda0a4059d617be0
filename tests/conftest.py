"""What every test gets: a data folder of its own, markers by folder, the asyncio backend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

FOLDER_MARKS = {"e2e": "e2e", "faults": "fault", "bench": "bench"}
KINDS = {"unit", "integration", "e2e", "fault", "bench"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; whatever has no kind is a unit test."""
    here = Path(__file__).parent
    for item in items:
        top = item.path.relative_to(here).parts[0]
        if top in FOLDER_MARKS:
            item.add_marker(FOLDER_MARKS[top])
        if not KINDS & {mark.name for mark in item.iter_markers()}:
            item.add_marker("unit")


# `make test` looks at the same examples each time, so that a red run is red for everybody; `make fuzz` looks for more
settings.register_profile("test", derandomize=True, deadline=None)
if not os.environ.get("LANCELOT_FUZZ_EXAMPLES"):
    settings.load_profile("test")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own; nothing a test does touches the project's data/."""
    folder = tmp_path / "data"
    monkeypatch.setenv("LANCELOT_DATA_DIR", str(folder))
    for name in [name for name in os.environ if name.startswith("LANCELOT_") and name not in KEPT]:
        monkeypatch.delenv(name)
    return folder


KEPT = {
    "LANCELOT_DATA_DIR",
    "LANCELOT_REAL_MODEL",
    "LANCELOT_TEST_MODELS",
    "LANCELOT_LIVE_OPENAI_KEY",
    "LANCELOT_LIVE_ANTHROPIC_KEY",
    "LANCELOT_LIVE_GEMINI_KEY",
}
