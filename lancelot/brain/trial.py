"""A service run aside, for a moment, to see whether a model works before it takes the other one's place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lancelot.brain.child import Child, Probe
from lancelot.brain.launch import Launch
from local_models.errors import EngineFailed

__all__ = ["running_aside"]

PATIENCE_S = 90.0
LOOK_EVERY_S = 0.1


@contextmanager
def running_aside(launch: Launch, data_dir: Path, *, patience_s: float = PATIENCE_S) -> Iterator[str]:
    """The base URL of a second service while the block runs; it is ended for certain afterwards.

    Raises:
        EngineFailed: it ended, reported a failure, or was not ready after patience_s seconds.
    """
    child = Child(launch.argv, data_dir / "run" / "trial.json", data_dir / "logs" / "local-model-trial.log")
    probe = Probe(2.0)
    try:
        until = time.monotonic() + patience_s
        while True:
            address = child.address()
            heard = probe.ask(address) if address else "starting"
            if address and heard == "ready":
                break
            if child.exit_code() is not None or heard.startswith("failed") or time.monotonic() > until:
                raise EngineFailed(
                    f"{launch.model_id} does not start on this machine.",
                    hint="What ran before goes on running; logs/local-model-trial.log says more.",
                    code="model_does_not_start",
                )
            time.sleep(LOOK_EVERY_S)
        yield address
    finally:
        probe.close()
        child.end(2.0)
