"""Commands as processes, and a server that owns the folder meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.harness import NO_NETWORK, PROJECT, free_port, lancelot

__all__ = ["Shell", "open_process", "serving"]

Done = subprocess.CompletedProcess[str]


class Shell:
    """Runs `lancelot …` on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, stdin: str | None = "") -> Done:
        """The command, whatever its exit code; no traceback may ever be seen."""
        done = lancelot(self.folder, *words, stdin=stdin, env=NO_NETWORK)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    def text(self, *words: str, stdin: str | None = "") -> str:
        """Standard output of a command that must succeed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str, stdin: str | None = "") -> Any:
        """The one JSON document of a command that must succeed."""
        said = self.text(*words, "--json", stdin=stdin)
        assert said.count("\n") == 1, said
        return json.loads(said)

    def lines(self, *words: str, items: list[str], code: int = 0) -> list[Any]:
        """The objects `--jsonl` writes for the given lines, one each."""
        done = self.run(*words, "--jsonl", stdin="\n".join(items) + "\n")
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def refused(self, *words: str, stdin: str | None = "") -> str:
        """The one line `code: title (hint)` of a command that must fail; standard output stays empty."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        code, _, rest = done.stderr.strip().partition(": ")
        assert code.replace("_", "a").isalnum(), done.stderr
        assert rest.endswith(")"), done.stderr
        assert " (" in rest, done.stderr
        return done.stderr


def open_process(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A command that runs while the test talks to it."""
    return subprocess.Popen(
        [sys.executable, "-m", "lancelot.cli", *words],
        cwd=PROJECT,
        env=os.environ | NO_NETWORK | {"LANCELOT_DATA_DIR": str(folder), "LANCELOT_UPKEEP": "off"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(folder: Path, until: str = "/system/health", patience_s: float = 110.0) -> Iterator[str]:
    """`lancelot serve` on a free port; yields its address, and ends it by Ctrl-C's kinder cousin, SIGTERM."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = open_process(folder, "serve", "--port", str(port))
    try:
        _wait(process, url + until, patience_s)
        yield url
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait(process: subprocess.Popen[str], url: str, patience_s: float) -> None:
    ends, pause = time.monotonic() + patience_s, threading.Event()
    while time.monotonic() < ends:
        assert process.poll() is None, process.communicate()
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        pause.wait(0.2)
    raise AssertionError(f"{url} did not come up in {patience_s} s")
