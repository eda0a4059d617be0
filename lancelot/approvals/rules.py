"""The standing rules that "always" makes: they end by time and by use, can be narrowed and revoked, never widened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from lancelot.approvals.checks import is_narrower
from lancelot.approvals.nouns import Approval, Ask, Scope, StandingRule
from lancelot.approvals.shelf import Shelf
from lancelot.errors import BadInput, NotFound, StoreError
from lancelot.store.receipts import Receipt

__all__ = ["LookBack", "Match", "Receipts", "RuleBook", "default_scope"]

SHOWN = 50


class Receipts(Protocol):
    """`store.ReceiptStore`; durable when `write` returns."""

    def write(self, receipt: Receipt) -> Any: ...


class Match(NamedTuple):
    """A past request that a rule would have matched; `receipt_id` is None where only the queue remembers it."""

    request_id: str
    at: datetime
    who: str
    tools: tuple[str, ...]
    task: str
    risk: str
    receipt_id: str | None


class LookBack(NamedTuple):
    """What a rule would have done to the past.

    Attributes:
        looked_at: different past requests that were looked at.
        since: the oldest of them; None when there was none.
        matched: how many it would have matched.
        newest: up to 50 of these, newest first.
    """

    looked_at: int
    since: datetime | None
    matched: int
    newest: list[Match]


def default_scope(ask: Ask) -> Scope:
    """The narrowest rule that covers this ask; an empty one when neither tools nor a rule tell its like."""
    tools = tuple(dict.fromkeys(tool.name for tool in ask.tools))
    if not tools and ask.rule is None:
        return Scope()
    risks = (ask.risk,) if ask.risk in ("low", "medium", "high") else ()
    return Scope(key_id=ask.key_id, rule=ask.rule, tools=tools, risks=risks)


class RuleBook:
    """The rules of one shelf. Thread-safe."""

    def __init__(self, shelf: Shelf, receipts: Receipts, clock: Callable[[], datetime]) -> None:
        self._shelf = shelf
        self._receipts = receipts
        self._clock = clock

    def all(self) -> list[StandingRule]:
        """All rules, newest first; ended ones too, so that one can see what was."""
        with self._shelf.lock:
            return [one.model_copy() for one in reversed(self._shelf.rules.values())]

    def covering(self, ask: Ask) -> StandingRule | None:
        """A rule that allows this ask now."""
        at = self._clock()
        return next((one for one in self._shelf.rules.values() if one.alive(at) and one.scope.covers(ask)), None)

    def made(
        self, approval: Approval, scope: Scope | None, by: str, note: str, ttl: timedelta, uses: int
    ) -> StandingRule:
        """A new rule, not yet on the shelf.

        Raises:
            BadInput: it would cover everything, or not what is being allowed.
        """
        chosen = scope or default_scope(approval.ask)
        if chosen.is_empty() or not chosen.covers(approval.ask):
            raise BadInput("The rule must say what it covers, and cover what is being allowed.", param="scope")
        at = self._clock()
        return StandingRule(scope=chosen, created_at=at, created_by=by, note=note, expires_at=at + ttl, max_uses=uses)

    def revoke(self, rule_id: str, *, by: str) -> StandingRule:
        """End a rule now; one that has been revoked stays as it is."""
        with self._shelf.lock:
            rule = self._get(rule_id)
            if rule.revoked_at is not None:
                return rule.model_copy()
            return self._change(rule, by, "revoked", revoked_at=self._clock())

    def narrow(
        self,
        rule_id: str,
        *,
        scope: Scope | None = None,
        expires_at: datetime | None = None,
        max_uses: int | None = None,
        by: str,
    ) -> StandingRule:
        """Make a rule cover less, or end sooner.

        Raises:
            BadInput: it would cover more or last longer than before, or it has ended.
        """
        with self._shelf.lock:
            rule = self._get(rule_id)
            if not rule.alive(self._clock()):
                raise BadInput("This rule has ended.", hint="*Allow always* on a waiting request makes a new one.")
            wider = (expires_at is not None and expires_at > rule.expires_at) or (
                max_uses is not None and max_uses > rule.max_uses
            )
            if wider or (scope is not None and not is_narrower(scope, rule.scope)):
                raise BadInput(
                    "A rule can only be narrowed.",
                    hint="Make a new one to allow more.",
                    param="scope",
                    code="not_narrower",
                )
            changes = {"scope": scope, "expires_at": expires_at, "max_uses": max_uses}
            return self._change(rule, by, "narrowed", **{k: v for k, v in changes.items() if v is not None})

    def look_back(self, scope: Scope, receipts: Iterable[Receipt]) -> LookBack:
        """Which past requests a rule of that scope would have matched: those of the receipts, and what was asked here.

        Raises:
            BadInput: the scope would cover everything.
        """
        if scope.is_empty():
            raise BadInput("A rule must say what it covers.", param="scope")
        past: dict[str, Match] = {}
        covered: set[str] = set()
        for receipt in receipts:
            match, rule, key = _of_receipt(receipt)
            past.setdefault(match.request_id, match)
            if scope.covers_facts(key, rule, match.tools, match.task, match.risk):
                covered.add(match.request_id)
        with self._shelf.lock:
            for one in self._shelf.approvals.values():
                past[one.ask.request_id] = _of_approval(one, past.get(one.ask.request_id))
                if scope.covers(one.ask):
                    covered.add(one.ask.request_id)
        newest = sorted((past[one] for one in covered), key=lambda match: match.at, reverse=True)
        since = min((match.at for match in past.values()), default=None)
        return LookBack(len(past), since, len(newest), newest[:SHOWN])

    def _get(self, rule_id: str) -> StandingRule:
        found = self._shelf.rules.get(rule_id)
        if found is None:
            raise NotFound("There is no such rule.")
        return found

    def _change(self, rule: StandingRule, by: str, what: str, **fields: Any) -> StandingRule:
        changed = rule.model_copy(update=fields)
        self._receipts.write(
            Receipt(
                request_id=rule.id,
                kind="approval",
                reasons=[f"rule {what} by {by}: {changed.scope.words()}"],
                data={"event": f"rule_{what}", "rule_id": rule.id, "by": by},
            )
        )
        self._shelf.rules[rule.id] = changed
        try:
            self._shelf.save()
        except StoreError:
            self._shelf.rules[rule.id] = rule
            raise
        return changed.model_copy()


def _of_receipt(receipt: Receipt) -> tuple[Match, str | None, str | None]:
    """What a receipt keeps of its request: facts, the rule that parked it, the key."""
    kept: Mapping[str, Any] = receipt.assessment or {}
    tools = receipt.data.get("tools") if receipt.kind == "approval" else kept.get("tool_names")
    match = Match(
        request_id=receipt.request_id,
        at=receipt.at,
        who=f"key {receipt.key_id}" if receipt.key_id else "the operator",
        tools=tuple(str(name) for name in tools or ()),
        task=str(kept.get("task") or receipt.task or "unknown"),
        risk=str(kept.get("risk") or receipt.risk),
        receipt_id=receipt.id,
    )
    return match, receipt.data.get("park"), receipt.key_id


def _of_approval(approval: Approval, known: Match | None) -> Match:
    ask = approval.ask
    return Match(
        request_id=ask.request_id,
        at=approval.created_at,
        who=ask.who,
        tools=tuple(tool.name for tool in ask.tools),
        task=ask.task,
        risk=ask.risk,
        receipt_id=known.receipt_id if known else None,
    )
