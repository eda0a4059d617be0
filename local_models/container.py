"""What the `local-llm` container runs: wait for verified weights, then become the service.

The weights come into the shared volume in one of two ways: the console's set-up installs them after somebody agreed to
the licence there, or LANCELOT_ACCEPT_LICENCE names the licence (say `Apache-2.0`) and this process installs them.

    LANCELOT_LOCAL_HOST    bind address (default 127.0.0.1; the compose file says 0.0.0.0 inside the container)
    LANCELOT_LOCAL_PORT    port (default 8090)
    LANCELOT_MODELS_DIR    folder of the weights
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local_models.consent import Consent, read_consent
from local_models.errors import ModelError
from local_models.fetch_model import default_folder, ensure_model, verify_model, weights_path
from local_models.healthcheck import DEFAULT_PORT
from local_models.leftovers import clear_leftovers
from local_models.lockfile import Lock, PinnedModel, load_lock
from local_models.service import main as serve
from local_models.tier import chosen_model
from local_models.tune import choose_weights

__all__ = ["main", "service_arguments", "wait_for_weights"]

LOOK_EVERY_S = 2.0


def wait_for_weights(
    lock: Lock,
    folder: Path,
    accepted_licence: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> PinnedModel:
    """The chosen model, once its weights are there and verified; installs them when their licence is accepted.

    Raises:
        ModelError: the licence was accepted and the installation failed.
    """
    told = ""
    while True:
        pin = chosen_model(lock, folder)  # somebody may choose another one meanwhile
        if accepted_licence == pin.licence:
            for event in ensure_model(pin, folder, consent=Consent.given(pin)):
                if type(event).__name__ != "Progress":
                    say(f"{pin.id}: {type(event).__name__}")
            return pin
        if read_consent(weights_path(pin, folder).parent) is not None and verify_model(pin, folder):
            return pin
        if told != pin.id:
            say(f"Waiting for {pin.id}: install it in the console, or set LANCELOT_ACCEPT_LICENCE={pin.licence}.")
            told = pin.id
        sleep(LOOK_EVERY_S)


def service_arguments(lock: Lock, pin: PinnedModel, folder: Path, environ: Mapping[str, str]) -> list[str]:
    """The service's command line for these weights."""
    clear_leftovers(weights_path(pin, folder))
    adapter = lock.adapter_for(pin)
    choice = choose_weights(weights_path(pin, folder), adapter.path() if adapter else None)
    arguments = ["--weights", str(choice.weights), "--model-id", pin.id, "--format", choice.format]
    if choice.adapter is not None:
        arguments += ["--adapter", str(choice.adapter)]
    if choice.chat_weights is not None:
        arguments += ["--chat-weights", str(choice.chat_weights)]
    arguments += ["--host", environ.get("LANCELOT_LOCAL_HOST", "127.0.0.1")]
    return [*arguments, "--port", environ.get("LANCELOT_LOCAL_PORT", DEFAULT_PORT)]


def main() -> int:
    """Run until stopped; 1 when the weights cannot be installed."""
    lock, folder = load_lock(), default_folder()
    try:
        pin = wait_for_weights(lock, folder, os.environ.get("LANCELOT_ACCEPT_LICENCE", ""))
        serve(service_arguments(lock, pin, folder, os.environ))
    except ModelError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
