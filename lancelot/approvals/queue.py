"""The queue of what waits for a person.

    approval = queue.ask(ask)                       # the same idempotency key gives the same approval
    approval = await queue.wait(approval.id, 30)    # or ask again later
    queue.decide(approval.id, "once", by="Ann")     # once | always | deny
    queue.start(approval.id)                        # exactly one caller may go on
    queue.finish(approval.id)

Everything is on disk, redacted, before it is told to anybody: the decision's receipt first, then the state. A kill in
between leaves an approval pending, never allowed. Time never approves: what nobody decides expires.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lancelot.approvals.checks import decision_receipt, edited_calls, is_narrower
from lancelot.approvals.nouns import TRANSITIONS, Approval, Ask, Scope, StandingRule, State, ToolCall, now
from lancelot.errors import BadInput, Conflict, NotFound, StoreError
from lancelot.files import Disk, read_or_none, write_atomic
from lancelot.store.receipts import Receipt

__all__ = ["ApprovalQueue"]

Decision = Literal["once", "always", "deny"]
TTL = timedelta(hours=24)
GRANT_TTL = timedelta(hours=1)  # an allowed ask must be taken up within it
RULE_TTL = timedelta(days=7)
RULE_USES = 100
KEPT = 500  # decided approvals that stay listed


class Receipts(Protocol):
    """`store.ReceiptStore`; durable when `write` returns."""

    def write(self, receipt: Receipt) -> Any: ...


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    approvals: list[Approval] = Field(default_factory=list)
    rules: list[StandingRule] = Field(default_factory=list)


class ApprovalQueue:
    """All approvals of one data folder. Thread-safe.

    Args:
        folder: where approvals.json lies.
        receipts: where every decision becomes durable.
        notify: called (in the asker's thread) with each new approval; the comms channel.
        clock: the time, UTC.

    Raises:
        StoreError: approvals.json is damaged.
    """

    def __init__(
        self,
        folder: Path,
        receipts: Receipts,
        *,
        notify: Callable[[Approval], None] | None = None,
        clock: Callable[[], datetime] = now,
        disk: Disk | None = None,
    ) -> None:
        self._path = folder / "approvals.json"
        self._receipts = receipts
        self._notify = notify
        self._clock = clock
        self._disk = disk
        self._lock = threading.RLock()
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        kept = self._read()
        self._approvals = {one.id: one for one in kept.approvals}
        self._rules = {one.id: one for one in kept.rules}

    # ---- asking

    def ask(self, ask: Ask, *, ttl: timedelta = TTL) -> Approval:
        """The approval for an ask: the one its idempotency key already has, one a standing rule allows, or a new one.

        Raises:
            Conflict: the idempotency key was used for something else.
            StoreError: it could not be kept; nothing is allowed.
        """
        with self._lock:
            self._expire()
            known = self._known(ask)
            if known is not None:
                return known.model_copy(deep=True)
            at = self._clock()
            approval = Approval(ask=ask, created_at=at, expires_at=at + ttl)
            rule = next((one for one in self._rules.values() if one.alive(at) and one.scope.covers(ask)), None)
            if rule is not None:
                self._allow_by_rule(approval, rule)
            self._approvals[approval.id] = approval
            try:
                self._save()
            except StoreError:
                del self._approvals[approval.id]
                if rule is not None:
                    rule.uses -= 1
                raise
            told = approval.model_copy(deep=True)
        if told.state is State.PENDING and self._notify is not None:
            self._notify(told)
        return told

    async def wait(self, approval_id: str, seconds: float) -> Approval:
        """The approval once it is decided, or as it stands after so many seconds."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            approval = self.get(approval_id)
            if approval.state is not State.PENDING or seconds <= 0:
                return approval
            self._waiting.setdefault(approval_id, []).append((loop, event))
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                rest = [one for one in self._waiting.pop(approval_id, []) if one[1] is not event]
                if rest:
                    self._waiting[approval_id] = rest
        return self.get(approval_id)

    def start(self, approval_id: str) -> Approval:
        """Take up an allowed ask; durable on return. Exactly one caller gets it.

        Raises:
            Conflict: it is not allowed, or somebody has taken it up already.
        """
        with self._lock:
            approval = self._move(approval_id, State.STARTED)
            self._save_or_undo(approval, State.ALLOWED)
            return approval.model_copy(deep=True)

    def finish(self, approval_id: str) -> None:
        """What was allowed has been done (or has failed; either way it is over)."""
        with self._lock:
            approval = self._move(approval_id, State.DONE)
            self._save_or_undo(approval, State.STARTED)

    # ---- deciding

    def decide(
        self,
        approval_id: str,
        decision: Decision,
        *,
        by: str = "operator",
        note: str = "",
        edited: Sequence[ToolCall | dict[str, Any]] | None = None,
        scope: Scope | None = None,
        rule_ttl: timedelta = RULE_TTL,
        rule_uses: int = RULE_USES,
    ) -> Approval:
        """Allow once, allow always (with a rule of that scope), or deny. The receipt is durable first.

        Raises:
            Conflict: it is decided or expired already; the first decision stands.
            BadInput: a rule would cover everything or not this ask, or the edit names other tools.
            StoreError: the decision could not be kept; it has not happened.
        """
        if decision not in ("once", "always", "deny"):
            raise BadInput("`decision` is once, always or deny.", param="decision")
        with self._lock:
            self._expire()
            approval = self._get(approval_id)
            if approval.state is not State.PENDING:
                by_whom = f" by {approval.decided_by}" if approval.decided_by else ""
                raise Conflict(f"This is {approval.state} already{by_whom}.", hint="The first decision stands.")
            calls = edited_calls(approval, edited) if edited is not None else None
            rule = self._new_rule(approval, scope, by, note, rule_ttl, rule_uses) if decision == "always" else None
            state = State.DENIED if decision == "deny" else State.ALLOWED
            self._receipts.write(
                decision_receipt(approval, decision, by=by, note=note, edited=calls is not None, rule=rule)
            )
            before = approval.model_copy()
            approval.state, approval.decided_at, approval.decided_by = state, self._clock(), by
            approval.note, approval.edited = note, calls
            approval.expires_at = self._clock() + GRANT_TTL
            if rule is not None:
                approval.standing_rule = rule.id
                self._rules[rule.id] = rule
            try:
                self._save()
            except StoreError:
                self._approvals[approval_id] = before
                if rule is not None:
                    del self._rules[rule.id]
                raise
            self._wake(approval_id)
            return approval.model_copy(deep=True)

    def look_back(self, scope: Scope, past: Iterable[Receipt]) -> list[Receipt]:
        """Which past requests a rule of that scope would have matched, from what their receipts keep."""
        if scope.is_empty():
            raise BadInput("A rule must say what it covers.", param="scope")
        return [one for one in past if scope.covers_past(one.model_dump(include={"assessment", "key_id", "data"}))]

    # ---- rules

    def rules(self) -> list[StandingRule]:
        """All rules, newest first; dead ones too, so that one can see what was."""
        with self._lock:
            return [one.model_copy(deep=True) for one in reversed(self._rules.values())]

    def revoke(self, rule_id: str, *, by: str = "operator") -> StandingRule:
        """End a rule now."""
        return self._change(rule_id, by, "revoked", revoked_at=self._clock())

    def narrow(
        self,
        rule_id: str,
        *,
        scope: Scope | None = None,
        expires_at: datetime | None = None,
        max_uses: int | None = None,
        by: str = "operator",
    ) -> StandingRule:
        """Make a rule cover less, or end sooner.

        Raises:
            BadInput: it would cover more or last longer than before.
        """
        with self._lock:
            rule = self._rule(rule_id)
            wider = (expires_at is not None and expires_at > rule.expires_at) or (
                max_uses is not None and max_uses > rule.max_uses
            )
            if wider or (scope is not None and not is_narrower(scope, rule.scope)):
                raise BadInput("A rule can only be narrowed; make a new one to allow more.", param="scope")
            changes = {"scope": scope, "expires_at": expires_at, "max_uses": max_uses}
            return self._change(rule_id, by, "narrowed", **{k: v for k, v in changes.items() if v is not None})

    # ---- looking

    def get(self, approval_id: str) -> Approval:
        """One approval.

        Raises:
            NotFound: there is none with this id.
        """
        with self._lock:
            self._expire()
            return self._get(approval_id).model_copy(deep=True)

    def list(self, state: State | None = None) -> list[Approval]:
        """Approvals, newest first."""
        with self._lock:
            self._expire()
            found = [one for one in self._approvals.values() if state is None or one.state is state]
            return [one.model_copy(deep=True) for one in sorted(found, key=lambda one: one.id, reverse=True)]

    # ---- inside

    def _known(self, ask: Ask) -> Approval | None:
        if ask.idempotency_key is None:
            return None
        for one in sorted(self._approvals.values(), key=lambda one: one.id, reverse=True):
            if (one.ask.idempotency_key, one.ask.key_id) != (ask.idempotency_key, ask.key_id):
                continue
            if one.ask.fingerprint != ask.fingerprint:
                raise Conflict("This idempotency key was used for another request.", hint="Use a new one.")
            return None if one.state is State.EXPIRED else one
        return None

    def _allow_by_rule(self, approval: Approval, rule: StandingRule) -> None:
        self._receipts.write(
            decision_receipt(approval, "rule", by=f"rule {rule.id}", note=rule.note, edited=False, rule=rule)
        )
        rule.uses += 1
        approval.state, approval.decided_at = State.ALLOWED, self._clock()
        approval.decided_by, approval.standing_rule = f"rule {rule.id}", rule.id

    def _new_rule(
        self, approval: Approval, scope: Scope | None, by: str, note: str, ttl: timedelta, uses: int
    ) -> StandingRule:
        ask = approval.ask
        chosen = scope or Scope(key_id=ask.key_id, rule=ask.rule, tools=tuple(tool.name for tool in ask.tools))
        if chosen.is_empty() or not chosen.covers(ask):
            raise BadInput("The rule must say what it covers, and cover what is being allowed.", param="scope")
        at = self._clock()
        return StandingRule(scope=chosen, created_at=at, created_by=by, note=note, expires_at=at + ttl, max_uses=uses)

    def _change(self, rule_id: str, by: str, what: str, **fields: Any) -> StandingRule:
        with self._lock:
            rule = self._rule(rule_id)
            changed = rule.model_copy(update=fields)
            self._receipts.write(
                Receipt(
                    request_id=rule_id,
                    kind="approval",
                    reasons=[f"rule {what} by {by}: {changed.scope.words()}"],
                    data={"event": f"rule_{what}", "rule_id": rule_id, "by": by},
                )
            )
            self._rules[rule_id] = changed
            try:
                self._save()
            except StoreError:
                self._rules[rule_id] = rule
                raise
            return changed.model_copy(deep=True)

    def _move(self, approval_id: str, state: State) -> Approval:
        self._expire()
        approval = self._get(approval_id)
        if state not in TRANSITIONS[approval.state]:
            raise Conflict(f"This is {approval.state}; it cannot become {state}.", hint="Ask again.")
        approval.state = state
        return approval

    def _save_or_undo(self, approval: Approval, before: State) -> None:
        try:
            self._save()
        except StoreError:
            approval.state = before
            raise

    def _expire(self) -> None:
        at = self._clock()
        for one in self._approvals.values():
            if one.state in (State.PENDING, State.ALLOWED) and one.expires_at <= at:
                one.state = State.EXPIRED
                self._wake(one.id)

    def _wake(self, approval_id: str) -> None:
        for loop, event in self._waiting.get(approval_id, []):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _get(self, approval_id: str) -> Approval:
        found = self._approvals.get(approval_id)
        if found is None:
            raise NotFound("There is no such approval.")
        return found

    def _rule(self, rule_id: str) -> StandingRule:
        found = self._rules.get(rule_id)
        if found is None:
            raise NotFound("There is no such rule.")
        return found

    def _save(self) -> None:
        over = [one for one in self._approvals.values() if not TRANSITIONS[one.state]]
        for one in sorted(over, key=lambda one: one.id)[:-KEPT]:
            del self._approvals[one.id]
        kept = _Kept(approvals=list(self._approvals.values()), rules=list(self._rules.values()))
        write_atomic(self._path, orjson.dumps(kept.model_dump(mode="json")), disk=self._disk)

    def _read(self) -> _Kept:
        content = read_or_none(self._path)
        if content is None:
            return _Kept()
        try:
            return _Kept.model_validate_json(content)
        except ValidationError:
            raise StoreError(
                "approvals.json cannot be read.",
                code="approvals_damaged",
                hint="Move it aside; what waited asks again.",
            ) from None
