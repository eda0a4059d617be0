"""A stand-in for the local service that starts at once and misbehaves on demand.

python fake_brain.py --folder F --announce A --log L. It obeys files in F: `refuse` ends it at start, `slow` keeps it
starting, `hang` stops it answering, `stalled` makes /health say so. It notes each start in F/starts, and F/left when
its standard input was closed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("folder", "announce", "log"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    folder: Path = given.folder
    with (folder / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    if (folder / "refuse").exists():
        sys.exit(3)
    let_go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (folder / "hang").exists():
                let_go.wait()
            status = "starting" if (folder / "slow").exists() else "ready"
            status = "stalled" if (folder / "stalled").exists() else status
            body = json.dumps({"service": "lancelot-local-model", "status": status}).encode()
            self.send_response(200 if status == "ready" else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = json.dumps({"base_url": f"http://127.0.0.1:{server.server_port}", "pid": os.getpid()})
    draft = given.announce.with_suffix(".draft")
    draft.write_text(told)
    draft.replace(given.announce)

    def watch() -> None:
        while os.read(0, 1024):
            continue
        (folder / "left").touch()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
