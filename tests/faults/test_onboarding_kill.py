"""A sample of the unbrickability drill with every change; `make drill` runs all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(300)
def test_whatever_is_killed_recovers_to_ready() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.drill_onboarding", "--short", "--json"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    score = json.loads(done.stdout)
    assert score["recovered"] == score["total"] >= 60
