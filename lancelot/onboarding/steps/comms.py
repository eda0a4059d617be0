"""COMMS_SELECTION, COMMS_CONFIGURE and COMMS_VERIFY: the channel that reaches you, proven by a code."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from lancelot.comms import Terminal, read_channel
from lancelot.errors import BadInput, Conflict, LancelotError, TooMany
from lancelot.onboarding.clocks import moment
from lancelot.onboarding.codes import ATTEMPTS, CodeRecord, clean_code, expired, is_right, new_code, no_code_error, seal
from lancelot.onboarding.cooldown import (
    Guards,
    check_may_send,
    code_sent,
    code_verified,
    remaining,
    send_wait,
    wrong_attempt,
)
from lancelot.onboarding.facts import comms_facts
from lancelot.onboarding.snapshot import CommsClaim
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context, Cool, Done, Form, Result, Stay, Work

__all__ = [
    "CommsConfigureForm",
    "CommsConfigureStep",
    "CommsSelectionForm",
    "CommsSelectionStep",
    "CommsVerifyForm",
    "CommsVerifyStep",
    "channel_of",
    "issue_code",
    "message_of",
]


class CommsSelectionForm(Form):
    """How a person is reached."""

    channel: Literal["local", "remote"] = Field(
        description="local: this machine's terminal. remote: mail, chat or a webhook, by address."
    )


class CommsSelectionStep:
    """Local or remote. The same choice as before keeps its verification."""

    state: ClassVar[State] = State.COMMS_SELECTION
    title: ClassVar[str] = "Channel"
    automatic: ClassVar[bool] = False
    form: ClassVar[type[Form]] = CommsSelectionForm

    def accept(self, form: CommsSelectionForm, context: Context) -> Result:
        old = context.snapshot.comms
        if old is not None and old.kind == form.channel:
            return Done()
        return Done({"comms": CommsClaim(kind=form.channel, label=Terminal.label if form.channel == "local" else "")})

    def work(self, context: Context) -> Result:
        return Done()


class CommsConfigureForm(Form):
    """Where the code goes."""

    url: SecretStr | None = Field(
        default=None, description="Remote only: mailto://, slack://, tgram://, discord://, ntfy:// or https:// address."
    )
    use_stored: bool = Field(default=False, description="Remote only: use the address stored earlier.")


class CommsConfigureStep:
    """Takes the address; its work sends the code."""

    state: ClassVar[State] = State.COMMS_CONFIGURE
    title: ClassVar[str] = "Address"
    automatic: ClassVar[bool] = False
    form: ClassVar[type[Form]] = CommsConfigureForm

    def accept(self, form: CommsConfigureForm, context: Context) -> Result:
        """Work (a code is sent), or Done when this very channel is verified already.

        Raises:
            BadInput: the address is missing or cannot be understood.
            TooMany: a code was sent a moment ago.
        """
        claim = _chosen(context)
        if claim.kind == "remote":
            claim = self._remote(form, claim, context)
        elif form.url is not None and form.url.get_secret_value().strip():
            raise BadInput("The local channel has no address.", hint="Leave it out.", code="address_not_needed")
        if context.proofs.holds(claim.proof, "comms", *comms_facts(claim)):
            return Done({"comms": claim}, note="This channel is verified already.")
        if _already_out(claim, context):
            return Done({"comms": claim}, note="A code went there a moment ago; RESEND CODE sends another.")
        check_may_send(context.snapshot.guards, context.now)
        return Work({"comms": claim})

    def _remote(self, form: CommsConfigureForm, old: CommsClaim, context: Context) -> CommsClaim:
        typed = form.url.get_secret_value() if form.url is not None else ""
        if not typed.strip() and (form.use_stored or old.fingerprint):
            stored = context.credentials.comms_url()
            typed = stored.get_secret_value() if stored else ""
        if not typed.strip():
            raise BadInput(
                "The address of the channel is missing.",
                hint="For example mailto://user:password@mail.example.com?to=you@example.com.",
                code="address_missing",
            )
        channel = read_channel(typed)
        plain = channel.url.get_secret_value()
        fingerprint = context.proofs.fingerprint(plain)
        if fingerprint == old.fingerprint and context.credentials.comms_url() is not None:
            return old
        context.credentials.put_comms_url(plain)
        return CommsClaim(kind="remote", label=channel.label, fingerprint=fingerprint)

    def work(self, context: Context) -> Result:
        """Done once a code went out; Stay with the reason when the service did not take it."""
        try:
            context.send_code()
        except LancelotError as failed:
            return Stay(failed)
        return Done()


class CommsVerifyForm(Form):
    """The six digits. May be left out when the channel is verified already."""

    code: SecretStr | None = Field(default=None, description="The six digits you received.")


class CommsVerifyStep:
    """Compares the code; wrong ones are counted, the fifth begins a cooldown."""

    state: ClassVar[State] = State.COMMS_VERIFY
    title: ClassVar[str] = "Code"
    automatic: ClassVar[bool] = False
    form: ClassVar[type[Form]] = CommsVerifyForm

    def accept(self, form: CommsVerifyForm, context: Context) -> Result:
        """Done, Stay with the attempts left, or Cool.

        Raises:
            BadInput: not six digits (not counted). Conflict: no valid code is out (not counted).
        """
        claim, guards, now = _chosen(context), context.snapshot.guards, context.now
        if context.proofs.holds(claim.proof, "comms", *comms_facts(claim)):
            return Done(note="This channel is verified already.")
        code = clean_code(form.code.get_secret_value() if form.code else "")
        if guards.code is None or expired(guards.code, now) or guards.code.channel != claim.fingerprint:
            raise no_code_error()
        if is_right(guards.code, code, context.proofs.key()):
            proof = context.proofs.sign("comms", *comms_facts(claim))
            verified = claim.model_copy(update={"proof": proof, "verified_at": now.wall})
            return Done({"comms": verified, "guards": code_verified(guards)})
        counted, cooling = wrong_attempt(guards, now)
        if cooling:
            wait = math.ceil(remaining(counted, now))
            return Cool(
                TooMany(
                    f"The code was wrong {ATTEMPTS} times.",
                    hint=f"A wait of {wait} s has begun and ends by itself; then RESEND CODE sends a new code.",
                    code="cooldown",
                    retry_after=wait,
                ),
                {"guards": counted},
            )
        left = ATTEMPTS - counted.attempts
        wrong = BadInput(
            f"This code is wrong; {left} {'attempt is' if left == 1 else 'attempts are'} left.",
            hint="Type the newest code you received; an older one no longer counts.",
            code="code_wrong",
            attempts_left=left,
        )
        return Stay(wrong, {"guards": counted})

    def work(self, context: Context) -> Result:
        return Done()


def _chosen(context: Context) -> CommsClaim:
    if context.snapshot.comms is None:
        raise Conflict("No channel is chosen yet.", hint="BACK leads to the choice.", code="channel_missing")
    return context.snapshot.comms


def _already_out(claim: CommsClaim, context: Context) -> bool:
    """Whether a live code went to this very channel too recently to send another: going on loses nothing."""
    guards, now = context.snapshot.guards, context.now
    live = guards.code is not None and not expired(guards.code, now) and guards.code.channel == claim.fingerprint
    return live and send_wait(guards, now) > 0 and remaining(guards, now) <= 0


def issue_code(context: Context) -> tuple[str, CodeRecord, Guards]:
    """A fresh code's digits, its record, and the guards that must be on disk before it is shown or sent.

    Raises:
        TooMany: a code was sent a moment ago, or too often.
    """
    now = moment(context.deps.clock)
    check_may_send(context.snapshot.guards, now)
    code = new_code()
    record = seal(code, context.proofs.key(), now, _chosen(context).fingerprint)
    return code, record, code_sent(context.snapshot.guards, record, now)


def message_of(code: str) -> tuple[str, str]:
    """Title and body of the message that carries a code."""
    return "Your Lancelot code", f"Your Lancelot code is {code}. It is good for 10 minutes and works once."


def channel_of(context: Context) -> tuple[str, str] | None:
    """The stored remote address and its label, or None for the local channel.

    Raises:
        LancelotError: the address is gone.
    """
    claim = _chosen(context)
    if claim.kind == "local":
        return None
    url = context.credentials.comms_url()
    if url is None:
        raise LancelotError(
            "The channel's address is no longer stored.", hint="BACK lets you enter it again.", code="address_missing"
        )
    return url.get_secret_value(), claim.label
