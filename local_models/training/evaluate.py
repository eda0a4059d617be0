"""How good is an adapter? Start the service with it, hold the exam, print the result; two adapters side by side.

python -m local_models.training.evaluate --weights MODEL.gguf [--adapter A.gguf ...] [--items FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_models.errors import EngineFailed
from local_models.exam import golden_items, hold_exam, load_items
from local_models.healthcheck import healthy
from local_models.smoke_test import HttpAsk

__all__ = ["evaluate", "main"]

START_S = 120.0


def evaluate(weights: Path, adapter: Path | None, items_file: Path | None = None) -> dict[str, Any]:
    """The exam's result for these weights with this adapter (None: the stock model)."""
    items = load_items(items_file) if items_file else golden_items()
    with _service(weights, adapter) as url, HttpAsk(url) as ask:
        return hold_exam(items, ask)


@contextmanager
def _service(weights: Path, adapter: Path | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "address.json"
        command = [sys.executable, "-m", "local_models.service", "--weights", str(weights), "--announce", str(told)]
        command += ["--adapter", str(adapter)] if adapter else []
        child = subprocess.Popen([*command, "--log", str(Path(folder) / "log")])  # noqa: S603 - our own service
        try:
            yield _address(child, told)
        finally:
            child.terminate()
            child.wait()


def _address(child: subprocess.Popen[bytes], told: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until and child.poll() is None:
        if told.exists():
            url = str(json.loads(told.read_text())["base_url"])
            if healthy(f"{url}/health"):
                return url
        time.sleep(0.1)
    raise EngineFailed("The service did not start.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m local_models.training.evaluate", description="Compare adapters.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, action="append", default=[])
    parser.add_argument("--items", type=Path)
    given = parser.parse_args(arguments)
    for adapter in [None, *given.adapter]:
        result = evaluate(given.weights, adapter, given.items)
        print(adapter.name if adapter else "stock model")
        for task in result["tasks"]:
            print(f"  {task['task']:10} {task['score']:.3f}  {json.dumps(task['measures'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
