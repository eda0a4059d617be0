"""Serves the gateway with the clever flagship, for test suites that live in an environment of their own.

    python -m tests.api.serve_gateway FOLDER COMMAND…

runs COMMAND with LANCELOT_GATEWAY_URL and LANCELOT_GATEWAY_TOKEN set, then stops; exits with its code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.api import conftest as api
from tests.api.clever import clever
from tests.fakes import FakeProvider

__all__ = ["served"]


@contextmanager
def served(folder: Path) -> Iterator[api.Gateway]:
    """A gateway on loopback with its data in the folder."""
    make = api.gateway.__wrapped__ if hasattr(api.gateway, "__wrapped__") else api.gateway._get_wrapped_function()
    running = make(folder, FakeProvider(clever))
    yield next(running)
    next(running, None)


def main() -> int:
    folder, *command = sys.argv[1:]
    with served(Path(folder)) as gateway:
        given = {"LANCELOT_GATEWAY_URL": f"{gateway.url}/v1", "LANCELOT_GATEWAY_TOKEN": gateway.token}
        return subprocess.run(command, env=os.environ | given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
