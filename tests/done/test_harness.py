"""The runner itself: strict settings, markers, a red run that ends red."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KINDS = {"unit", "integration", "e2e", "fault", "bench"}


def settings() -> dict[str, object]:
    return dict(tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"])


def test_markers_exist_and_are_strict() -> None:
    markers = {str(line).split(":")[0] for line in list(settings()["markers"])}  # type: ignore[call-overload]
    assert markers >= KINDS
    assert "--strict-markers" in str(settings()["addopts"])


def test_warnings_are_errors() -> None:
    assert settings()["filterwarnings"] == ["error"]


def test_a_red_run_ends_red() -> None:
    script = (PROJECT / "scripts" / "test.sh").read_text()
    assert "set -euo pipefail" in script
    assert "||" not in script.splitlines()[-1]
    assert "pytest" in script.splitlines()[-1]


def test_a_failing_test_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_red.py").write_text("def test_red():\n    assert False\n")
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, timeout=100, check=False).returncode == 1
