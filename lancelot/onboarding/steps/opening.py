"""WELCOME and FLAGSHIP_SELECTION: what will happen, and the one provider."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lancelot.config import checked_base_url
from lancelot.errors import BadInput
from lancelot.onboarding.snapshot import Flagship
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context, Done, Form, Result

__all__ = ["FlagshipForm", "FlagshipStep", "WelcomeForm", "WelcomeStep"]


class WelcomeForm(Form):
    """Nothing is asked."""


class WelcomeStep:
    """Says what is going to happen."""

    state: ClassVar[State] = State.WELCOME
    title: ClassVar[str] = "Welcome"
    automatic: ClassVar[bool] = False
    form: ClassVar[type[Form]] = WelcomeForm

    def accept(self, form: WelcomeForm, context: Context) -> Result:
        return Done()

    def work(self, context: Context) -> Result:
        return Done()


class FlagshipForm(Form):
    """Exactly one provider."""

    provider: Literal["openai", "anthropic", "gemini", "selfhosted"] = Field(description="The one flagship provider.")
    base_url: str | None = Field(
        default=None,
        description="Self-hosted only: the address of any OpenAI-compatible server. Left out: our own local service.",
    )


class FlagshipStep:
    """The choice of the flagship. Another choice than before voids the old key's verification."""

    state: ClassVar[State] = State.FLAGSHIP_SELECTION
    title: ClassVar[str] = "Flagship"
    automatic: ClassVar[bool] = False
    form: ClassVar[type[Form]] = FlagshipForm

    def accept(self, form: FlagshipForm, context: Context) -> Result:
        """Done with the choice.

        Raises:
            BadInput: a base URL where none belongs, or one that is not an address.
        """
        url = (form.base_url or "").strip() or None
        if url is not None and form.provider != "selfhosted":
            raise BadInput(
                "Only a self-hosted flagship has a base URL.", hint="Leave it out.", code="base_url_not_allowed"
            )
        if url is not None:
            try:
                url = checked_base_url(url)
            except ValueError as wrong:
                raise BadInput(
                    f"This base URL cannot be used: {wrong}.",
                    hint="For example http://127.0.0.1:11434/v1.",
                    code="base_url_malformed",
                ) from None
        chosen = Flagship(provider=form.provider, base_url=url)
        kept = context.snapshot.credentials if context.snapshot.flagship == chosen else None
        return Done({"flagship": chosen, "credentials": kept})

    def work(self, context: Context) -> Result:
        return Done()
