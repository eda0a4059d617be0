"""Message channels: mail, chat services and webhooks through apprise, and the local channel, which is this terminal."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import apprise
from pydantic import SecretStr

from lancelot.errors import BadInput, LancelotError

__all__ = ["AppriseSender", "Channel", "CommsFailed", "Sender", "Terminal", "read_channel"]

LONGEST_URL = 2048


class CommsFailed(LancelotError):
    code, status = "comms_failed", 502
    title = "The message could not be sent."
    hint = "Check the address and the network, then try again."


@dataclass(frozen=True, slots=True)
class Channel:
    """A remote channel whose address has been understood.

    Attributes:
        url: the full address, which may hold a password or a token.
        label: what may be shown: the service's name.
    """

    url: SecretStr
    label: str


class Sender(Protocol):
    def send(self, channel: Channel, title: str, body: str) -> None:
        """Returns when the service has taken the message; raises CommsFailed otherwise."""
        ...


def read_channel(typed: str) -> Channel:
    """The channel behind an address such as mailto://, slack://, tgram://, discord://, ntfy:// or https://.

    A plain http(s) address that no service claims is a webhook and gets a JSON body.

    Raises:
        BadInput: nothing can be sent to this address; code `channel_not_understood`.
    """
    url = typed.strip()
    if not url or len(url) > LONGEST_URL or re.search(r"[\s\x00-\x1f]", url):
        raise _not_understood()
    service = _service(url)
    if service is None and re.match(r"https?://[^/]", url):
        url = "json" + url[4:]
        service = _service(url)
    if service is None:
        raise _not_understood()
    return Channel(SecretStr(url), str(service.service_name))


def _service(url: str) -> Any:
    """The library's own object for an address, or None. Its first use loads modules the standard library deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _quiet()
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _not_understood() -> BadInput:
    return BadInput(
        "This address is not one a message can be sent to.",
        hint="Examples: mailto://user:password@mail.example.com?to=you@example.com, ntfy://topic, "
        "tgram://token/chat, discord://id/token, slack://…, https://example.com/hook.",
        code="channel_not_understood",
    )


class AppriseSender:
    """Sends through the apprise library. Addresses and bodies are never logged."""

    def send(self, channel: Channel, title: str, body: str) -> None:
        """One message, now; blocks until the service took it (the library's own limit: about 15 s to connect).

        Raises:
            CommsFailed: the service did not take it.
        """
        # its lines may hold the address or the body; what a person needs to know is in the error
        _quiet()
        messenger = apprise.Apprise()
        service = _service(channel.url.get_secret_value())
        if service is None or not messenger.add(service):
            raise _not_understood()
        if not messenger.notify(title=title, body=body):
            raise CommsFailed(
                f"{channel.label} did not take the message.",
                hint="Check the address, the password in it and the network; BACK lets you choose another channel.",
            )


class Terminal:
    """The local channel: a line in the terminal that runs the server.

    Args:
        write: where the line goes; standard output by default.
    """

    label = "This machine's terminal"

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or _print

    def show(self, line: str) -> None:
        """The line, set apart from the log."""
        self._write(f"\n    {line}\n")


def _print(line: str) -> None:
    print(line, file=sys.stdout, flush=True)


def _quiet() -> None:
    """The library's own lines name addresses, which may hold passwords and tokens: none of them reaches a log."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
