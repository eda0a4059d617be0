"""Installing 100 MB is at least as fast as downloading it with curl and hashing it afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.bench.fetch import compare


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_fetch_keeps_up_with_curl_and_sha256sum(tmp_path: Path) -> None:
    found = compare(tmp_path)
    print(json.dumps(found))
    assert found["ratio"] <= 1.0
