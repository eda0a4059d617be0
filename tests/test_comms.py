"""Channels: addresses understood or refused in words; real mail and a real webhook through apprise, on loopback."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lancelot.comms import AppriseSender, CommsFailed, Terminal, read_channel
from lancelot.errors import BadInput
from tests.e2e.harness import free_port
from tests.loopback import Quiet, listening
from tests.onboarding.fakes import World

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from aiosmtpd.controller import Controller


class Mailbox:
    """What the mail server took."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port(), ready_timeout=30)
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


@pytest.fixture
def webhook() -> Iterator[tuple[list[dict[str, Any]], int]]:
    taken: list[dict[str, Any]] = []

    class Handler(Quiet):
        def do_POST(self) -> None:
            taken.append(json.loads(self.body()))
            self.say()

    with listening(Handler) as url:
        yield taken, int(url.rpartition(":")[2])


def onboard_by(world: World, url: str) -> None:
    world.go_to("COMMS_SELECTION")
    world.flow.submit("COMMS_SELECTION", {"channel": "remote"})
    world.flow.submit("COMMS_CONFIGURE", {"url": url})


def real(world: World) -> World:
    """The same machine, with the real sender."""
    world.flow.deps.sender = AppriseSender()
    return world


def code_in(text: str) -> str:
    return text.split("code is ")[1][:6]


def test_a_mail_brings_the_code_that_verifies(data_folder: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    world = real(World(data_folder))
    onboard_by(world, f"mailto://127.0.0.1:{port}?from=lancelot@example.com&to=operator@example.com&mode=insecure")
    assert len(box.mails) == 1
    assert "operator@example.com" in box.mails[0]
    world.flow.submit("COMMS_VERIFY", {"code": code_in(box.mails[0])})
    assert world.flow.is_ready
    assert world.flow.status()["comms"]["label"] == "E-Mail"


def test_a_webhook_brings_the_code_that_verifies(data_folder: Path, webhook: tuple[list[dict[str, Any]], int]) -> None:
    taken, port = webhook
    world = real(World(data_folder))
    onboard_by(world, f"http://127.0.0.1:{port}/hook/with-a-token")
    assert [post["title"] for post in taken] == ["Your Lancelot code"]
    world.flow.submit("COMMS_VERIFY", {"code": code_in(taken[0]["message"])})
    assert world.flow.is_ready
    record = (data_folder / "onboarding" / "onboarding.json").read_text()
    assert "with-a-token" not in record
    assert "with-a-token" not in json.dumps(world.flow.status())


def test_a_channel_that_takes_nothing_is_said_and_left_again(data_folder: Path) -> None:
    world = real(World(data_folder))
    onboard_by(world, "json://127.0.0.1:9/hook")
    assert world.flow.status()["problem"]["code"] == "comms_failed"
    world.flow.command("BACK")
    world.go_to("READY")


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("mailto://user:secret@mail.example.com?to=me@example.com", "E-Mail"),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI/12315544", "Telegram"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "Discord"),
        ("ntfy://a-topic", "ntfy"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general", "Slack"),
        ("https://example.com/hook", "JSON"),
    ],
)
def test_addresses_are_understood_and_never_shown(address: str, label: str) -> None:
    channel = read_channel(address)
    assert channel.label == label
    assert address.split("://")[1] not in repr(channel)


@pytest.mark.parametrize("address", ["", "   ", "me@example.com", "foo://bar", "mailto://a b", "file:///etc/passwd"])
def test_what_is_no_address_is_refused_with_examples(address: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_channel(address)
    assert "mailto://" in refused.value.hint


def test_a_failure_names_the_service_and_not_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(CommsFailed) as failed:
        AppriseSender().send(read_channel("json://user:hunter2@127.0.0.1:9/secret-path"), "title", "body")
    assert "JSON" in failed.value.title
    assert "hunter2" not in str(failed.value)
    assert "secret-path" not in str(failed.value)
    assert not [record for record in caplog.records if record.name.startswith("apprise")]


def test_the_terminal_shows_one_line_set_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().show("Your Lancelot code is 123456.")
    assert capsys.readouterr().out == "\n    Your Lancelot code is 123456.\n\n"
