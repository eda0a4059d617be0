"""The flow from the first question to READY, with real files and fakes behind the declared seams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lancelot.errors import (
    BadInput,
    Conflict,
    LancelotError,
    ProviderAuth,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    TooMany,
)
from lancelot.onboarding.states import ORDER, State
from tests.onboarding.fakes import GOOD_KEY, World


@pytest.fixture
def world(data_folder: Path) -> World:
    return World(data_folder)


def test_from_welcome_to_ready_with_the_defaults(world: World) -> None:
    world.go_to("READY")
    status = world.flow.status()
    assert status["ready"]
    assert status["missing"] == []
    assert {check["name"] for check in status["checks"]} >= {"snapshot", "credentials", "lanes", "redaction_canary"}
    assert all(check["ok"] and check["took_ms"] >= 0 for check in status["checks"])
    assert world.flow.is_ready


def test_ready_survives_a_restart(world: World) -> None:
    world.go_to("READY")
    assert world.boot().is_ready


PASSES_BY_ITSELF = (State.CREDENTIALS_VERIFY, State.FINAL_CHECKS)


@pytest.mark.parametrize("state", [state for state in ORDER[:-1] if state not in PASSES_BY_ITSELF])
def test_every_state_survives_a_restart_and_goes_on(world: World, state: State) -> None:
    world.go_to(state)
    world.boot()
    assert world.flow.state is state
    world.go_to("READY")


def test_no_secret_reaches_snapshot_status_or_events(world: World) -> None:
    world.go_to("READY", provider="openai")
    folder = world.data_dir / "onboarding"
    texts = [path.read_text(errors="replace") for path in folder.iterdir() if path.suffix != ".key"]
    texts += [json.dumps(world.flow.status()), json.dumps([event.data for event in world.flow.events.after(0)])]
    assert all(GOOD_KEY not in text and world.last_code() not in text for text in texts)
    assert GOOD_KEY in (world.data_dir / "credentials.json").read_text()  # the same search finds what is there
    assert (world.data_dir / "credentials.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ProviderAuth(), "provider_auth", "401"),
        (ProviderAuth(upstream_status=403), "provider_forbidden", "403"),
        (ProviderRateLimited(retry_after=7), "provider_rate_limited", "429"),
        (ProviderTimeout(), "provider_timeout", "in time"),
        (ProviderUnreachable(), "provider_unreachable", "reached"),
    ],
)
def test_each_refusal_of_a_provider_is_told_apart(world: World, error: LancelotError, code: str, words: str) -> None:
    world.door.fails = error
    world.go_to("CREDENTIALS_CAPTURE", provider="openai")
    status = world.flow.submit("CREDENTIALS_CAPTURE", {"key": GOOD_KEY})
    assert status["state"] == "CREDENTIALS_VERIFY"
    assert status["problem"]["code"] == code
    assert words in status["problem"]["title"]
    world.door.fails = None
    world.go_to("READY", provider="openai")


def test_models_the_key_may_not_use_are_named(world: World) -> None:
    world.door.models = ["something-else"]
    world.go_to("CREDENTIALS_VERIFY", provider="openai")
    problem = world.flow.status()["problem"]
    assert problem["code"] == "models_not_offered"
    assert "fast-1" in problem["title"]
    world.door.models = ["fast-1"]
    world.go_to("COMMS_SELECTION", provider="openai")
    assert world.flow.status()["credentials"]["models_missing"] == ["deep-1"]


def test_the_key_may_come_from_the_environment(world: World) -> None:
    world.environment["OPENAI_API_KEY"] = GOOD_KEY
    world.go_to("CREDENTIALS_CAPTURE", provider="openai")
    world.flow.submit("CREDENTIALS_CAPTURE", {"env_name": "OPENAI_API_KEY"})
    assert world.door.calls[-1] == ("openai", GOOD_KEY)
    assert GOOD_KEY not in (world.data_dir / "credentials.json").read_text()
    world.go_to("READY", provider="openai")
    del world.environment["OPENAI_API_KEY"]
    world.boot()
    assert world.flow.state is State.CREDENTIALS_CAPTURE  # never READY without the key
    assert world.flow.status()["notices"][-1]["code"] == "snapshot_corrected"


def test_a_key_never_travels_in_the_clear(world: World) -> None:
    world.go_to("FLAGSHIP_SELECTION")
    world.flow.submit("FLAGSHIP_SELECTION", {"provider": "selfhosted", "base_url": "http://models.example.com/v1"})
    with pytest.raises(BadInput, match="plain http"):
        world.flow.submit("CREDENTIALS_CAPTURE", {"key": GOOD_KEY})


def test_our_own_service_needs_no_key_and_is_called_in_the_final_checks(world: World) -> None:
    world.go_to("LOCAL_UTILITY_SETUP")
    assert world.door.calls == []
    world.go_to("READY")
    assert world.door.calls == [("selfhosted", None)]


def test_the_local_model_cannot_be_skipped(world: World) -> None:
    world.go_to("LOCAL_UTILITY_SETUP")
    with pytest.raises(BadInput, match="Without the local model"):
        world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": False})
    for later in ("COMMS_SELECTION", "COMMS_VERIFY", "FINAL_CHECKS", "READY"):
        with pytest.raises(Conflict):
            world.flow.submit(later, {})
    with pytest.raises(BadInput):
        world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True, "skip": True})
    with pytest.raises(BadInput):
        world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True, "model_id": "another"})
    assert world.flow.state is State.LOCAL_UTILITY_SETUP
    assert not world.model.path.exists()


def test_an_edited_snapshot_is_corrected_not_believed(world: World) -> None:
    world.go_to("LOCAL_UTILITY_SETUP")
    path = world.data_dir / "onboarding" / "onboarding.json"
    forged = json.loads(path.read_text())
    forged |= {
        "state": "READY",
        "consent": {"model_id": "fake-1m", "licence": "Apache-2.0", "source": "x", "at": 1.0},
        "model": {"model_id": "fake-1m", "sha256": world.model.card().sha256, "verified_at": 1.0, "proof": "a" * 64},
        "comms": {"kind": "local", "proof": "b" * 64},
        "ready_proof": "c" * 64,
    }
    path.write_text(json.dumps(forged))
    assert world.flow.state is not State.READY  # also while the process runs
    path.write_text(json.dumps(forged))
    world.boot()
    assert not world.flow.is_ready
    assert world.flow.status()["notices"][-1]["code"] == "snapshot_corrected"


def test_verified_weights_that_vanish_are_noticed(world: World) -> None:
    world.go_to("READY")
    world.model.path.write_bytes(b"not the model")
    world.boot()
    assert world.flow.state is State.READY  # the consent stands, so the work began by itself and went through
    assert world.model.verified()
    assert world.model.path.with_suffix(".bad").exists() or world.model.fetched > len(world.model.card().sha256)


def test_a_download_that_breaks_off_resumes(world: World) -> None:
    world.model.fails = LancelotError("The line broke.", code="source_failed")
    world.go_to("LOCAL_UTILITY_SETUP")
    status = world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    assert status["problem"]["code"] == "source_failed"
    assert status["model"]["consent"]["licence"] == "Apache-2.0"
    first = world.model.fetched
    world.model.fails = None
    world.boot()  # the consent is recorded, so nobody is asked again
    assert world.flow.state is State.COMMS_SELECTION
    assert world.model.fetched == world.model.card().bytes
    assert 0 < first < world.model.fetched


def test_the_same_submit_twice_does_no_harm(world: World) -> None:
    world.go_to("FLAGSHIP_SELECTION")
    world.flow.submit("FLAGSHIP_SELECTION", {"provider": "openai"})
    again = world.flow.submit("FLAGSHIP_SELECTION", {"provider": "openai"})
    assert again["state"] == "CREDENTIALS_CAPTURE"
    assert "already" in again["note"]
    with pytest.raises(Conflict) as passed:
        world.flow.submit("FLAGSHIP_SELECTION", {"provider": "gemini"})
    assert passed.value.code == "state_passed"
    assert world.flow.snapshot.flagship is not None
    assert world.flow.snapshot.flagship.provider == "openai"


def test_unknown_states_fields_and_values_are_named(world: World) -> None:
    with pytest.raises(BadInput) as unknown:
        world.flow.submit("NOWHERE", {})
    assert unknown.value.code == "unknown_state"
    with pytest.raises(BadInput):
        world.flow.submit("COOLDOWN", {})
    world.go_to("FLAGSHIP_SELECTION")
    with pytest.raises(BadInput) as wrong:
        world.flow.submit("FLAGSHIP_SELECTION", {"provider": "acme"})
    assert wrong.value.extra["param"] == "provider"


def test_a_remote_channel_is_verified_by_what_it_received(world: World) -> None:
    world.go_to("COMMS_SELECTION")
    world.flow.submit("COMMS_SELECTION", {"channel": "remote"})
    with pytest.raises(BadInput) as missing:
        world.flow.submit("COMMS_CONFIGURE", {})
    assert missing.value.code == "address_missing"
    world.sender.fails = True
    status = world.flow.submit("COMMS_CONFIGURE", {"url": "json://127.0.0.1:9/hook"})
    assert status["problem"]["code"] == "comms_failed"
    world.sender.fails = False
    world.flow.submit("COMMS_CONFIGURE", {})  # the stored address, sent at once: the first one never went out
    assert len(world.sender.sent) == 1
    world.go_to("READY")
    assert world.flow.snapshot.comms is not None
    assert "127.0.0.1" not in (world.data_dir / "onboarding" / "onboarding.json").read_text()


def test_a_code_counts_for_its_channel_only(world: World) -> None:
    world.go_to("COMMS_VERIFY")
    code = world.last_code()
    world.flow.command("BACK")
    world.flow.command("BACK")
    world.flow.submit("COMMS_SELECTION", {"channel": "remote"})
    with pytest.raises(TooMany):  # another channel means another code, and that is too soon
        world.flow.submit("COMMS_CONFIGURE", {"url": "json://127.0.0.1:9/hook"})
    world.clock.pass_time(61)
    world.flow.submit("COMMS_CONFIGURE", {"url": "json://127.0.0.1:9/hook"})
    with pytest.raises(BadInput):
        world.flow.submit("COMMS_VERIFY", {"code": code})


def test_two_processes_see_one_truth(world: World) -> None:
    world.go_to("FLAGSHIP_SELECTION")
    other = World(world.data_dir)
    other.flow.submit("FLAGSHIP_SELECTION", {"provider": "selfhosted"})
    assert world.flow.state is State.CREDENTIALS_CAPTURE
    world.flow.submit("CREDENTIALS_CAPTURE", {})
    assert other.flow.state is State.LOCAL_UTILITY_SETUP
    assert other.flow.snapshot.revision == world.flow.snapshot.revision
