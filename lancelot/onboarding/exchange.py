"""Another flagship or another key while everything runs: tried out first, then exchanged so that no moment has neither.

    proposal = exchange.propose(FlagshipWanted(provider="openai", key=…))   # asks the provider; writes nothing
    exchange.save(proposal.id); exchange.back(past.id)

The new key is written beside the old one, then the set-up record is replaced in one atomic write, then the other key
goes. Killed anywhere in between, the record names a key that is there: the old flagship stands, or the new one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from lancelot.config import AUTO
from lancelot.credentials import Credentials
from lancelot.errors import Conflict, LancelotError, NotFound, NotReady, ProviderError, StoreError
from lancelot.filediff import text_diff
from lancelot.onboarding.checks import build_checks
from lancelot.onboarding.clocks import moment
from lancelot.onboarding.facts import Facts, ready_facts
from lancelot.onboarding.keeper import Keeper
from lancelot.onboarding.proofs import Proofs
from lancelot.onboarding.seams import Deps, ProviderSheet
from lancelot.onboarding.snapshot import CredentialsClaim, Flagship, OnboardingSnapshot
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context, Stay
from lancelot.onboarding.steps.credentials import CredentialsForm, CredentialsStep, VerifyStep
from lancelot.onboarding.steps.opening import FlagshipForm, FlagshipStep
from lancelot.repair import Past, Repairer

__all__ = ["KIND", "Exchange", "FlagshipWanted", "Proposal"]

KIND = "flagship"
KEPT_S = 900.0
KEPT = 8
KEY_WORDS = {"stored": "stored here", "environment": "from the environment variable", "none": "none is needed"}


class FlagshipWanted(FlagshipForm, CredentialsForm):
    """The provider, a self-hosted one's address, and its key in one of the ways of the set-up."""

    use_stored: bool = Field(default=False, description="Use the key that is stored for this provider already.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that would do. `diff`: lines with + and -, keys masked; `found`: what the checks said."""

    id: str
    provider: Literal["openai", "anthropic", "gemini", "selfhosted"]
    title: str
    diff: str
    found: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Waiting(NamedTuple):
    proposal: Proposal
    base: tuple[Flagship | None, CredentialsClaim | None]
    fields: dict[str, Any]
    keys: Credentials
    until: float


class Exchange:
    """Changes the flagship of a system that is READY. Thread-safe; what is proposed lives in memory for 15 minutes."""

    def __init__(
        self, deps: Deps, keeper: Keeper, credentials: Credentials, proofs: Proofs, repairer: Repairer
    ) -> None:
        self._deps, self._keeper, self._credentials = deps, keeper, credentials
        self._proofs, self._repairer = proofs, repairer
        self._waiting: dict[str, _Waiting] = {}
        self.note: Callable[..., Any] = lambda *_args, **_data: None  # where each change is noted down as an event

    def propose(self, wanted: FlagshipWanted) -> Proposal:
        """Try a flagship out as the set-up would: the answers are checked, the provider is asked which models the key
        may use, planted secrets are looked for in what would be sent. Writes nothing.

        Raises:
            Conflict: the set-up is not finished. BadInput: an answer is wrong. ProviderError: the provider refuses.
            NotReady: a check failed.
        """
        now = self._ready()
        keys = self._credentials.draft()
        try:
            fields, found = self._tried(wanted, now, keys)
        except LancelotError as refused:
            raise _nothing_changed(refused) from refused
        diff = text_diff(self._words(now, self._credentials), self._words(now.changed(**fields), keys))
        sheet = self._sheet(fields["flagship"])
        proposal = Proposal(secrets.token_hex(8), wanted.provider, _title(fields["flagship"], sheet), diff, found)
        clock = self._deps.clock.boot()
        fresh = {name: one for name, one in list(self._waiting.items())[1 - KEPT :] if one.until > clock}
        base = (now.flagship, now.credentials)
        self._waiting = fresh | {proposal.id: _Waiting(proposal, base, fields, keys, clock + KEPT_S)}
        return proposal

    def save(self, proposal_id: str) -> str:
        """Put a proposal in force; what it replaced can be brought back. Says what was done.

        Raises:
            NotFound: there is no such proposal any more. Conflict: the flagship was changed meanwhile.
            StoreError, DiskFull: it could not be written; the old flagship stands.
        """
        found = self._waiting.get(proposal_id)
        if found is None or found.until <= self._deps.clock.boot():
            raise NotFound("This proposal is not known any more.", hint="Try the change out again.", code="no_proposal")
        with self._keeper.changing():
            now = self._ready()
            if (now.flagship, now.credentials) != found.base:
                raise Conflict(
                    "The flagship was changed by somebody else meanwhile.",
                    hint="Look at the difference again, then save.",
                    code="flagship_changed",
                )
            self._waiting.pop(proposal_id, None)
            if not found.proposal.diff:
                return f"Nothing changed: {found.proposal.title} is in use already, and works."
            self._carry_out(now, found.fields, found.keys, f"The flagship became {found.proposal.title}.")
        return f"The flagship is {found.proposal.title}. What it replaced can be brought back."

    def lanes(self, fast: str, deep: str) -> str:
        """Whether the key in use may use these models, in words; asks the provider.

        Raises:
            ProviderError: it may use neither.
        """
        now = self._ready()
        facts = self._facts(self._credentials)
        if now.flagship is None or {fast, deep} == {AUTO}:
            return "The server says itself which model it has."
        try:
            seen = self._deps.providers.list_models(now.flagship, facts.key_of(now))
        except LancelotError as silent:
            return f"Not checked, because the provider could not be asked: {silent.title}"
        missing = [model for model in dict.fromkeys((fast, deep)) if model != AUTO and model not in seen]
        if len(missing) == len({fast, deep}):
            raise ProviderError(
                f"The provider does not offer this key {' or '.join(missing)}.",
                hint="Choose models that the key may use; nothing was changed.",
                code="models_not_offered",
            )
        if missing:
            return f"Not offered to this key: {missing[0]}. The other lane would stand in."
        return f"Asked just now: both are among the {len(seen)} models this key may use."

    def past(self) -> list[Past]:
        """The changes of the flagship, newest first."""
        return [one for one in self._repairer.history() if one.kind == KIND]

    def back(self, change_id: str | None = None) -> str:
        """Bring back the flagship and the key that a change replaced, the newest change's when none is named.

        Raises:
            NotFound: there is no such change. Conflict: the set-up is not finished, or the key is of another machine.
            StoreError, DiskFull: it could not be written; the present flagship stands.
        """
        wanted = change_id or next((one.id for one in self.past() if one.can_undo), None)
        if wanted is None:
            raise NotFound("There is no change to take back.", hint="Nothing was changed.", code="nothing_to_undo")
        self._repairer.look_up(wanted)
        record = self._repairer.copy_of(wanted, self._keeper.store.path)
        keys = self._repairer.copy_of(wanted, self._credentials.path)
        with self._keeper.changing():
            now, old = self._ready(), _record(record)
            drafted = self._credentials.draft(keys or b"{}")
            fields = {"flagship": old.flagship, "credentials": old.credentials}
            facts, candidate = self._facts(drafted), now.changed(**fields)
            if not (facts.met(State.CREDENTIALS_CAPTURE, candidate) and facts.met(State.CREDENTIALS_VERIFY, candidate)):
                raise Conflict(
                    "The old key was not verified on this machine.", hint="Enter it again.", code="key_not_verified"
                )
            title = _title(candidate.flagship, self._sheet(candidate.flagship))
            self._carry_out(now, fields, drafted, f"The flagship became {title} again.")
            self._repairer.close(wanted)
        return f"The flagship is {title} again, with the key it had."

    # -- inside

    def _tried(
        self, wanted: FlagshipWanted, now: OnboardingSnapshot, keys: Credentials
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The record's new fields and what was found out, by the steps of the set-up on keys in memory."""
        chosen = FlagshipForm(provider=wanted.provider, base_url=wanted.base_url)
        key = CredentialsForm(key=wanted.key, env_name=wanted.env_name, use_stored=wanted.use_stored)
        context = self._context(now, keys)
        context = _after(context, FlagshipStep().accept(chosen, context))
        context = _after(context, CredentialsStep().accept(key, context))
        context = _after(context, VerifyStep().work(context))
        flagship = context.snapshot.flagship
        if flagship is not None and flagship.own_service:
            self._deps.model.start()
        found = []
        for check in build_checks(self._deps, self._keeper.store, keys, self._facts(keys)):
            if check.name in ("lanes", "redaction_canary"):
                outcome = check.run(context.snapshot)
                if not outcome.ok:
                    raise NotReady(outcome.detail, hint=outcome.fix or "Try again.", code="check_failed")
                found.append(f"{outcome.title}: {outcome.detail}")
        return {"flagship": flagship, "credentials": context.snapshot.credentials}, tuple(found)

    def _carry_out(self, now: OnboardingSnapshot, fields: dict[str, Any], keys: Credentials, why: str) -> None:
        """Both keys on disk, then the record, then one key; called inside `changing()`."""
        flagship: Flagship = fields["flagship"]
        kept = self._repairer.keep((self._keeper.store.path, self._credentials.path), why, kind=KIND)
        try:
            self._credentials.offer(flagship.provider, keys)
            after = now.changed(**fields, problem=None)
            after = after.changed(ready_proof=self._proofs.sign("ready", *ready_facts(after)))
            self._keeper.put(after)
        except LancelotError:
            with suppress(LancelotError):
                self._repairer.close(kept)  # it did not come about
            raise
        finally:
            with suppress(LancelotError):  # the next start settles what a full disk leaves open
                self._facts(self._credentials).settle(self._keeper.snapshot)
        self._repairer.note(kept, None, None, "The key was accepted, and nothing planted got out.")
        with suppress(LancelotError):  # the history has it all the same
            self.note("flagship_changed", text=why)

    def _ready(self) -> OnboardingSnapshot:
        self._keeper.look()
        if self._keeper.snapshot.state is not State.READY:
            raise Conflict(
                "The set-up is not finished; the flagship is chosen there.",
                hint="Go on with the set-up; BACK leads to the choice.",
                code="setup_not_finished",
            )
        return self._keeper.snapshot

    def _facts(self, keys: Credentials) -> Facts:
        return Facts(credentials=keys, proofs=self._proofs, model=self._deps.model)

    def _context(self, snapshot: OnboardingSnapshot, keys: Credentials) -> Context:
        return Context(
            deps=self._deps,
            snapshot=snapshot,
            credentials=keys,
            proofs=self._proofs,
            now=moment(self._deps.clock),
            report=lambda progress: None,
            stop=lambda: False,
            send_code=lambda: None,
            checks=lambda: (),
        )

    def _sheet(self, flagship: Flagship | None) -> ProviderSheet | None:
        known = self._deps.providers.sheets()
        return next((sheet for sheet in known if flagship is not None and sheet.name == flagship.provider), None)

    def _words(self, snapshot: OnboardingSnapshot, keys: Credentials) -> str:
        """The flagship as lines that can be compared; a key by its last four characters."""
        flagship, claim = snapshot.flagship, snapshot.credentials
        if flagship is None or claim is None:
            return ""
        sheet = self._sheet(flagship)
        key = KEY_WORDS[claim.source] + (f" {claim.env_name}" if claim.env_name else "")
        mask = f"{keys.mask(flagship.provider)} " if claim.source != "none" else ""
        same = f" ({claim.fingerprint[:6]})" if claim.fingerprint else ""
        rows = [
            f"provider: {flagship.provider}",
            f"address: {flagship.base_url or ('our own local service' if flagship.own_service else 'the usual one')}",
            f"key: {mask}{key}{same}",
            f"fast: {sheet.fast if sheet else 'not configured'}",
            f"deep: {sheet.deep if sheet else 'not configured'}",
        ]
        return "\n".join(rows)


def _after(context: Context, result: Any) -> Context:
    """The context with what a step came to.

    Raises:
        LancelotError: the step refused.
    """
    if isinstance(result, Stay):
        raise result.error
    return replace(context, snapshot=context.snapshot.changed(**result.changes))


def _record(content: bytes | None) -> OnboardingSnapshot:
    try:
        return OnboardingSnapshot.model_validate_json(content or b"")
    except ValidationError as damaged:
        raise StoreError("The kept copy is damaged and stays where it is.", code="copy_damaged") from damaged


def _title(flagship: Flagship | None, sheet: ProviderSheet | None) -> str:
    if flagship is None:
        return "none"
    if flagship.own_service:
        return "our own local service"
    name = sheet.title if sheet else flagship.provider
    return f"{name} at {flagship.base_url}" if flagship.base_url else name


def _nothing_changed(refused: LancelotError) -> LancelotError:
    """The same refusal; where its hint leads back through the set-up, it says instead that nothing happened."""
    if "BACK" in refused.hint:
        refused.hint = "Nothing was changed: the flagship in use stays in use. Correct the answer and try again."
    return refused
