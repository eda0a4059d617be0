"""What an analyst beside it costs the gateway: its median with and without a notebook that asks once a second.

`python -m tests.bench.analyst [RECEIPTS]`, in turns on one server; callers and analyst share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.bulk import sealed_backlog
from tests.bench.gateway import ROWS, configuration, load, provision, upstream
from tests.e2e.harness import PROJECT, running_console

NOTEBOOK = """
import sys, time
from lancelot import analysis
connection = analysis.connect(sys.argv[1])
print("going", flush=True)
while True:
    began = time.monotonic()
    connection.execute("SELECT lane, count(*), sum(cost_usd) FROM receipts GROUP BY lane").fetchall()
    time.sleep(max(0.0, 1 - (time.monotonic() - began)))
"""


@contextmanager
def notebook(folder: Path) -> Iterator[None]:
    """A process that asks one aggregate a second."""
    process = subprocess.Popen([sys.executable, "-c", NOTEBOOK, folder], stdout=subprocess.PIPE, cwd=PROJECT)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def slowdown(count: int, *, rounds: int = 4, calls: int = 150) -> dict[str, float]:
    """{"alone_ms", "beside_ms", "ratio"}: medians of a single caller over rounds in turns."""
    times: dict[str, list[float]] = {"alone": [], "beside": []}
    with tempfile.TemporaryDirectory() as kept, upstream() as mock:
        folder = Path(kept) / "data"
        sealed_backlog(folder, count)
        provision(folder, mock)
        config = configuration(Path(kept) / "config", ROWS["with the name tagger"])
        env = {"LANCELOT_UPKEEP": "off", "LANCELOT_CONFIG_DIR": str(config)}
        with running_console(folder, Path(kept) / "console.log", env) as console:
            console.wait_ready()
            first = 0

            def median() -> float:
                nonlocal first
                first += calls
                return asyncio.run(load(f"{console.url}/v1", console.token(), "lancelot-fast", calls, 1, first))[
                    "p50_ms"
                ]

            median()
            for _ in range(rounds):
                times["alone"].append(median())
                with notebook(folder):
                    times["beside"].append(median())
    alone, beside = (statistics.median(times[kind]) for kind in ("alone", "beside"))
    return {"alone_ms": alone, "beside_ms": beside, "ratio": round(beside / alone, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipts", type=int, nargs="?", default=100_000)
    print(slowdown(parser.parse_args().receipts))


if __name__ == "__main__":
    main()
