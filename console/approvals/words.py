"""How approvals are told: states, risks and rules in words."""

from __future__ import annotations

from datetime import UTC, datetime

from console.widgets import ago
from lancelot.approvals import Approval, StandingRule, State

__all__ = ["RISKS", "RISK_COLOURS", "STATE_WORDS", "rule_words", "times_words"]

RISKS = ["low", "medium", "high", "unknown"]
RISK_COLOURS = {"high": "red", "medium": "orange", "low": "green"}
STATE_WORDS = {
    State.PENDING: "waits",
    State.ALLOWED: "allowed, not yet taken up",
    State.STARTED: "allowed, under way",
    State.DONE: "allowed and done",
    State.DENIED: "denied",
    State.EXPIRED: "expired undecided",
}


def times_words(approval: Approval) -> str:
    """When it was asked and when it ends."""
    asked = f"asked {ago(approval.created_at)} ago ({approval.created_at:%Y-%m-%d %H:%M} UTC)"
    if approval.state is State.PENDING:
        return f"{asked} · expires in {ago(approval.expires_at)}, undecided; time never approves"
    return asked


def rule_words(rule: StandingRule) -> str:
    """How much of a rule is used up, and when it ends or has ended."""
    used = f"used {rule.uses:,} of {rule.max_uses:,} times"
    if rule.revoked_at is not None:
        return f"revoked {ago(rule.revoked_at)} ago · {used}"
    if rule.uses >= rule.max_uses:
        return f"used up · {used}"
    if not rule.alive(datetime.now(UTC)):
        return f"expired {ago(rule.expires_at)} ago · {used}"
    return f"{used} · expires in {ago(rule.expires_at)} ({rule.expires_at:%Y-%m-%d %H:%M} UTC)"
