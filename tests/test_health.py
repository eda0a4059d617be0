"""Liveness, readiness and the parts: each false case of each."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lancelot.api.system import router
from lancelot.health import LATE_RECEIPTS, LOW_DISK_BYTES, free_bytes, parts
from tests.api.conftest import serve
from tests.fakes import FakeProvider

BREAKER = {"state": "closed", "reason": "", "failures": 0, "ends_in_s": 0}
LANE = {"available": True, "why": None, "model": "m", "breaker": BREAKER}
WELL: dict[str, Any] = {
    "onboarding": {"state": "READY"},
    "local_model": {"state": "ready"},
    "lanes": {"fast": deepcopy(LANE), "deep": deepcopy(LANE)},
    "receipts": {"problem": None},
    "store": {"written": 3, "waiting": 0, "problem": None},
    "comms": {"label": "this machine", "verified": True},
    "config": {"problem": None},
}
PROBLEM = {"code": "x", "title": "It is so.", "hint": "Do that."}


def test_all_well() -> None:
    found = parts(WELL, LOW_DISK_BYTES)
    assert all(part.well for part in found.values())
    flagship = {"flagship_fast", "flagship_deep"}
    assert set(found) - flagship == {
        "set_up",
        "local_model",
        "receipts",
        "journal",
        "database",
        "comms",
        "configuration",
        "disk",
    }


@pytest.mark.parametrize(
    ("unwell", "where", "value"),
    [
        ("set_up", ("onboarding", "state"), "COMMS_VERIFY"),
        ("local_model", ("local_model", "state"), "starting"),
        ("local_model", ("local_model", "state"), "unreachable"),
        ("flagship_fast", ("lanes", "fast", "available"), False),
        ("flagship_deep", ("lanes", "deep", "breaker"), BREAKER | {"state": "open", "reason": "5 failures"}),
        ("receipts journal", ("receipts", "problem"), PROBLEM),
        ("receipts database", ("store", "problem"), PROBLEM),
        ("database", ("store", "waiting"), LATE_RECEIPTS + 1),
        ("comms", ("comms",), None),
        ("comms", ("comms", "verified"), False),
        ("configuration", ("config", "problem"), PROBLEM),
    ],
)
def test_one_part_is_unwell_and_the_others_are_not(unwell: str, where: tuple[str, ...], value: object) -> None:
    status = deepcopy(WELL)
    inner = status
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    found = parts(status, LOW_DISK_BYTES)
    assert {name for name, one in found.items() if not one.well} == set(unwell.split())
    assert all(one.why for one in found.values())


@pytest.mark.parametrize("free", [None, LOW_DISK_BYTES - 1])
def test_the_disk(free: int | None) -> None:
    assert not parts(WELL, free)["disk"].well


def test_a_folder_that_is_gone_has_no_figure(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "gone") is None
    assert free_bytes(tmp_path)


def test_live_but_not_ready(data_folder: Path) -> None:
    with serve(data_folder, FakeProvider()) as gateway:
        gateway.services.waiting_for = ["the local model is starting"]
        assert gateway.call("GET", "/system/health", token=None).status_code == 200
        refused = gateway.call("GET", "/system/ready", token=None)
        assert refused.status_code == 503
        assert refused.json()["missing"] == ["the local model is starting"]
        gateway.services.waiting_for = []
        assert gateway.call("GET", "/system/ready", token=None).status_code == 200


def test_the_three_are_three_routes() -> None:
    paths = {route.path for route in router.routes}  # type: ignore[attr-defined]
    assert {"/system/health", "/system/ready", "/system/health/parts"} <= paths
