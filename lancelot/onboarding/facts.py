"""How far the facts carry: a snapshot is believed only up to the first claim that does not hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from pydantic import SecretStr

from lancelot.credentials import Credentials
from lancelot.errors import LancelotError
from lancelot.onboarding.proofs import Proofs
from lancelot.onboarding.seams import LocalModel
from lancelot.onboarding.snapshot import CommsClaim, CredentialsClaim, Flagship, ModelClaim, OnboardingSnapshot
from lancelot.onboarding.states import ORDER, State

__all__ = ["Facts", "comms_facts", "credentials_facts", "model_facts", "ready_facts"]

NO_URL = "-"


def credentials_facts(flagship: Flagship, claim: CredentialsClaim) -> tuple[str | None, ...]:
    """What the credentials' proof is signed for: provider, address, where the key is, the key's fingerprint."""
    return (flagship.provider, flagship.base_url or NO_URL, claim.source, claim.env_name or "", claim.fingerprint)


def model_facts(claim: ModelClaim) -> tuple[str | None, ...]:
    """What the model's proof is signed for: id and checksum."""
    return (claim.model_id, claim.sha256)


def comms_facts(claim: CommsClaim) -> tuple[str | None, ...]:
    """What the channel's proof is signed for: kind and the address's fingerprint."""
    return (claim.kind, claim.fingerprint)


def ready_facts(snapshot: OnboardingSnapshot) -> tuple[str | None, ...]:
    """What READY is signed for: the three proofs it stands on."""
    return (
        snapshot.credentials.proof if snapshot.credentials else None,
        snapshot.model.proof if snapshot.model else None,
        snapshot.comms.proof if snapshot.comms else None,
    )


class Facts:
    """Compares a snapshot's claims with what is on this machine."""

    def __init__(self, *, credentials: Credentials, proofs: Proofs, model: LocalModel) -> None:
        self._credentials = credentials
        self._proofs = proofs
        self._model = model

    def furthest(self, snapshot: OnboardingSnapshot) -> State:
        """The furthest state the facts allow: the first one whose own requirement is not met, or READY."""
        for state in ORDER:
            requirement = self._requirements().get(state)
            if requirement is not None and not requirement(snapshot):
                return state
        return State.READY

    def met(self, state: State, snapshot: OnboardingSnapshot) -> bool:
        """Whether the state's own requirement holds, so that the step has nothing left to do."""
        requirement = self._requirements().get(state)
        return requirement is None or requirement(snapshot)

    def _requirements(self) -> dict[State, Callable[[OnboardingSnapshot], bool]]:
        return {
            State.FLAGSHIP_SELECTION: lambda snapshot: snapshot.flagship is not None,
            State.CREDENTIALS_CAPTURE: self._captured,
            State.CREDENTIALS_VERIFY: self._verified,
            State.LOCAL_UTILITY_SETUP: self.model_holds,
            State.COMMS_SELECTION: lambda snapshot: snapshot.comms is not None,
            State.COMMS_CONFIGURE: self._configured,
            State.COMMS_VERIFY: self._reached,
            State.FINAL_CHECKS: self._checked,
        }

    def key_of(self, snapshot: OnboardingSnapshot) -> SecretStr | None:
        """The key the snapshot's flagship uses; None when it needs none or has none."""
        if snapshot.flagship is None or snapshot.credentials is None or snapshot.credentials.source == "none":
            return None
        return self._credentials.candidates(snapshot.flagship.provider)[self._place(snapshot) or 0].key

    def settle(self, snapshot: OnboardingSnapshot) -> None:
        """End what a killed change left open: of two keys, and of two models, the one counts that the snapshot speaks
        of."""
        agreed, claim = snapshot.consent, snapshot.model
        if agreed is not None and claim is not None and agreed.model_id == claim.model_id != self._model.card().id:
            with suppress(LancelotError):  # the lock file knows it no longer: the set-up asks again
                self._model.choose(claim.model_id)
        for provider in self._credentials.unsettled():
            mine = snapshot.flagship is not None and snapshot.flagship.provider == provider
            self._credentials.settle(provider, newer=mine and self._place(snapshot) == 1)

    def _captured(self, snapshot: OnboardingSnapshot) -> bool:
        return self._place(snapshot) is not None

    def _place(self, snapshot: OnboardingSnapshot) -> int | None:
        """Which of the provider's keys the claim speaks of: 0 the present one, 1 the one offered in its place."""
        flagship, claim = snapshot.flagship, snapshot.credentials
        if flagship is None or claim is None:
            return None
        if claim.source == "none" and flagship.provider != "selfhosted":
            return None
        for place, kept in enumerate(self._credentials.candidates(flagship.provider)):
            if kept.source != claim.source:
                continue
            key = kept.key.get_secret_value() if kept.key is not None else None
            if claim.source == "none" or (key is not None and self._proofs.fingerprint(key) == claim.fingerprint):
                return place
        return None

    def _verified(self, snapshot: OnboardingSnapshot) -> bool:
        flagship, claim = snapshot.flagship, snapshot.credentials
        if flagship is None or claim is None:
            return False
        return self._proofs.holds(claim.proof, "credentials", *credentials_facts(flagship, claim))

    def model_holds(self, snapshot: OnboardingSnapshot) -> bool:
        """Consent given, the pinned model's claim signed, and its weights really here."""
        consent, claim, card = snapshot.consent, snapshot.model, self._model.card()
        return (
            consent is not None
            and claim is not None
            and claim.model_id == consent.model_id == card.id
            and claim.sha256 == card.sha256
            and self._proofs.holds(claim.proof, "model", *model_facts(claim))
            and self._model.verified()
        )

    def _configured(self, snapshot: OnboardingSnapshot) -> bool:
        claim = snapshot.comms
        if claim is None:
            return False
        if claim.kind == "local":
            return claim.fingerprint == ""
        url = self._credentials.comms_url()
        return url is not None and self._proofs.fingerprint(url.get_secret_value()) == claim.fingerprint

    def _reached(self, snapshot: OnboardingSnapshot) -> bool:
        claim = snapshot.comms
        return claim is not None and self._proofs.holds(claim.proof, "comms", *comms_facts(claim))

    def _checked(self, snapshot: OnboardingSnapshot) -> bool:
        return snapshot.state is not State.READY or self._proofs.holds(
            snapshot.ready_proof, "ready", *ready_facts(snapshot)
        )
