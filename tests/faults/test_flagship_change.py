"""The key is changed while requests run, and the server is killed in the middle: one of the two keys always answers."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from tests.faults.world import Served, World, at_ready

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]
KEYS = ["sk-planted-" + letter * 30 for letter in "de"]
ROUNDS = 6


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with at_ready() as made:
        yield made


def change_key(world: World, server: Served, key: str) -> httpx.Response:
    wanted = {"provider": "selfhosted", "base_url": world.provider.url, "key": key}
    proposal = server.call("POST", "/system/flagship/propose", json=wanted)
    assert proposal.status_code == 200, proposal.text
    return server.call("POST", "/system/flagship/save", json={"id": proposal.json()["id"]})


def test_requests_under_way_end_well_and_the_next_use_the_new_key(world: World) -> None:
    with world.served(world.copy("swap")) as server:
        assert change_key(world, server, KEYS[0]).status_code == 200
        assert server.chat().status_code == 200
        world.provider.mode = "slow"
        world.provider.presented.clear()
        answers: list[httpx.Response] = []
        running = [threading.Thread(target=lambda: answers.append(server.chat())) for _ in range(4)]
        for one in running:
            one.start()
        while len(world.provider.presented) < 1:
            threading.Event().wait(0.01)
        world.provider.mode = "well"
        assert change_key(world, server, KEYS[1]).status_code == 200
        world.provider.presented.clear()
        assert server.chat().status_code == 200
        assert world.provider.presented == {f"Bearer {KEYS[1]}"}
        for one in running:
            one.join(60)
        assert [answer.status_code for answer in answers] == [200] * 4


def test_killed_at_any_moment_of_the_change_the_system_comes_up_ready(world: World) -> None:
    folder = world.copy("killed")
    chance = random.Random(7)
    for number in range(ROUNDS):
        with world.served(folder) as server:
            world.provider.presented.clear()
            assert server.chat().status_code == 200, number
            assert len(world.provider.presented) == 1
            doomed = threading.Thread(target=_changing, args=(world, server, KEYS[number % 2]))
            doomed.start()
            threading.Event().wait(chance.uniform(0.02, 0.6))
            server.end(signal.SIGKILL)
            doomed.join(60)


def _changing(world: World, server: Served, key: str) -> None:
    with suppress(httpx.HTTPError, AssertionError):
        change_key(world, server, key)
