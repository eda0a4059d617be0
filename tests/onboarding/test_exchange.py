"""Another flagship or key while everything runs: tried out like in the set-up, exchanged, taken back, never neither."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lancelot.errors import Conflict, DiskFull, LancelotError, NotFound, ProviderAuth
from lancelot.files import Disk
from lancelot.onboarding.exchange import FlagshipWanted
from tests.onboarding.fakes import GOOD_KEY, World
from tests.onboarding.test_machine import QuickDisk

NEW_KEY = "sk-test-" + "n" * 32
SERVER = "http://127.0.0.1:8/v1"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A machine at READY with OpenAI's key; NEW_KEY would do as well."""
    made = World(tmp_path / "data", disk=QuickDisk())
    made.door.accepts.add(NEW_KEY)
    made.go_to("READY", "openai")
    return made


def wanted(provider: str = "openai", **given: Any) -> FlagshipWanted:
    if "key" in given:
        given["key"] = SecretStr(given["key"])
    return FlagshipWanted(provider=provider, **given)  # type: ignore[arg-type]


def standing(world: World) -> tuple[str, str | None, str | None]:
    """What requests would use: provider, address, key."""
    assert world.flow.is_ready, world.flow.status()["problem"]
    flagship, key = world.flow.flagship(), world.flow.key()
    assert flagship is not None
    return flagship.provider, flagship.base_url, key.get_secret_value() if key else None


OLD = ("openai", None, GOOD_KEY)


def test_a_new_key_is_tried_out_first_then_exchanged_then_taken_back(world: World) -> None:
    exchange = world.flow.exchange
    before = world.credentials_path.read_bytes()
    proposal = exchange.propose(wanted(key=NEW_KEY))
    assert world.door.calls[-1] == ("openai", NEW_KEY)
    assert (world.credentials_path.read_bytes(), standing(world)) == (before, OLD)
    assert NEW_KEY not in proposal.diff + str(proposal)
    assert "+key: ••••nnnn stored here" in proposal.diff
    exchange.save(proposal.id)
    assert standing(world) == ("openai", None, NEW_KEY)
    assert GOOD_KEY not in world.credentials_path.read_text()
    world.boot()
    assert standing(world) == ("openai", None, NEW_KEY)
    (past,) = world.flow.exchange.past()
    assert NEW_KEY not in past.diff
    assert GOOD_KEY not in past.diff
    world.flow.command("UNDO")
    assert standing(world) == OLD
    world.flow.command("UNDO")  # what was taken back can be had again
    assert standing(world) == ("openai", None, NEW_KEY)


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"provider": "anthropic", "key": NEW_KEY}, ("anthropic", None, NEW_KEY)),
        ({"provider": "gemini", "env_name": "GEMINI_API_KEY"}, ("gemini", None, NEW_KEY)),
        ({"provider": "selfhosted", "base_url": SERVER, "key": NEW_KEY}, ("selfhosted", SERVER, NEW_KEY)),
        ({"provider": "selfhosted", "base_url": SERVER}, ("selfhosted", SERVER, None)),
        ({"provider": "selfhosted"}, ("selfhosted", None, None)),
        ({"provider": "openai", "use_stored": True}, OLD),
    ],
)
def test_every_other_flagship_and_back(world: World, given: dict[str, Any], after: Any) -> None:
    world.environment["GEMINI_API_KEY"] = NEW_KEY
    world.flow.exchange.save(world.flow.exchange.propose(wanted(**given)).id)
    assert standing(world) == after
    world.boot()
    assert standing(world) == after
    if after != OLD:
        world.flow.exchange.back()
        assert standing(world) == OLD


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"key": "sk-test-" + "w" * 32}, "provider_auth"),
        ({"key": "two words"}, "key_malformed"),
        ({}, "key_missing"),
        ({"key": NEW_KEY, "env_name": "X"}, "key_twice"),
        ({"provider": "anthropic"}, "key_missing"),
        ({"provider": "gemini", "env_name": "NOT_SET"}, "env_not_set"),
        ({"base_url": SERVER, "key": NEW_KEY}, "base_url_not_allowed"),
        ({"provider": "selfhosted", "base_url": "ftp://x"}, "base_url_malformed"),
        ({"provider": "selfhosted", "base_url": "http://10.1.1.1/v1", "key": NEW_KEY}, "key_would_travel_in_clear"),
    ],
)
def test_what_the_set_up_refuses_is_refused_and_changes_nothing(world: World, given: dict[str, Any], code: str) -> None:
    before = world.credentials_path.read_bytes()
    with pytest.raises(LancelotError) as refused:
        world.flow.exchange.propose(wanted(**({"provider": "openai"} | given)))
    assert refused.value.code == code
    assert "BACK" not in refused.value.hint
    assert (world.credentials_path.read_bytes(), standing(world)) == (before, OLD)
    assert world.flow.exchange.past() == []


def test_a_key_without_the_lanes_models_is_refused(world: World) -> None:
    world.door.models = ["other"]
    with pytest.raises(LancelotError, match="offers this key neither"):
        world.flow.exchange.propose(wanted(key=NEW_KEY))
    assert standing(world) == OLD


