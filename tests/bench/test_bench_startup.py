"""The console's start beside an empty Streamlit page's, in one run: `make run` is ready within 5 s more."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.e2e.harness import PROJECT, free_port

RUNS = 3
MORE_S = 5.0


def seconds_until_ready(script: Path | str, folder: Path, cwd: Path) -> float:
    """From the start of `streamlit run` to the first answered health check."""
    port, pause = free_port(), threading.Event()
    words = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    words += ["--server.address", "127.0.0.1", "--server.headless", "true"]
    env = os.environ | {"LANCELOT_DATA_DIR": str(folder), "LANCELOT_UPKEEP": "off"}
    began = time.perf_counter()
    child = subprocess.Popen(words, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            assert child.poll() is None, "it ended at once"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).status_code == 200:
                    return time.perf_counter() - began
            except httpx.HTTPError:
                pause.wait(0.02)
    finally:
        child.terminate()
        child.wait(20)


def test_the_console_starts_within_five_seconds_of_an_empty_page(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text("import streamlit as st\nst.title('Empty')\n")
    ours, theirs = [], []
    for _ in range(RUNS):
        theirs.append(seconds_until_ready(empty, tmp_path / "none", tmp_path))
        ours.append(seconds_until_ready("console", tmp_path / "data", PROJECT))
    more = statistics.median(ours) - statistics.median(theirs)
    print(f"\nempty page {statistics.median(theirs):.2f} s, console {statistics.median(ours):.2f} s, more {more:.2f} s")
    assert more < MORE_S
