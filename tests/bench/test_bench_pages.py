"""With a million receipts every page is nearly as quick as an empty one; both are measured in the same run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench import pages

RECEIPTS = int(os.environ.get("BENCH_RECEIPTS", "1000000"))
MORE_LOAD_MS, MORE_RERUN_MS = 1500.0, 400.0


@pytest.mark.timeout(3600)
def test_every_page_is_nearly_as_quick_as_an_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path(pages.CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    given = os.environ.get("BENCH_DATA_DIR")  # a folder whose demo/ has been seeded already
    folder = Path(given) if given else pages.seeded(tmp_path / "data", RECEIPTS)
    empty, found = pages.measure(folder, tmp_path)
    with capsys.disabled():
        print(f"\n{pages.as_text(empty, found)}")
    slow = {
        address: one
        for address, one in found.items()
        if one.load_ms - empty.load_ms > MORE_LOAD_MS or one.rerun_ms - empty.rerun_ms > MORE_RERUN_MS
    }
    assert not slow, slow
