"""Long work on real threads: it goes on without anybody watching, stops when it should, is done by one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lancelot.errors import LancelotError
from lancelot.onboarding.progress import EventHub, ThreadRunner
from lancelot.onboarding.seams import Progress
from lancelot.onboarding.snapshot import ConsentClaim
from lancelot.onboarding.states import State
from tests.onboarding.fakes import FakeModel, World

PATIENCE_S = 60.0


class GatedModel(FakeModel):
    """An installation that waits at a gate in the middle, so that a test can act meanwhile."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.inside, self.gate, self.stopped = threading.Event(), threading.Event(), threading.Event()
        self.installs = 0

    def install(self, consent: ConsentClaim, report: Callable[[Progress], None], stop: Callable[[], bool]) -> None:
        self.installs += 1
        report(Progress("download", "fetching", 1, 2, 1.0, 1.0))
        self.inside.set()
        while not self.gate.wait(0.02):
            if stop():
                self.stopped.set()
                return
        super().install(consent, report, stop)


def wait_for(world: World, state: State) -> None:
    """Follow the events until the state is reached."""
    last = 0
    for _ in range(200):
        if world.flow.state is state and not world.flow.is_working:
            return
        fresh = world.flow.events.after(last, timeout_s=PATIENCE_S / 200)
        last = fresh[-1].id if fresh else last
    raise AssertionError(f"{state} was not reached; the set-up is at {world.flow.state}")


def threaded(data_folder: Path) -> tuple[World, GatedModel]:
    world = World(data_folder, runner=ThreadRunner(), model=lambda world: GatedModel(world.data_dir))
    world.flow.submit("WELCOME", {})
    world.flow.submit("FLAGSHIP_SELECTION", {"provider": "selfhosted"})
    world.flow.submit("CREDENTIALS_CAPTURE", {})
    wait_for(world, State.LOCAL_UTILITY_SETUP)
    return world, world.model


def test_a_submit_returns_at_once_and_the_work_goes_on(data_folder: Path) -> None:
    world, model = threaded(data_folder)
    status = world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    assert status["state"] == "LOCAL_UTILITY_SETUP"
    assert model.inside.wait(PATIENCE_S)
    shown = world.flow.status()
    assert shown["working"]
    assert (shown["progress"]["done"], shown["progress"]["total"]) == (1, 2)
    assert [row["standing"] for row in shown["progress"]["substeps"]][:2] == ["done", "running"]
    again = world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    assert "under way" in again["note"]
    model.gate.set()
    wait_for(world, State.COMMS_SELECTION)
    assert model.installs == 1
    world.flow.close()


def test_back_stops_the_work_and_nothing_of_it_is_believed(data_folder: Path) -> None:
    world, model = threaded(data_folder)
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    assert model.inside.wait(PATIENCE_S)
    world.flow.command("BACK")
    assert model.stopped.wait(PATIENCE_S)
    assert world.flow.state is State.CREDENTIALS_CAPTURE
    assert world.flow.snapshot.model is None
    world.flow.close()


def test_closing_and_opening_again_resumes_without_asking(data_folder: Path) -> None:
    world, model = threaded(data_folder)
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    assert model.inside.wait(PATIENCE_S)
    world.flow.close()
    assert model.stopped.is_set()
    model.gate.set()
    world.runner = ThreadRunner()
    world.boot()
    wait_for(world, State.COMMS_SELECTION)
    world.flow.close()


def test_two_processes_do_the_work_once(data_folder: Path) -> None:
    world, model = threaded(data_folder)
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    assert model.inside.wait(PATIENCE_S)
    other = World(data_folder, runner=ThreadRunner(), model=lambda _: model)
    assert other.flow.status()["state"] == "LOCAL_UTILITY_SETUP"
    model.gate.set()
    wait_for(world, State.COMMS_SELECTION)
    wait_for(other, State.COMMS_SELECTION)
    assert model.installs == 1
    world.flow.close()
    other.flow.close()


def test_work_that_breaks_in_an_unknown_way_is_a_plain_error(data_folder: Path) -> None:
    world, model = threaded(data_folder)

    def breaks(*args: Any) -> None:
        raise RuntimeError("secret detail")

    model.install = breaks  # type: ignore[method-assign]
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    wait_for(world, State.LOCAL_UTILITY_SETUP)
    problem = world.flow.status()["problem"]
    assert "RuntimeError" in problem["title"]
    assert "secret detail" not in str(world.flow.status())
    world.flow.close()


def test_a_cooldown_ends_while_nobody_looks(data_folder: Path) -> None:
    world, model = threaded(data_folder)
    model.gate.set()
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    wait_for(world, State.COMMS_SELECTION)
    world.flow.submit("COMMS_SELECTION", {"channel": "local"})
    world.flow.submit("COMMS_CONFIGURE", {})
    wait_for(world, State.COMMS_VERIFY)
    wrong = "111111" if world.last_code() != "111111" else "222222"
    for _ in range(5):
        with pytest.raises(LancelotError):
            world.flow.submit("COMMS_VERIFY", {"code": wrong})
    last = world.flow.events.last_id
    world.clock.pass_time(31)
    (event, *_) = world.flow.events.after(last, timeout_s=PATIENCE_S)
    assert event.data["before"] == "COOLDOWN"
    assert event.data["state"] == "COMMS_VERIFY"
    world.flow.close()


def test_listeners_are_let_go_when_the_hub_closes() -> None:
    hub, gone = EventHub(), threading.Event()

    def listen() -> None:
        hub.after(0, timeout_s=PATIENCE_S)
        gone.set()

    thread = threading.Thread(target=listen)
    thread.start()
    hub.close()
    assert gone.wait(PATIENCE_S)
    thread.join()


def test_only_the_newest_events_are_kept() -> None:
    hub = EventHub()
    for number in range(700):
        hub.publish("progress", number=number)
    kept = hub.after(0)
    assert len(kept) == 500
    assert kept[-1].id == hub.last_id == 700
