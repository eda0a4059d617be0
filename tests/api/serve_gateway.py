"""Serves the gateway with the clever flagship, for test suites that live in an environment of their own.

    python -m tests.api.serve_gateway FOLDER COMMAND…

runs COMMAND with LANCELOT_GATEWAY_URL and LANCELOT_GATEWAY_TOKEN set, then stops; exits with its code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.api.clever import clever
from tests.api.conftest import serve
from tests.fakes import FakeProvider


def main() -> int:
    folder, *command = sys.argv[1:]
    with serve(Path(folder), FakeProvider(clever)) as gateway:
        given = {"LANCELOT_GATEWAY_URL": f"{gateway.url}/v1", "LANCELOT_GATEWAY_TOKEN": gateway.token}
        return subprocess.run(command, env=os.environ | given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
