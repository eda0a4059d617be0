"""Random requests at every route: whatever arrives, no answer is an unexpected 5xx, and every refusal explains itself.

LANCELOT_FUZZ_EXAMPLES says how many a route (`make fuzz`: enough for 20,000 in all); a few in every `make test`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings

from lancelot.api.app import create_app
from lancelot.services import build_services
from tests.api.conftest import Gateway, serve
from tests.e2e.harness import NO_NETWORK
from tests.fakes import FakeProvider

EXAMPLES = int(os.environ.get("LANCELOT_FUZZ_EXAMPLES", "0")) or 6
DOCUMENTED = {503, 504, 502}  # not ready, the store, the local model, the provider: each with code, title and hint
FUZZED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES < 50
)
ASKED: Counter[str] = Counter()  # cases by route; a route that takes nothing has few different ones
pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("fuzz"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]


def description() -> dict[str, Any]:
    return create_app(lambda: pytest.fail("no services are built for the description")).openapi()


SCHEMA = schemathesis.openapi.from_dict(description())
LEFT_OUT = {
    "/onboarding/events",  # an endless stream: tests/onboarding/test_api.py reads it
    "/system/demo",  # a random number of receipts may be twenty million: tests/test_demo.py makes some
    "/system/backup",  # writes wherever it is told: tests/test_backup.py
    "/router/export",  # the same: tests/store/test_export.py
}
SERVED_BY_FAKES = ("/v1/", "/router/", "/usage/", "/approvals")


@contextmanager
def real_services(folder: Path) -> Iterator[tuple[str, str]]:
    """Everything as in the product on an empty data folder, without a network; address and token."""
    app = create_app(build_services)
    started = threading.Event()

    class Announcing(uvicorn.Server):
        async def startup(self, *args: Any, **kwargs: Any) -> None:
            await super().startup(*args, **kwargs)
            started.set()

    server = Announcing(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    assert started.wait(60)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", (folder / "token").read_text().strip()
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Where a path is served: gateway and records by fakes that are ready, the rest by the real services."""
    folder = tmp_path_factory.mktemp("fuzz")
    kept = dict(os.environ)
    os.environ |= NO_NETWORK | {"LANCELOT_DATA_DIR": str(folder / "real"), "LANCELOT_UPKEEP": "off"}
    os.chdir(folder)
    try:
        with serve(folder / "fakes", FakeProvider("Understood.")) as gateway, real_services(folder / "real") as real:
            yield lambda path: place(path, gateway, real)
    finally:
        os.chdir(Path(__file__).parents[2])
        os.environ.clear()
        os.environ.update(kept)


def place(path: str, gateway: Gateway, real: tuple[str, str]) -> tuple[str, str]:
    return (gateway.url, gateway.token) if path.startswith(SERVED_BY_FAKES) else real


@SCHEMA.exclude(path=sorted(LEFT_OUT)).parametrize()
@FUZZED
def test_no_route_breaks(case: schemathesis.Case, doors: Callable[[str], tuple[str, str]]) -> None:
    url, token = doors(case.path)
    impatient(case)
    ASKED[f"{case.method} {case.path}"] += 1
    answer = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    told = f"{case.method} {case.path} -> {answer.status_code} {answer.content[:300]!r}"
    assert answer.status_code < 500 or answer.status_code in DOCUMENTED, told
    if answer.status_code >= 400 and case.path != "/system/ready":  # its refusal is the list of what is missing
        body = answer.json()
        shown = body.get("error", body)
        assert all(shown.get(field) for field in ("code", "title", "hint")), told
        assert shown["code"] != "internal", told
    assert b"Traceback" not in answer.content, told


def impatient(case: schemathesis.Case) -> None:
    """Nobody here decides an approval, so nobody waits for one."""
    for part in (case.body, case.query):
        if isinstance(part, dict) and "wait_s" in part:
            part["wait_s"] = 0
    if case.headers:
        for name in list(case.headers):
            if name.lower() in ("x-lancelot-wait", "x-lancelot-deadline", "host", "origin"):
                del case.headers[name]


def test_the_surface_is_whole() -> None:
    """Every route of the description is fuzzed, or named above with its reason."""
    offered = {operation.ok().path for operation in SCHEMA.get_all_operations()}
    assert offered >= LEFT_OUT
    assert len(offered - LEFT_OUT) >= 25


@pytest.mark.skipif(EXAMPLES < 500, reason="few cases in every `make test`; `make fuzz` asks for all")
def test_enough_was_asked() -> None:
    """The last test of `make fuzz`: at least 20,000 cases, whatever number a route was given."""
    print(f"\n{ASKED.total():,} cases: {dict(ASKED.most_common())}")
    assert ASKED.total() >= 20_000
