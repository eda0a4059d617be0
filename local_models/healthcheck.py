"""A container's health check: one GET, exit 0 for a 2xx answer, 1 for anything else. Standard library only.

`python -m local_models.healthcheck [URL]`; without URL the local model's own /health on LANCELOT_LOCAL_PORT.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

__all__ = ["healthy", "main"]

DEFAULT_PORT = "8090"


def healthy(url: str, *, timeout_s: float = 4.0) -> bool:
    """Whether the address answers with 2xx; proxies are left out, it is this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            return 200 <= int(answer.status) < 300
    except (urllib.error.URLError, OSError, ValueError):
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    port = os.environ.get("LANCELOT_LOCAL_PORT", DEFAULT_PORT)
    return 0 if healthy(given[0] if given else f"http://127.0.0.1:{port}/health") else 1


if __name__ == "__main__":
    sys.exit(main())
