"""Sends codes, and keeps the digits of a local one in memory, where only this process can show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from lancelot.comms import Channel
from lancelot.errors import Conflict, LancelotError
from lancelot.onboarding.codes import CodeRecord, expired, lifetime_left
from lancelot.onboarding.keeper import Keeper
from lancelot.onboarding.progress import EventHub
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context
from lancelot.onboarding.steps.comms import channel_of, issue_code, message_of

__all__ = ["Postman"]


class Postman:
    """Issues, sends and shows codes for one flow."""

    def __init__(self, keeper: Keeper, events: EventHub, context: Callable[[], Context]) -> None:
        self._keeper, self._events, self._context = keeper, events, context
        self._digits: tuple[str, str] | None = None  # (seal, code) of a local code, in memory only

    def forget(self) -> None:
        """The digits are of no more use."""
        self._digits = None

    def send(self) -> None:
        """Issue a fresh code: its limits are on disk before a digit leaves.

        Raises:
            TooMany: too soon or too often. CommsFailed: the service did not take it; the code is void.
        """
        with self._keeper.changing():
            context = self._context()
            channel = channel_of(context)
            code, record, guards = issue_code(context)
            self._keeper.put(self._keeper.snapshot.changed(guards=guards, problem=None))
            self._digits = (record.sealed, code) if channel is None else None
        title, body = message_of(code)
        if channel is None:
            context.deps.terminal.show(body)
        else:
            try:
                context.deps.sender.send(Channel(SecretStr(channel[0]), channel[1]), title, body)
            except LancelotError:
                self._void(record)
                raise
        self._events.publish("code_sent", channel="local" if channel is None else "remote")

    def _void(self, record: CodeRecord) -> None:
        """Nothing went out, so the code is void and the wait between two sends need not be kept either."""
        with self._keeper.changing():
            guards = self._keeper.snapshot.guards
            if guards.code is not None and guards.code.sealed == record.sealed:
                self._keeper.put(self._keeper.snapshot.changed(guards=guards.changed(code=None, last_sent=None)))

    def show(self) -> dict[str, Any]:
        """{"code", "expires_in_s", "fresh"} of the local channel; see `OnboardingFlow.show_code`."""
        with self._keeper.changing():
            fresh = self._live() is None
        if fresh:
            self.send()
        with self._keeper.changing():
            live = self._live()
            if live is None:
                raise _none_awaited(self._keeper.snapshot.state)
            code, record = live
            return {"code": code, "expires_in_s": round(lifetime_left(record, self._keeper.now)), "fresh": fresh}

    def _live(self) -> tuple[str, CodeRecord] | None:
        """The digits and record of the local code that is out, if this process issued it."""
        snapshot = self._keeper.snapshot
        if snapshot.state is not State.COMMS_VERIFY or snapshot.comms is None or snapshot.comms.kind != "local":
            raise _none_awaited(snapshot.state)
        record = snapshot.guards.code
        if record is None or expired(record, self._keeper.now) or record.channel:
            return None
        return (self._digits[1], record) if self._digits and self._digits[0] == record.sealed else None


def _none_awaited(state: State) -> Conflict:
    return Conflict(
        f"No code for this terminal is awaited; the set-up is at {state}.",
        hint="`lancelot status` says what it waits for.",
        code="no_code_awaited",
    )
