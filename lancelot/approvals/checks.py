"""What a decision may change, and the receipt it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from lancelot.approvals.nouns import Approval, Ask, Scope, StandingRule, ToolCall
from lancelot.errors import BadInput
from lancelot.store.receipts import Receipt

__all__ = ["decision_receipt", "edited_calls", "is_narrower"]


def decision_receipt(
    approval: Approval, decision: str, *, by: str, note: str, edited: bool, rule: StandingRule | None
) -> Receipt:
    """The receipt of a decision: who, what, under which rule; names of tools, never their arguments."""
    ask = approval.ask
    return Receipt(
        request_id=ask.request_id,
        kind="approval",
        key_id=ask.key_id,
        task=ask.task,
        risk=ask.risk if ask.risk in ("low", "medium", "high") else "unknown",
        status="blocked" if decision == "deny" else "ok",
        reasons=[f"{decision} by {by}", *([f"rule: {rule.scope.words()}"] if rule else [])],
        data={
            "approval_id": approval.id,
            "decision": decision,
            "by": by,
            "note": note,
            "edited": edited,
            "rule_id": rule.id if rule else None,
            "park": ask.rule,
            "tools": [tool.name for tool in ask.tools],
        },
    )


def edited_calls(approval: Approval, edited: Sequence[ToolCall | dict[str, Any]]) -> tuple[ToolCall, ...]:
    """The operator's changed calls.

    Raises:
        BadInput: not tool calls, or other tools than were asked for.
    """
    try:
        calls = tuple(one if isinstance(one, ToolCall) else ToolCall.model_validate(one) for one in edited)
    except ValidationError:
        raise BadInput("`edited` must be a list of tool calls.", param="edited") from None
    if [one.name for one in calls] != [one.name for one in approval.ask.tools]:
        raise BadInput("An edit may change arguments, not which tools are called.", param="edited")
    return calls


def is_narrower(new: Scope, old: Scope) -> bool:
    """Whether everything the new scope covers was covered by the old one."""

    def within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
        return not outer or (bool(inner) and all(Scope(tools=outer).covers(_probe(one)) for one in inner))

    return (
        (old.key_id is None or new.key_id == old.key_id)
        and (old.rule is None or new.rule == old.rule)
        and within(new.tools, old.tools)
        and (not old.tasks or (bool(new.tasks) and set(new.tasks) <= set(old.tasks)))
        and (not old.risks or (bool(new.risks) and set(new.risks) <= set(old.risks)))
    )


def _probe(name: str) -> Ask:
    return Ask(what="-", tools=(ToolCall(name=name),))
