"""Word to the operator about a waiting approval, through the channel the set-up has verified."""

from __future__ import annotations

import logging
import threading

from lancelot.approvals import Approval
from lancelot.comms import read_channel
from lancelot.credentials import Credentials
from lancelot.errors import LancelotError
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["tell_of_approval"]

log = logging.getLogger(__name__)


def tell_of_approval(approval: Approval, credentials: Credentials, onboarding: OnboardingFlow, url: str | None) -> None:
    """Send word in the background; a channel that fails holds nothing up.

    Args:
        url: this process's own address, for the link to the page.
    """
    ask, where = approval.ask, f" at {url}/approvals-queue?id={approval.id}" if url else ""
    words = f"{ask.who} asks: {ask.what} (risk {ask.risk}). Decide under Approvals{where}."
    channel, deps = credentials.comms_url(), onboarding.deps

    def send() -> None:
        if channel is None:
            deps.terminal.show(words)
            return
        try:
            deps.sender.send(read_channel(channel.get_secret_value()), "Lancelot: an approval waits", words)
        except LancelotError as problem:
            log.warning("the operator could not be told of approval %s: %s", approval.id, problem.code)

    threading.Thread(target=send, name="tell-operator", daemon=True).start()
