"""Download, check and publish 100 MB on loopback: our installer beside `curl … && sha256sum`, turn by turn."""

from __future__ import annotations

import hashlib
import http.server
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_models.fetch_model import ensure_model
from tests.local_models.fetch_server import agreed, make_pin

__all__ = ["compare", "static_server"]

SIZE = 100_000_000


def serve(path: Path) -> None:
    """A server process that sends one file by sendfile; prints its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with path.open("rb") as file:
                self.send_response(200)
                self.send_header("Content-Length", str(path.stat().st_size))
                self.end_headers()
                self.wfile.flush()
                self.connection.sendfile(file)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


@contextmanager
def static_server(path: Path) -> Iterator[str]:
    """Address of the file, served by a process of its own."""
    child = subprocess.Popen([sys.executable, "-m", "tests.bench.fetch", str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/file"
    finally:
        child.terminate()
        child.wait()
        if child.stdout:
            child.stdout.close()


def compare(folder: Path, rounds: int = 7) -> dict[str, Any]:
    """Median seconds of both ways, and their ratio (below 1: we are faster)."""
    content = random.Random(7).randbytes(SIZE)
    source = folder / "source.bin"
    source.write_bytes(content)
    seconds: dict[str, list[float]] = {"curl": [], "ours": []}
    with static_server(source) as url:
        pin = make_pin(url, content=content)
        target = folder / "curl.bin"
        script = f"curl -s -o {target} {url} && sha256sum {target}"
        for number in range(rounds + 1):
            start = time.perf_counter()
            done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
            curl_s = time.perf_counter() - start
            assert done.stdout.split()[0] == hashlib.sha256(content).hexdigest()
            target.unlink()
            home = folder / f"ours-{number}"
            start = time.perf_counter()
            for _event in ensure_model(pin, home, consent=agreed(pin)):
                pass
            ours_s = time.perf_counter() - start
            shutil.rmtree(home)
            if number:  # the first round warms caches
                seconds["curl"].append(curl_s)
                seconds["ours"].append(ours_s)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "curl_and_sha256sum_s": round(median["curl"], 4),
        "ensure_model_s": round(median["ours"], 4),
        "ratio": round(median["ours"] / median["curl"], 3),
        "rounds": rounds,
    }


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
