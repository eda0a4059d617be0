"""The gateway beside LiteLLM's proxy on one mock upstream: `python -m tests.bench.proxies --peer FOLDER`.

FOLDER is an environment with `pip install 'litellm[proxy]==1.106.2'`. One worker each, the gateway without pages, every
prompt distinct, about 1 KB, two pieces of personal data; receipts are fsynced. Rows: raw httpx, the gateway with rules
only and with the name tagger, the peer; one caller, then eight; all in one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.bench.gateway import ROWS, configuration, measure, upstream
from tests.e2e.harness import PROJECT, free_port

PEER_KEY = "sk-" + "bench" * 8  # it does not start without one
PEER = """\
model_list:
  - model_name: mock
    litellm_params: {{model: openai/mock, api_base: "{base}", api_key: none}}
"""


@contextmanager
def gateway(folder: Path, base: str, config: Path) -> Iterator[tuple[str, str]]:
    """(URL, token) of a gateway of its own process."""
    env = os.environ | {"LANCELOT_CONFIG_DIR": str(config)}
    words = [sys.executable, "-m", "tests.bench.serve_gateway", str(folder), base]
    child = subprocess.Popen(words, cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        url, token = child.stdout.readline().split()
        yield url, token
    finally:
        child.terminate()
        child.wait(20)


@contextmanager
def litellm(environment: Path, folder: Path, base: str) -> Iterator[tuple[str, float]]:
    """(URL, seconds until it answered) of LiteLLM's proxy."""
    config, port, pause = folder / "litellm.yaml", free_port(), threading.Event()
    config.write_text(PEER.format(base=base))
    words = [str(environment / "bin" / "litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    env = os.environ | {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": PEER_KEY,
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
    }
    began = time.perf_counter()
    child = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            assert child.poll() is None, "the peer ended at once"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health/liveliness", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pause.wait(0.1)
        yield f"http://127.0.0.1:{port}/v1", time.perf_counter() - began
    finally:
        child.terminate()
        child.wait(20)


def run(peer: Path | None, *, alone: int = 150, many: int = 500) -> dict[str, Any]:
    """All rows."""
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as kept, upstream() as base:
        table["raw httpx"] = measure(base, "none", "mock", alone=alone, many=many)
        for row in ("rules only", "with the name tagger"):
            config = configuration(Path(kept) / f"config {row}", ROWS[row])
            folder = Path(kept) / row
            folder.mkdir()
            with gateway(folder, base, config) as (url, token):
                table[f"gateway, {row}"] = measure(url, token, "lancelot-fast", alone=alone, many=many)
        if peer is not None:
            with litellm(peer, Path(kept), base) as (url, seconds):
                table["LiteLLM proxy"] = measure(url, PEER_KEY, "mock", alone=min(alone, 100), many=min(many, 300))
                table["LiteLLM proxy"]["start"] = {"seconds": round(seconds, 1)}
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="an environment that has litellm[proxy]")
    parser.add_argument("--alone", type=int, default=150)
    parser.add_argument("--many", type=int, default=500)
    given = parser.parse_args()
    for row, found in run(given.peer, alone=given.alone, many=given.many).items():
        one, eight = found["1 caller"], found["8 callers"]
        print(
            f"{row:<30} p50 {one['p50_ms']:7.2f} ms   eight callers {eight['per_s']:7.1f}/s  {found.get('start', '')}"
        )


if __name__ == "__main__":
    main()
