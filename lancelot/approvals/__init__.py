"""What waits for a person: the queue, the decisions, the standing rules."""

from lancelot.approvals.nouns import Approval, Ask, Scope, StandingRule, State
from lancelot.approvals.queue import ApprovalQueue

__all__ = ["Approval", "ApprovalQueue", "Ask", "Scope", "StandingRule", "State"]
