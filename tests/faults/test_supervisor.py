"""The local service dies, hangs, refuses to start; the supervisor notices, says so, and brings it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from lancelot.brain.launch import Launch
from lancelot.brain.states import TRANSITIONS, BrainState, BrainStatus
from lancelot.brain.supervisor import Supervisor, Timings

FAKE = Path(__file__).with_name("fake_brain.py")
QUICK = Timings(probe_every=0.1, probe_timeout=0.5, poll=0.02, start=20.0, first_wait=0.05, longest_wait=0.2, grace=5.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fake").mkdir()
    return tmp_path / "fake"


def launch(folder: Path) -> Launch:
    return Launch((sys.executable, str(FAKE), "--folder", str(folder)), "fake-model", "as-is")


@pytest.fixture
def keeper(folder: Path, tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(lambda: launch(folder), tmp_path / "data", timings=QUICK)
    yield made
    made.stop()


def until(told: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition; the supervisor's own thread is what we wait for."""
    gate = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if told():
            return
        gate.wait(0.01)
    raise AssertionError("it did not happen")


def starts(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "starts").read_text().split()]


def ready_pid(keeper: Supervisor) -> int:
    assert keeper.wait_ready(30)
    pid = keeper.status().pid
    assert pid is not None
    return pid


def test_it_starts_once_and_says_where(keeper: Supervisor, folder: Path) -> None:
    keeper.start()
    keeper.start()
    pid = ready_pid(keeper)
    status = keeper.status()
    assert status.state is BrainState.READY
    assert status.base_url == keeper.base_url
    assert httpx.get(f"{status.base_url}/health").json()["status"] == "ready"
    assert (status.model_id, status.weight_format, status.restarts) == ("fake-model", "as-is", 0)
    assert status.rss_mb is not None
    assert status.rss_mb > 1
    assert starts(folder) == [pid]
    assert status.to_dict()["state"] == "ready"


def test_kill_9_is_noticed_and_mended(keeper: Supervisor, folder: Path) -> None:
    keeper.start()
    for count in (1, 2, 3):
        pid = ready_pid(keeper)
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: keeper.status().pid != pid)
        assert ready_pid(keeper) != pid
        assert keeper.status().restarts == count
        assert keeper.status().last_error == "killed by SIGKILL"
    assert len(starts(folder)) == 4


def test_a_hang_is_noticed_and_the_hung_process_is_gone(keeper: Supervisor, folder: Path) -> None:
    keeper.start()
    pid = ready_pid(keeper)
    (folder / "hang").touch()
    until(lambda: keeper.base_url is None)
    (folder / "hang").unlink()
    assert ready_pid(keeper) != pid
    assert not psutil.pid_exists(pid)
    assert "does not answer" in (keeper.status().last_error or "")


def test_a_stopped_process_counts_as_hung(keeper: Supervisor) -> None:
    keeper.start()
    pid = ready_pid(keeper)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: keeper.base_url is None)
    assert ready_pid(keeper) != pid
    assert not psutil.pid_exists(pid)


def test_a_stalled_engine_is_replaced(keeper: Supervisor, folder: Path) -> None:
    keeper.start()
    pid = ready_pid(keeper)
    (folder / "stalled").touch()
    until(lambda: keeper.base_url is None)
    (folder / "stalled").unlink()
    assert ready_pid(keeper) != pid
    assert keeper.status().last_error == "stalled"


def test_a_service_that_cannot_start_is_tried_with_pauses_and_recovers(keeper: Supervisor, folder: Path) -> None:
    (folder / "refuse").touch()
    keeper.start()
    until(lambda: keeper.status().state is BrainState.FAILED)
    assert keeper.status().last_error == "ended by itself with code 3"
    assert keeper.status().restarts >= QUICK.give_up_after
    assert not keeper.wait_ready(0.1)
    (folder / "refuse").unlink()
    until(lambda: keeper.status().state is BrainState.READY)


def test_without_weights_it_is_absent_until_told(tmp_path: Path, folder: Path) -> None:
    installed = threading.Event()
    keeper = Supervisor(lambda: launch(folder) if installed.is_set() else None, tmp_path, timings=QUICK)
    try:
        keeper.start()
        assert not keeper.wait_ready(30)
        assert keeper.status().state is BrainState.ABSENT
        assert keeper.base_url is None
        installed.set()
        keeper.start()
        assert keeper.wait_ready(30)
    finally:
        keeper.stop()


def test_stop_ends_the_child_and_start_brings_another(keeper: Supervisor, folder: Path) -> None:
    keeper.start()
    pid = ready_pid(keeper)
    keeper.stop()
    assert keeper.status().state is BrainState.STOPPED
    assert not psutil.pid_exists(pid)
    keeper.stop()
    keeper.start()
    assert ready_pid(keeper) != pid
    assert keeper.status().restarts == 0


def test_restart_on_wish_is_no_failure(keeper: Supervisor, folder: Path) -> None:
    keeper.start()
    pid = ready_pid(keeper)
    keeper.restart()
    assert ready_pid(keeper) != pid
    assert keeper.status().restarts == 0
    assert not psutil.pid_exists(pid)


def test_a_start_that_takes_for_ever_is_given_up(folder: Path, tmp_path: Path) -> None:
    (folder / "slow").touch()
    hasty = Timings(probe_every=0.05, poll=0.02, start=0.5, first_wait=0.05, longest_wait=0.1, grace=5.0)
    keeper = Supervisor(lambda: launch(folder), tmp_path, timings=hasty)
    try:
        keeper.start()
        until(lambda: keeper.status().restarts >= 1)
        assert "not ready after" in (keeper.status().last_error or "")
    finally:
        keeper.stop()


def test_a_command_that_does_not_exist_is_an_error_in_words(tmp_path: Path) -> None:
    keeper = Supervisor(lambda: Launch((str(tmp_path / "nothing"),)), tmp_path, timings=QUICK)
    try:
        keeper.start()
        until(lambda: keeper.status().restarts >= 1)
        assert "nothing" in (keeper.status().last_error or "")
    finally:
        keeper.stop()


def test_the_child_dies_with_its_parent(folder: Path, tmp_path: Path) -> None:
    """The parent is killed with SIGKILL: no handler of ours can run."""
    program = f"""
import sys, time
from pathlib import Path
from lancelot.brain.launch import Launch
from lancelot.brain.supervisor import Supervisor
argv = (sys.executable, {str(FAKE)!r}, "--folder", {str(folder)!r})
keeper = Supervisor(lambda: Launch(argv), Path({str(tmp_path)!r}))
keeper.start()
assert keeper.wait_ready(60)
print(keeper.status().pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
        until(lambda: (folder / "left").exists())
        until(lambda: not psutil.pid_exists(child))


def test_the_log_is_a_file_and_its_tail_is_shown(keeper: Supervisor) -> None:
    assert keeper.log_tail() == []
    keeper.log_path.parent.mkdir(parents=True, exist_ok=True)
    keeper.log_path.write_text("one\ntwo\nthree\n")
    assert keeper.log_tail(2) == ["two", "three"]
    assert keeper.log_path.parts[-2:] == ("logs", "local-model.log")


def test_the_table_names_every_state_and_stopped_is_always_reachable() -> None:
    assert set(TRANSITIONS) == set(BrainState)
    assert all(BrainState.STOPPED in after for state, after in TRANSITIONS.items() if state is not BrainState.STOPPED)
    assert BrainStatus(BrainState.STOPPED, 0.0).to_dict()["pid"] is None
