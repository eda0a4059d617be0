"""A change of the local model that is killed, or taken back: what worked before goes on working."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lancelot.errors import LocalModelError
from lancelot.onboarding.seams import ModelCard
from lancelot.onboarding.states import State
from tests.onboarding.fakes import FakeModel, World
from tests.onboarding.test_machine import finish


class TwoTiers(FakeModel):
    """Two models with the same weights; the choice is a real file, `serving` the model the service was started with."""

    serving = ""

    def start(self) -> None:
        super().start()
        self.serving = self.card().id

    def card(self) -> ModelCard:
        found = super().card()
        return replace(found, id=self.choice_file.read_text()) if self.choice_file.exists() else found

    def choose(self, model_id: str | None) -> None:
        self.choice_file.unlink(missing_ok=True)
        if model_id is not None:
            self.choice_file.parent.mkdir(parents=True, exist_ok=True)
            self.choice_file.write_text(model_id)


def world_of(folder: Path) -> World:
    return World(folder / "data", model=lambda world: TwoTiers(world.data_dir, world.disk))


def test_a_choice_the_record_does_not_know_of_is_taken_back(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    finish(world)
    old = world.model.card().id
    world.model.choose("another")  # and killed here, before the record was written
    world.boot()
    assert world.model.card().id == old
    assert world.flow.state is State.READY


def test_a_choice_that_is_being_installed_stays(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    finish(world)
    world.flow.command("RESET ONBOARDING", confirm=True)
    world.go_to("LOCAL_UTILITY_SETUP", provider="openai")
    world.model.path.unlink(missing_ok=True)
    world.model.fails = LocalModelError("The mirror is away.")
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True, "model_id": "another"})
    world.boot()
    assert world.model.card().id == "another"


def test_undo_of_a_reset_runs_the_model_of_that_time_again(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    finish(world)
    old = world.model.serving
    world.flow.command("RESET ONBOARDING", confirm=True)
    world.go_to("LOCAL_UTILITY_SETUP", provider="openai")
    world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True, "model_id": "another"})
    finish(world)
    assert world.model.serving == "another"
    world.flow.command("UNDO")
    assert world.flow.state is State.READY
    assert world.model.card().id == world.model.serving == old
