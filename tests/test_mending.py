"""REPAIR step by step: looking changes nothing, one plan is applied alone, the history tells it, all can be undone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lancelot.changes import Changes
from lancelot.config import ConfigStore
from lancelot.doctor import Doctor
from lancelot.errors import Conflict, NotFound
from lancelot.filediff import file_diff
from lancelot.mending import Mending
from lancelot.onboarding.states import State
from lancelot.settings import project_dir
from lancelot.store.ledger import ReceiptStore
from tests.onboarding.fakes import GOOD_KEY, World


class Room:
    """One machine with its set-up, its configuration and its receipts."""

    def __init__(self, data_folder: Path, config_folder: Path) -> None:
        shutil.copytree(project_dir() / "config", config_folder)
        for older in config_folder.glob("*.yaml.*"):
            older.unlink()
        self.world = World(data_folder)
        self.receipts = ReceiptStore(data_folder)
        self.config = ConfigStore(config_folder)
        self.changes = Changes(self.config, self.receipts)
        self.events: list[tuple[str, dict[str, Any]]] = []
        doctor = Doctor(self.world.flow, self.receipts, self.config)
        self.mending = Mending(self.world.flow, doctor, self.config, self.changes, self.note)

    def note(self, event: str, **data: Any) -> None:
        self.events.append((event, data))


@pytest.fixture
def room(data_folder: Path, tmp_path: Path) -> Any:
    made = Room(data_folder, tmp_path / "config")
    yield made
    made.receipts.close()


def faults(room: Room) -> list[str]:
    return [found.outcome.name for found in room.mending.look() if not found.outcome.ok]


def readable_key(room: Room) -> None:
    """The key's file may be read by others."""
    room.world.go_to("READY", provider="openai")
    room.world.credentials_path.chmod(0o644)


def test_looking_finds_and_plans_and_changes_nothing(room: Room) -> None:
    readable_key(room)
    assert faults(room) == ["credentials"]
    found = next(one for one in room.mending.found if one.plan)
    assert found.plan is not None
    assert "-mode 0644" in found.plan.diff
    assert "+mode 0600" in found.plan.diff
    assert GOOD_KEY not in found.plan.diff
    assert room.world.credentials_path.stat().st_mode & 0o777 == 0o644
    assert not room.mending.history()


def test_apply_check_again_history_and_undo(room: Room) -> None:
    readable_key(room)
    room.mending.look()
    done = room.mending.apply("credentials")
    assert done.outcome.ok
    assert done.done is not None
    assert done.done.fixed
    assert room.world.credentials_path.stat().st_mode & 0o777 == 0o600
    past = room.mending.history()[0]
    assert past.fixed
    assert past.can_undo
    assert past.files == ("credentials.json",)
    assert "+mode 0600" in past.diff
    assert GOOD_KEY not in json.dumps(past.to_dict())
    assert [event for event, _ in room.events] == ["repaired"]
    room.mending.undo(past.id)
    assert room.world.credentials_path.stat().st_mode & 0o777 == 0o644
    undone = room.mending.history()[0]
    assert not undone.can_undo
    assert undone.undone_at
    with pytest.raises(NotFound):
        room.mending.undo(past.id)


def test_only_what_was_found_can_be_applied(room: Room) -> None:
    with pytest.raises(NotFound):
        room.mending.apply("credentials")


def test_a_repair_without_files_is_in_the_history_too(room: Room) -> None:
    room.world.go_to("READY")
    room.world.model.running = False
    room.world.model.start = lambda: None  # the check starts it by itself; here it does not come up
    assert "local_model" in faults(room)
    room.mending.apply("local_model")
    past = room.mending.history()[0]
    assert past.steps
    assert not past.can_undo
    assert not past.fixed


def test_a_configuration_broken_by_hand_gets_its_newest_good_version_back(room: Room) -> None:
    room.changes.save(room.changes.propose_values("router.yaml", {("max_attempts",): 4}))
    path = room.config.folder / "router.yaml"
    path.write_text(path.read_text().replace("max_attempts: 4", "max_attempts: many"))
    room.config.reload()
    assert "configuration" in faults(room)
    plan = next(one.plan for one in room.mending.found if one.outcome.name == "configuration")
    assert plan is not None
    assert "-max_attempts: many" in plan.diff
    assert room.mending.apply("configuration").outcome.ok
    assert room.config.problem is None
    room.mending.undo(room.mending.history()[0].id)
    assert room.config.problem is not None  # undo means undo


def test_an_older_set_up_is_restored_as_far_as_the_facts_carry_and_back(room: Room) -> None:
    room.world.go_to("READY")
    copies = room.mending.snapshots()
    assert copies
    assert all(copy.diff for copy in copies)
    earlier = next(copy for copy in copies if copy.state != "READY")
    told = room.mending.restore(earlier.revision)
    assert f"Revision {earlier.revision} is back" in told
    assert "snapshot_restored" in [event for event, _ in room.events]
    room.mending.undo(room.mending.history()[0].id)
    assert room.world.flow.state is State.READY
    with pytest.raises(NotFound):
        room.mending.restore(10_000)


def test_a_reset_is_in_the_history_with_what_it_changed(room: Room) -> None:
    room.world.go_to("READY")
    room.world.flow.command("RESET ONBOARDING", confirm=True)
    past = room.mending.history()[0]
    assert past.why == "RESET ONBOARDING"
    assert '"state": "WELCOME"' in past.diff
    room.mending.undo(past.id)
    assert room.world.flow.state is State.READY


def test_changes_say_the_difference_refuse_and_are_undone(room: Room) -> None:
    before = room.changes.text("router.yaml")
    change = room.changes.propose("router.yaml", before.replace("max_attempts: 3", "max_attempts: 5"))
    assert change.problem is None
    assert "-max_attempts: 3" in change.diff
    room.changes.save(change)
    assert room.config.current.router.max_attempts == 5
    assert [copy.number for copy in room.changes.older("router.yaml")] == [1]
    with pytest.raises(Conflict):  # the version it was made from is gone
        room.changes.save(room.changes.propose("router.yaml", before + "\n# late\n", change.base))
    room.changes.undo("router.yaml")
    assert room.changes.text("router.yaml") == before
    room.changes.undo("router.yaml")
    assert room.config.current.router.max_attempts == 5
    bad = room.changes.propose("prices.yaml", "version: [")
    assert bad.problem is not None
    with pytest.raises(type(bad.problem)):
        room.changes.save(bad)


def test_a_difference_never_shows_a_secret_nor_what_cannot_be_read() -> None:
    secret = "sk-live-" + "x" * 30
    before = json.dumps({"providers": {"openai": {"key": secret, "env": None}}, "comms_url": "mailto://me:pw@x.org"})
    after = before.replace(secret, "sk-other-" + "y" * 30)
    shown = file_diff("credentials.json", before.encode(), after.encode())
    assert secret not in shown
    assert "pw@" not in shown
    assert shown.count("••••") == 2  # the changed one, before and after
    damaged = file_diff("credentials.json", f'{{"key": "{secret}'.encode(), after.encode())
    assert secret not in damaged
    assert "cannot be read" in damaged
    assert file_diff("a.json", b"{}", b"{}") == ""
