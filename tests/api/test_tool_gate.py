"""The example of an agent's tool gate, run as its own process against a served gateway."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lancelot.approvals import State
from tests.api.conftest import Gateway

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tool_gate.py"


def gate(gateway: Gateway, key: str, *, wait: float = 20.0) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(EXAMPLE), "--to", "anna.berg@example.com", "--amount", "40", "--key", key]
    env = os.environ | {"LANCELOT_URL": gateway.url, "LANCELOT_TOKEN": gateway.token}
    return subprocess.run(
        [*words, "--wait", str(wait)], env=env, text=True, capture_output=True, timeout=90, check=False
    )


def decided(gateway: Gateway, key: str, **decision: object) -> subprocess.CompletedProcess[str]:
    """The gate's end when a person decides while it waits."""
    found: list[subprocess.CompletedProcess[str]] = []
    running = threading.Thread(target=lambda: found.append(gate(gateway, key)))
    running.start()
    pause = threading.Event()
    while not (waiting := gateway.services.approvals.list(State.PENDING)):
        assert running.is_alive()
        pause.wait(0.02)
    answer = gateway.call("POST", f"/approvals/{waiting[0].id}/decision", json=decision)
    assert answer.status_code == 200, answer.text
    running.join(60)
    return found[0]


def test_allowed_it_runs_once_with_the_originals(gateway: Gateway) -> None:
    done = decided(gateway, "pay-1", decision="once")
    assert (done.returncode, done.stdout.strip()) == (0, "sent 40 to anna.berg@example.com")
    assert "anna.berg" not in (gateway.services.data_dir / "approvals.json").read_text()
    again = gate(gateway, "pay-1")
    assert again.returncode == 1
    assert "done" in again.stderr


def test_the_operator_may_change_what_is_done(gateway: Gateway) -> None:
    changed = [{"name": "send_money", "arguments": {"to": "<EMAIL_1>", "amount": 12}}]
    done = decided(gateway, "pay-2", decision="once", edited=changed, note="half of it, ask bob@example.com")
    assert done.stdout.strip() == "sent 12 to anna.berg@example.com"
    assert "bob@example.com" not in (gateway.services.data_dir / "approvals.json").read_text()


def test_denied_nothing_runs(gateway: Gateway) -> None:
    done = decided(gateway, "pay-3", decision="deny", note="not today")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not today" in done.stderr


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_time_never_approves(gateway: Gateway, seconds: float) -> None:
    done = gate(gateway, "pay-4", wait=seconds)
    assert done.returncode == 3
    assert "pending" in done.stderr