def test_a_proposal_is_good_once_and_for_what_it_was_made_from(world: World) -> None:
    exchange = world.flow.exchange
    first, second = exchange.propose(wanted(key=NEW_KEY)), exchange.propose(wanted("selfhosted"))
    exchange.save(first.id)
    with pytest.raises(NotFound):
        exchange.save(first.id)
    with pytest.raises(Conflict, match="by somebody else"):
        exchange.save(second.id)
    late = exchange.propose(wanted("selfhosted"))
    world.clock.pass_time(1000)
    with pytest.raises(NotFound):
        exchange.save(late.id)
    assert standing(world) == ("openai", None, NEW_KEY)


def test_the_same_again_changes_nothing(world: World) -> None:
    proposal = world.flow.exchange.propose(wanted(use_stored=True))
    assert proposal.diff == ""
    assert "in use already" in world.flow.exchange.save(proposal.id)
    assert world.flow.exchange.past() == []


def test_with_the_new_key_lost_undo_still_brings_the_old_flagship_back(world: World) -> None:
    world.flow.exchange.save(world.flow.exchange.propose(wanted("anthropic", key=NEW_KEY)).id)
    for copy in (world.credentials_path, world.credentials_path.with_name("credentials.json.1")):
        copy.write_text("{")
    assert not world.boot().is_ready
    world.flow.command("UNDO")
    assert standing(world) == OLD


def test_before_ready_the_set_up_is_the_place(tmp_path: Path) -> None:
    world = World(tmp_path / "data")
    with pytest.raises(Conflict, match="not finished"):
        world.flow.exchange.propose(wanted(key=GOOD_KEY))


def test_a_full_disk_leaves_the_old_flagship(world: World) -> None:
    proposal = world.flow.exchange.propose(wanted(key=NEW_KEY))
    world.disk.full = True  # type: ignore[attr-defined]
    with pytest.raises(DiskFull):
        world.flow.exchange.save(proposal.id)
    world.disk.full = False  # type: ignore[attr-defined]
    assert standing(world) == OLD
    world.boot()
    assert standing(world) == OLD


def test_a_refusal_by_the_provider_keeps_the_answer_plain(world: World) -> None:
    world.door.fails = ProviderAuth(upstream_status=403)
    with pytest.raises(ProviderAuth, match="may not list models"):
        world.flow.exchange.propose(wanted(key=NEW_KEY))


class Killed(BaseException):
    """The process is gone; nothing of it runs any further."""


class MortalDisk(Disk):
    """Dies before its n-th operation, and does nothing at all from then on."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.dead = False

    def _step(self) -> None:
        if self.left is not None:
            self.left -= 1
            self.dead = self.dead or self.left < 0
        if self.dead:
            raise Killed

    def write(self, path: Path, content: bytes, mode: int) -> int:
        self._step()
        return super().write(path, content, mode)

    def fsync(self, descriptor: int) -> None:
        self._step()

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def fsync_folder(self, folder: Path) -> None:
        self._step()

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)


FROM = {
    "openai": {"provider": "openai", "key": GOOD_KEY},
    "a server with a key": {"provider": "selfhosted", "base_url": SERVER, "key": GOOD_KEY},
    "our own service": {"provider": "selfhosted"},
}
TO = {
    "another key": {"provider": "openai", "key": NEW_KEY},
    "another provider": {"provider": "anthropic", "key": NEW_KEY},
    "a server with another key": {"provider": "selfhosted", "base_url": "http://127.0.0.1:9/v1", "key": NEW_KEY},
    "a server without a key": {"provider": "selfhosted", "base_url": "http://127.0.0.1:9/v1"},
    "our own service": {"provider": "selfhosted"},
}


@pytest.mark.parametrize(("begin", "end"), [(begin, end) for begin in FROM for end in TO if begin != end])
def test_killed_between_any_two_steps_one_of_the_two_stands(tmp_path: Path, begin: str, end: str) -> None:
    """Forth and back, on a disk that dies before its first, second, third … operation."""
    disk = MortalDisk()
    world = World(tmp_path / "data", disk=disk)
    world.door.accepts.add(NEW_KEY)
    world.go_to("READY", "openai")
    world.flow.exchange.save(world.flow.exchange.propose(wanted(**FROM[begin])).id)
    old = standing(world)
    outcomes = set()
    for way in ("forth", "back"):
        kept = Path(shutil.copytree(world.data_dir, tmp_path / way))
        steps = 0
        while True:
            shutil.rmtree(world.data_dir)
            shutil.copytree(kept, world.data_dir)
            disk.dead, disk.left = False, None
            exchange = world.boot().exchange
            proposal = exchange.propose(wanted(**TO[end])) if way == "forth" else None
            disk.left = steps
            try:
                exchange.save(proposal.id) if proposal else exchange.back()
                through = True
            except Killed:
                through = False
            disk.dead, disk.left = False, None
            world.boot()
            outcomes.add(standing(world))
            assert world.flow.credentials.unsettled() == []
            if through:
                break
            steps += 1
        assert steps > 5
    new = (TO[end]["provider"], TO[end].get("base_url"), TO[end].get("key"))
    assert outcomes == {old, new}
