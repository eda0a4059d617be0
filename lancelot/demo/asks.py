"""Made-up requests that wait for a person, so that the demonstration's Approvals page has something to decide."""

from __future__ import annotations

from datetime import timedelta

from lancelot.approvals import ApprovalQueue, Ask
from lancelot.approvals.nouns import ToolCall

__all__ = ["fill"]

TTL = timedelta(days=30)
ASKS = (
    Ask(
        who="agent invoice-bot",
        what="Pay invoice 4711 to <ORG_1>: 1,280.00 EUR",
        tools=(ToolCall(name="transfer_money", arguments={"amount_eur": 1280.0, "iban": "<IBAN_1>"}),),
        risk="high",
        reasons=("moves money",),
        task="plan",
        lane="deep",
        key_id="app-crm",
        rule="wires",
        idempotency_key="demo-1",
    ),
    Ask(
        who="key app-mail",
        what="Send the quarterly report to 14 people, <EMAIL_1> among them",
        tools=(ToolCall(name="send_mail", arguments={"to": ["<EMAIL_1>"], "subject": "Quarterly report"}),),
        risk="medium",
        reasons=("leaves the house", "more than ten recipients"),
        task="rewrite",
        lane="fast",
        key_id="app-mail",
        rule="mass-mail",
        idempotency_key="demo-2",
    ),
)


def fill(queue: ApprovalQueue) -> None:
    """Put the asks in; a second time changes nothing, because each bears its idempotency key."""
    for ask in ASKS:
        queue.ask(ask, ttl=TTL)
