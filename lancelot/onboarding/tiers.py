"""Another local model once the set-up is through: fetched and tried beside the one that runs, then put in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lancelot.brain.launch import launch_of
from lancelot.brain.states import BrainState
from lancelot.brain.supervisor import Supervisor
from lancelot.brain.trial import running_aside
from lancelot.errors import BadInput, Conflict, LocalModelError
from lancelot.onboarding.facts import model_facts, ready_facts
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.pinned import PinnedLocalModel, in_our_words, known_answers
from lancelot.onboarding.seams import ModelCard, Progress
from lancelot.onboarding.snapshot import ConsentClaim, ModelClaim
from lancelot.onboarding.states import State
from local_models.consent import read_consent
from local_models.errors import ModelError
from local_models.lockfile import PinnedModel, load_lock
from local_models.tier import Tier, choose_model

__all__ = ["TierSwitch"]

READY_S = 90.0
Tell = Callable[[Progress], None]


class TierSwitch:
    """Installs and changes the tier.

    Args:
        data_dir: weights lie in models/ below it.
        external: the service runs elsewhere; then nothing is changed here.
    """

    def __init__(self, flow: OnboardingFlow, supervisor: Supervisor, data_dir: Path, *, external: bool = False) -> None:
        self._flow, self._supervisor, self._data_dir, self._external = flow, supervisor, data_dir, external
        self._folder = data_dir / "models"

    def rows(self) -> list[Tier]:
        """Every model of the lock file; the chosen and the suggested one are marked."""
        return list(self._flow.deps.model.tiers())

    def install(
        self, model_id: str, tell: Tell, *, consent: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Fetch a model under the operator's consent, then `use` it. The old one runs on until the new one works.

        Raises:
            BadInput: no consent was given, now or before. Conflict: the service runs elsewhere.
            LancelotError: no such model, a candidate, or what went wrong; nothing has changed then.
        """
        pin = self._pin(model_id)
        model = PinnedLocalModel(self._folder, self._supervisor, pin=pin)
        if not consent and self._consent(pin) is None:
            raise BadInput(
                f"{pin.id} is installed under {pin.licence} only with your consent.",
                hint=f"Read {pin.licence_url} and agree to it.",
                code="consent_needed",
            )
        if not model.verified():
            for found in model.preflight():
                tell(Progress("preflight", f"{found.title}: {found.detail}"))
        agreed = self._consent(pin) or self._claim(model.card(), self._flow.deps.clock.wall())
        model.install(agreed, tell, stop)
        if stop():
            raise LocalModelError("The installation was stopped.", hint="Start it again; it goes on.", code="stopped")
        return self.use(model_id, tell)

    def use(self, model_id: str, tell: Tell) -> dict[str, Any]:
        """Run an installed model from now on: its file is verified and it is tried aside first.

        Raises:
            Conflict: it is not installed, or the service runs elsewhere. LancelotError: it does not work here.
        """
        pin = self._pin(model_id)
        model = PinnedLocalModel(self._folder, self._supervisor, pin=pin)
        consent = self._consent(pin)
        if consent is None or not model.verified(thorough=True):
            raise Conflict(
                f"{pin.id} is not installed.", hint=f"`lancelot model install {pin.id}` does.", code="not_installed"
            )
        smoke = self._tried(pin, tell)
        tell(Progress("switch", f"{pin.id} takes over"))
        self._record(pin, model.card(), consent, smoke)
        self._restart()
        return {"model": pin.id, "smoke": smoke}

    def _pin(self, model_id: str) -> PinnedModel:
        if self._external:
            raise Conflict("The local model runs elsewhere.", hint="Choose its model there.", code="model_is_elsewhere")
        try:
            pin = load_lock().model(model_id)
            pin.require_installable()
        except ModelError as failed:
            raise BadInput(failed.title, hint=failed.hint, code=failed.code, param="model") from failed
        return pin

    def _consent(self, pin: PinnedModel) -> ConsentClaim | None:
        """What was agreed to when the weights were installed."""
        known = read_consent(self._folder / pin.id)
        if known is None or (known.model_id, known.licence) != (pin.id, pin.licence):
            return None
        return ConsentClaim(model_id=pin.id, licence=pin.licence, source=known.source, at=known.at.timestamp())

    @staticmethod
    def _claim(card: ModelCard, now: float) -> ConsentClaim:
        return ConsentClaim(model_id=card.id, licence=card.licence, source=card.sources[0], at=now)

    def _tried(self, pin: PinnedModel, tell: Tell) -> str:
        tell(Progress("smoke", f"Asking {pin.id} known questions"))
        with in_our_words():
            launch = launch_of(pin, load_lock(), self._folder)
            assert launch is not None  # its file has just been verified
            with running_aside(launch, self._data_dir) as address:
                return known_answers(address)

    def _record(self, pin: PinnedModel, card: ModelCard, consent: ConsentClaim, smoke: str) -> None:
        """The choice and, where the set-up had a verified model, the new one's claim in its place."""
        flow = self._flow
        with flow.keeper.changing():
            with in_our_words():
                choose_model(load_lock(), pin.id, self._folder)
            before = flow.snapshot
            if before.model is None:
                return
            claim = ModelClaim(model_id=pin.id, sha256=card.sha256, verified_at=flow.deps.clock.wall(), smoke=smoke)
            claim = claim.model_copy(update={"proof": flow.proofs.sign("model", *model_facts(claim))})
            after = before.changed(consent=consent, model=claim)
            if before.state is State.READY:
                after = after.changed(ready_proof=flow.proofs.sign("ready", *ready_facts(after)))
            flow.keeper.put(after)

    def _restart(self) -> None:
        """The running service becomes the new one; where none runs, the next start takes it."""
        if self._supervisor.status().state in (BrainState.STOPPED, BrainState.ABSENT):
            return
        self._supervisor.restart()
        if not self._supervisor.wait_ready(READY_S):
            raise LocalModelError(
                "The local service did not start.",
                hint="REPAIR tries again; `lancelot model status` says more.",
                code="local_model_not_started",
            )
