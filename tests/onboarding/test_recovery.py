"""The six commands in every state, and repairs that are checked, told and undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lancelot.errors import BadInput, LancelotError, ProviderUnreachable, TooMany
from lancelot.onboarding.recovery import Command, parse_command
from lancelot.onboarding.states import State
from tests.onboarding.fakes import WEIGHTS, World

SIX = ["BACK", "STATUS", "REPAIR", "RESTART STEP", "RESET ONBOARDING", "RESEND CODE"]


@pytest.fixture
def world(data_folder: Path) -> World:
    return World(data_folder)


def put_in(world: World, state: State) -> None:
    """Bring the machine into a state and keep it there."""
    if state is State.CREDENTIALS_VERIFY:
        world.door.fails = ProviderUnreachable()
        world.go_to(state, provider="openai")
    elif state is State.FINAL_CHECKS:
        world.go_to("COMMS_VERIFY")
        world.door.fails = ProviderUnreachable()
        world.flow.submit("COMMS_VERIFY", {"code": world.last_code()})
    elif state is State.COOLDOWN:
        world.go_to("COMMS_VERIFY")
        guess_wrongly(world, 5)
    else:
        world.go_to(state)
    assert world.flow.state is state


def guess_wrongly(world: World, times: int) -> None:
    wrong = "111111" if world.last_code() != "111111" else "222222"
    for _ in range(times):
        with pytest.raises(LancelotError):
            world.flow.submit("COMMS_VERIFY", {"code": wrong})


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("command", SIX)
def test_every_command_answers_in_every_state(world: World, state: State, command: str) -> None:
    put_in(world, state)
    if (state, command) == (State.COMMS_VERIFY, "RESEND CODE"):
        with pytest.raises(TooMany) as early:
            world.flow.command(command)
        assert early.value.retry_after == 60
        return
    answer = world.flow.command(command)
    assert answer["text"]
    assert answer["status"]["state"] in State.__members__
    assert {row["command"] for row in answer["status"]["commands"]} >= set(SIX)
    assert all(row["text"] for row in answer["status"]["commands"])


@pytest.mark.parametrize("typed", ["restart step", "RESTART-STEP", " restart_step ", "Restart"])
def test_commands_are_understood_however_they_are_typed(typed: str) -> None:
    assert parse_command(typed) is Command.RESTART_STEP


def test_an_unknown_command_names_the_six() -> None:
    with pytest.raises(BadInput) as refused:
        parse_command("SUDO")
    assert all(command in refused.value.hint for command in SIX)


def test_back_loses_nothing(world: World) -> None:
    world.go_to("COMMS_SELECTION")
    for expected in ("LOCAL_UTILITY_SETUP", "CREDENTIALS_CAPTURE", "FLAGSHIP_SELECTION", "WELCOME"):
        assert world.flow.command("BACK")["status"]["state"] == expected
    assert not world.flow.command("BACK")["done"]
    fetched = world.model.fetched
    world.go_to("READY")
    assert world.model.fetched == fetched == len(WEIGHTS)


def test_reset_asks_twice_keeps_a_copy_and_deletes_no_weights(world: World) -> None:
    world.go_to("READY")
    asked = world.flow.command("RESET ONBOARDING")
    assert asked["needs_confirm"]
    assert not asked["done"]
    assert world.flow.is_ready
    done = world.flow.command("RESET ONBOARDING", confirm=True)
    assert done["status"]["state"] == "WELCOME"
    assert done["status"]["model"]["consent"] is None
    assert world.model.verified()
    undone = world.flow.command("UNDO")
    assert undone["status"]["state"] == "READY"
    assert world.flow.is_ready


def test_undo_brings_back_no_more_than_the_facts(world: World) -> None:
    world.go_to("READY", provider="openai")
    world.flow.command("RESET ONBOARDING", confirm=True)
    world.credentials_path.unlink()
    undone = world.flow.command("UNDO")
    assert undone["status"]["state"] == "READY"  # the copy held the key too
    world.flow.command("RESET ONBOARDING", confirm=True)
    world.model.path.write_bytes(b"rot")
    assert world.flow.command("UNDO")["status"]["state"] != "READY"
    world.go_to("READY", provider="openai")


def test_attempts_survive_restart_back_restart_step_and_reset(world: World) -> None:
    world.go_to("COMMS_VERIFY")
    guess_wrongly(world, 3)
    world.boot()
    world.flow.command("RESTART STEP")
    world.flow.command("BACK")
    world.flow.command("RESET ONBOARDING", confirm=True)
    assert world.flow.snapshot.guards.attempts == 3
    world.clock.pass_time(61)
    world.go_to("COMMS_VERIFY")
    assert world.flow.status()["code"]["attempts_left"] == 2
    guess_wrongly(world, 2)
    assert world.flow.state is State.COOLDOWN


def test_attempts_survive_a_resend(world: World) -> None:
    world.go_to("COMMS_VERIFY")
    guess_wrongly(world, 4)
    world.clock.pass_time(61)
    world.flow.command("RESEND CODE")
    guess_wrongly(world, 1)
    assert world.flow.state is State.COOLDOWN


def test_a_cooldown_survives_everything_and_ends_by_itself(world: World) -> None:
    put_in(world, State.COOLDOWN)
    for command in ("RESTART STEP", "REPAIR", "BACK"):
        world.flow.command(command)
    world.flow.command("RESET ONBOARDING", confirm=True)
    world.boot()
    status = world.flow.status()
    assert status["state"] == "COOLDOWN"
    assert status["cooldown"]["returns_to"] == "WELCOME"
    assert 0 < status["cooldown"]["remaining_s"] <= 30
    world.clock.pass_time(30)
    assert world.flow.state is State.WELCOME
    world.go_to("COMMS_CONFIGURE")
    world.clock.pass_time(61)
    world.go_to("READY")


def test_a_cooldown_takes_no_code_and_sends_none(world: World) -> None:
    put_in(world, State.COOLDOWN)
    with pytest.raises(TooMany) as refused:
        world.flow.submit("COMMS_VERIFY", {"code": world.last_code()})
    assert refused.value.code == "cooldown"
    answer = world.flow.command("RESEND CODE")
    assert not answer["done"]
    assert answer["retry_after"] == 30


def test_the_next_wait_is_longer(world: World) -> None:
    put_in(world, State.COOLDOWN)
    world.clock.pass_time(61)
    world.flow.command("RESEND CODE")
    guess_wrongly(world, 5)
    assert world.flow.status()["cooldown"]["length_s"] == 60


def test_resends_are_sixty_seconds_apart_and_three_a_code(world: World) -> None:
    world.go_to("COMMS_VERIFY")
    with pytest.raises(TooMany):
        world.flow.command("RESEND CODE")
    for _ in range(3):
        world.clock.pass_time(60)
        first = world.last_code()
        assert world.flow.command("RESEND CODE")["done"]
    world.clock.pass_time(60)
    with pytest.raises(TooMany) as spent:
        world.flow.command("RESEND CODE")
    assert spent.value.code == "resend_limit"
    if first != world.last_code():
        with pytest.raises(BadInput):
            world.flow.submit("COMMS_VERIFY", {"code": first})
    world.flow.submit("COMMS_VERIFY", {"code": world.last_code()})
    assert world.flow.is_ready


def test_a_used_code_is_used_up(world: World) -> None:
    world.go_to("READY")
    code = world.last_code()
    world.flow.command("RESET ONBOARDING", confirm=True)
    world.go_to("COMMS_CONFIGURE")
    with pytest.raises(TooMany):
        world.flow.submit("COMMS_CONFIGURE", {})  # the last code went out less than a minute ago
    world.clock.pass_time(60)
    world.flow.submit("COMMS_CONFIGURE", {})
    assert world.last_code() != code or world.flow.state is State.COMMS_VERIFY


def test_the_code_command_shows_the_live_code_and_issues_a_fresh_one_after_a_restart(world: World) -> None:
    world.go_to("COMMS_VERIFY")
    shown = world.flow.show_code()
    assert shown == {"code": world.last_code(), "expires_in_s": 600, "fresh": False}
    world.boot()
    with pytest.raises(TooMany):
        world.flow.show_code()
    world.clock.pass_time(60)
    fresh = world.flow.show_code()
    assert fresh["fresh"]
    assert world.flow.snapshot.guards.resends == 1
    world.flow.submit("COMMS_VERIFY", {"code": fresh["code"]})
    assert world.flow.is_ready


def test_repair_of_wide_permissions_is_told_checked_and_undone(world: World) -> None:
    world.go_to("READY", provider="openai")
    world.credentials_path.chmod(0o644)
    answer = world.flow.command("REPAIR")
    assert answer["done"]
    (repair,) = answer["repairs"]
    assert repair["fixed"]
    assert "0600" in repair["plan"][0]
    assert world.credentials_path.stat().st_mode & 0o777 == 0o600
    world.flow.command("UNDO")
    assert world.credentials_path.stat().st_mode & 0o777 == 0o644


def test_repair_of_rotten_weights_installs_them_again(world: World) -> None:
    world.go_to("READY")
    world.model.path.write_bytes(b"rot")
    answer = world.flow.command("REPAIR")
    assert world.model.verified()
    assert world.flow.is_ready, answer["text"]


def test_repair_restarts_a_service_that_died(world: World) -> None:
    world.go_to("READY")
    world.model.running = False
    world.flow.command("REPAIR")
    assert world.model.running


def test_repair_never_claims_what_still_fails(world: World) -> None:
    world.go_to("READY")
    world.model.service_fails = LancelotError("It crashes at start.")
    world.model.running = False
    answer = world.flow.command("REPAIR")
    assert not answer["done"]
    assert [repair["fixed"] for repair in answer["repairs"]] == [False]
    assert "0 of 1" in answer["text"]


def test_repair_writes_a_damaged_record_anew(world: World) -> None:
    world.go_to("COMMS_SELECTION")
    path = world.data_dir / "onboarding" / "onboarding.json"
    path.write_bytes(b"{")
    answer = world.flow.command("REPAIR")
    assert answer["status"]["state"] == "COMMS_SELECTION"
    assert json.loads(path.read_text())["state"] == "COMMS_SELECTION"
    assert answer["status"]["notices"][-1]["code"] == "snapshot_rewritten"


def test_a_failed_final_check_is_named_with_its_fix_and_mended(world: World) -> None:
    put_in(world, State.FINAL_CHECKS)
    status = world.flow.status()
    (failed,) = [check for check in status["checks"] if not check["ok"]]
    assert failed["name"] == "lanes"
    assert failed["fix"]
    assert "Lanes" in status["problem"]["title"]
    world.door.fails = None
    assert world.flow.submit("FINAL_CHECKS", {})["state"] == "READY"
