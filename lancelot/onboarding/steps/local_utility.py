"""LOCAL_UTILITY_SETUP: consent, then check, fetch, verify, start and try the local model. There is no way around it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lancelot.errors import BadInput, LancelotError
from lancelot.onboarding.facts import model_facts
from lancelot.onboarding.seams import Progress
from lancelot.onboarding.snapshot import ConsentClaim, ModelClaim
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context, Done, Form, Result, Stay, Work

__all__ = ["SUBSTEPS", "LocalUtilityForm", "LocalUtilityStep"]

# what the page lists, in order: name and words
SUBSTEPS: tuple[tuple[str, str], ...] = (
    ("preflight", "Check runtime, disk and memory"),
    ("download", "Download the model"),
    ("verify", "Compare its checksum with the pinned one"),
    ("start", "Start the local service"),
    ("smoke", "Ask it known questions"),
)


class LocalUtilityForm(Form):
    """The person's yes to a model, its licence and source."""

    consent: bool = Field(description="True: install the model under the licence that is shown with it.")
    model_id: str | None = Field(
        default=None, description="Which of `model.tiers` to install; the chosen one when left out."
    )

    def replaces(self, context: Context) -> bool:
        """Whether another model than the one being installed is meant."""
        return self.consent and self.model_id not in (None, context.deps.model.card().id)


class LocalUtilityStep:
    """Installs the mandatory local model. The consent is stored first, so that the work goes on after any crash."""

    state: ClassVar[State] = State.LOCAL_UTILITY_SETUP
    title: ClassVar[str] = "Local model"
    automatic: ClassVar[bool] = True
    form: ClassVar[type[Form]] = LocalUtilityForm

    def accept(self, form: LocalUtilityForm, context: Context) -> Result:
        """Work, with the consent and its time recorded.

        Raises:
            BadInput: no consent, no such model, or a candidate, which cannot be installed.
        """
        if not form.consent:
            raise BadInput(
                "Without the local model Lancelot cannot work: it is what redacts your text before anything leaves.",
                hint="Agree to the installation, or leave the set-up here; it will be waiting.",
                code="consent_needed",
            )
        if form.model_id is not None:
            context.deps.model.choose(form.model_id)
        card = context.deps.model.card()
        old = context.snapshot.consent
        if old is not None and (old.model_id, old.licence) == (card.id, card.licence):
            return Work()
        source = card.sources[0] if card.sources else "pinned"
        consent = ConsentClaim(model_id=card.id, licence=card.licence, source=source, at=context.now.wall)
        return Work({"consent": consent})

    def work(self, context: Context) -> Result:
        """Done with a signed claim, or Stay with what failed."""
        model, consent = context.deps.model, context.snapshot.consent
        card = model.card()
        if consent is None or (consent.model_id, consent.licence) != (card.id, card.licence):
            return Stay(
                BadInput("The installation waits for your consent.", hint="Agree to it.", code="consent_needed")
            )
        try:
            smoke = self._install(context, consent)
        except LancelotError as failed:
            return Stay(failed)
        claim = ModelClaim(model_id=card.id, sha256=card.sha256, verified_at=context.now.wall, smoke=smoke)
        proof = context.proofs.sign("model", *model_facts(claim))
        return Done({"model": claim.model_copy(update={"proof": proof})})

    def _install(self, context: Context, consent: ConsentClaim) -> str:
        """The smoke test's line; empty when the work was no longer wanted."""
        model, report = context.deps.model, context.report
        if not model.verified():
            report(Progress("preflight"))
            for found in model.preflight():
                report(Progress("preflight", f"{found.title}: {found.detail}"))
            report(Progress("download"))
            model.install(consent, report, context.stop)
        if context.stop():
            return ""
        report(Progress("verify"))
        if not model.verified(thorough=True):
            aside = model.set_aside()
            raise LancelotError(
                "The downloaded file does not have the pinned checksum and is not used.",
                hint="Try again: it is fetched anew" + (f"; the bad file is kept as {aside.name}." if aside else "."),
                code="checksum_mismatch",
            )
        report(Progress("start"))
        model.start()
        report(Progress("smoke"))
        line = model.smoke()
        report(Progress("smoke", line))
        return line
