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
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from lancelot.approvals.bell import Bell
from lancelot.approvals.checks import decision_receipt, edited_calls
from lancelot.approvals.masking import Originals, lost, masked, restored
from lancelot.approvals.nouns import TRANSITIONS, Approval, Ask, Scope, StandingRule, State, ToolCall, now
from lancelot.approvals.rules import LookBack, Receipts, RuleBook
from lancelot.approvals.shelf import Shelf
from lancelot.errors import BadInput, Conflict, NotFound, StoreError, TooMany
from lancelot.files import Disk
from lancelot.redaction.redactor import Redactor
from lancelot.redaction.vault import Vault
from lancelot.store.receipts import Receipt

__all__ = ["ApprovalQueue"]

Decision = Literal["once", "always", "deny"]
TTL = timedelta(hours=24)
GRANT_TTL = timedelta(hours=1)  # an allowed ask must be taken up within it
RULE_TTL = timedelta(days=7)
RULE_USES = 100
MOST_WAITING = 1_000


class ApprovalQueue:
    """All approvals of one data folder. Thread-safe.

    Args:
        folder: where approvals.json lies.
        receipts: where every decision becomes durable.
        notify: called (in the asker's thread) with each new approval; the comms channel.
        redactor: hides personal data in what an operator writes (notes, edited arguments); None leaves it as it is.
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
        redactor: Redactor | None = None,
        clock: Callable[[], datetime] = now,
        disk: Disk | None = None,
    ) -> None:
        self._receipts = receipts
        self._notify = notify
        self._redactor = redactor
        self._clock = clock
        self._shelf = Shelf(folder, clock, disk)
        self._lock = self._shelf.lock
        self._rules = RuleBook(self._shelf, receipts, clock)
        self.write_anew = self._shelf.save  # what is in memory, over a file that was damaged meanwhile
        self._originals = Originals()
        self._bell = Bell()

    # ---- asking

    def ask(self, ask: Ask, *, vault: Vault | None = None, ttl: timedelta = TTL) -> Approval:
        """The approval for an ask: the one its idempotency key already has, one a standing rule allows, or a new one.

        Args:
            vault: where the originals of the ask's placeholders are; kept in memory for `calls`.

        Raises:
            Conflict: the idempotency key was used for something else.
            TooMany: a thousand wait already.
            StoreError: it could not be kept; nothing is allowed.
        """
        with self._lock:
            self._expire()
            approval = self._known(ask) or self._new(ask, ttl)
            if vault is not None and TRANSITIONS[approval.state]:
                self._originals.keep(approval.id, vault)
            fresh = approval.ask is ask and approval.state is State.PENDING
            told = approval.model_copy()
        if fresh and self._notify is not None:
            self._notify(told)
        return told

    async def wait(self, approval_id: str, seconds: float) -> Approval:
        """The approval once it is decided, or as it stands after so many seconds."""
        event = self._bell.listen(approval_id)  # before looking, so that no decision falls in between
        try:
            if self.get(approval_id).state is State.PENDING and seconds > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await event.wait()
        finally:
            self._bell.leave(approval_id, event)
        return self.get(approval_id)

    def start(self, approval_id: str) -> Approval:
        """Take up an allowed ask; durable on return. Exactly one caller gets it.

        Raises:
            Conflict: it is not allowed, somebody has taken it up already, or (`originals_gone`) an edit speaks of
                personal data that this process does not know.
        """
        with self._lock:
            approval = self._get(approval_id)
            if approval.state is State.ALLOWED and self._forgot(approval_id, approval.edited or ()):
                raise Conflict(
                    "The edited arguments hold personal data that is no longer in memory.",
                    hint="Send the same request again, then start it; if the edit itself held it, ask anew.",
                    code="originals_gone",
                )
            self._move(approval, State.STARTED)
            return approval.model_copy()

    def calls(self, approval_id: str) -> list[dict[str, Any]]:
        """The calls to make, as edited or else as asked: [{"name", "arguments"}], originals put back where known."""
        with self._lock:
            return restored(self._get(approval_id).tools(), self._originals.get(approval_id))

    def finish(self, approval_id: str) -> Approval:
        """What was allowed has been done (or has failed; either way it is over)."""
        with self._lock:
            approval = self._get(approval_id)
            self._move(approval, State.DONE)
            self._originals.forget(approval_id)
            return approval.model_copy()

    def digest(self, content: bytes) -> str:
        """A keyed digest of a request, for `Ask.fingerprint`; gives nothing away. Raises StoreError."""
        return self._shelf.digest(content)

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
        if note and self._redactor is not None:
            note = self._redactor.redact(note).text
        with self._lock:
            self._expire()
            approval = self._get(approval_id)
            if approval.state is not State.PENDING:
                by_whom = f" by {approval.decided_by}" if approval.decided_by else ""
                raise Conflict(f"This is {approval.state} already{by_whom}.", hint="The first decision stands.")
            calls = self._hidden(approval, edited_calls(approval, edited)) if edited is not None else None
            rule = self._rules.made(approval, scope, by, note, rule_ttl, rule_uses) if decision == "always" else None
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
                self._shelf.rules[rule.id] = rule
            try:
                self._shelf.save()
            except StoreError:
                self._shelf.approvals[approval_id] = before
                if rule is not None:
                    del self._shelf.rules[rule.id]
                raise
            if state is State.DENIED:
                self._originals.forget(approval_id)
            self._bell.ring(approval_id)
            return approval.model_copy()

    # ---- rules

    def rules(self) -> list[StandingRule]:
        """All rules, newest first; ended ones too, so that one can see what was."""
        return self._rules.all()

    def revoke(self, rule_id: str, *, by: str = "operator") -> StandingRule:
        """End a rule now."""
        return self._rules.revoke(rule_id, by=by)

    def narrow(
        self,
        rule_id: str,
        *,
        scope: Scope | None = None,
        expires_at: datetime | None = None,
        max_uses: int | None = None,
        by: str = "operator",
    ) -> StandingRule:
        """Make a rule cover less, or end sooner; see `RuleBook.narrow`."""
        return self._rules.narrow(rule_id, scope=scope, expires_at=expires_at, max_uses=max_uses, by=by)

    def look_back(self, scope: Scope, past: Iterable[Receipt]) -> LookBack:
        """Which past requests a rule of that scope would have matched; see `RuleBook.look_back`."""
        return self._rules.look_back(scope, past)

    # ---- looking

    def get(self, approval_id: str) -> Approval:
        """One approval.

        Raises:
            NotFound: there is none with this id.
        """
        with self._lock:
            self._expire()
            return self._get(approval_id).model_copy()

    def list(self, state: State | None = None) -> list[Approval]:
        """Approvals, newest first."""
        with self._lock:
            self._expire()
            found = [one for one in self._shelf.approvals.values() if state is None or one.state is state]
            return [one.model_copy() for one in sorted(found, key=lambda one: one.id, reverse=True)]

    # ---- inside

    def _known(self, ask: Ask) -> Approval | None:
        if ask.idempotency_key is None:
            return None
        same = [
            one
            for one in self._shelf.approvals.values()
            if (one.ask.idempotency_key, one.ask.key_id) == (ask.idempotency_key, ask.key_id)
        ]
        if not same:
            return None
        newest = max(same, key=lambda one: one.id)
        if newest.ask.fingerprint != ask.fingerprint:
            raise Conflict("This idempotency key was used for another request.", hint="Use a new one.")
        return None if newest.state is State.EXPIRED else newest

    def _new(self, ask: Ask, ttl: timedelta) -> Approval:
        at = self._clock()
        approval = Approval(ask=ask, created_at=at, expires_at=at + ttl)
        rule = self._rules.covering(ask)
        if rule is not None:
            self._allow_by_rule(approval, rule)
        elif sum(one.state is State.PENDING for one in self._shelf.approvals.values()) >= MOST_WAITING:
            raise TooMany(
                "Too many requests wait for a person already.", hint="Decide some under Approvals.", retry_after=60.0
            )
        self._shelf.approvals[approval.id] = approval
        try:
            self._shelf.save()
        except StoreError:
            del self._shelf.approvals[approval.id]
            if rule is not None:
                rule.uses -= 1
            raise
        return approval

    def _allow_by_rule(self, approval: Approval, rule: StandingRule) -> None:
        self._receipts.write(
            decision_receipt(approval, "rule", by=f"rule {rule.id}", note=rule.note, edited=False, rule=rule)
        )
        rule.uses += 1
        approval.state, approval.decided_at = State.ALLOWED, self._clock()
        approval.decided_by, approval.standing_rule = f"rule {rule.id}", rule.id
        approval.expires_at = self._clock() + GRANT_TTL

    def _hidden(self, approval: Approval, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        """An operator's calls as they may be kept: what they typed hidden, placeholders of the ask as they were."""
        if self._redactor is None:
            return calls
        if self._forgot(approval.id, calls):
            raise Conflict(
                "The originals are not in memory, so these arguments cannot be edited now.",
                hint="Allow it as it stands, deny it, or let the caller send it again first.",
                code="originals_gone",
            )
        vault = self._originals.get(approval.id)
        whole = tuple(ToolCall.model_validate(one) for one in restored(calls, vault))
        hidden = masked(self._redactor, (), whole, vault=vault)
        self._originals.keep(approval.id, hidden.vault)
        return hidden.tools

    def _forgot(self, approval_id: str, calls: Sequence[ToolCall]) -> bool:
        return self._redactor is not None and lost(calls, self._originals.get(approval_id))

    def _move(self, approval: Approval, state: State) -> None:
        self._expire()
        before = approval.state
        if state not in TRANSITIONS[before]:
            raise Conflict(f"This is {before}; it cannot become {state}.", hint="Ask again.")
        approval.state = state
        try:
            self._shelf.save()
        except StoreError:
            approval.state = before
            raise

    def _expire(self) -> None:
        at = self._clock()
        for one in self._shelf.approvals.values():
            if one.state in (State.PENDING, State.ALLOWED) and one.expires_at <= at:
                one.state = State.EXPIRED
                self._originals.forget(one.id)
                self._bell.ring(one.id)

    def _get(self, approval_id: str) -> Approval:
        found = self._shelf.approvals.get(approval_id)
        if found is None:
            raise NotFound("There is no such approval.")
        return found
