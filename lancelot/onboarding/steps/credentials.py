"""CREDENTIALS_CAPTURE and CREDENTIALS_VERIFY: take the key without keeping it anywhere but its file, and try it out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from lancelot.config import AUTO
from lancelot.config_models import key_may_travel
from lancelot.errors import (
    BadInput,
    Conflict,
    LancelotError,
    ProviderAuth,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
)
from lancelot.onboarding.facts import credentials_facts
from lancelot.onboarding.seams import Progress, ProviderSheet
from lancelot.onboarding.snapshot import CredentialsClaim, Flagship
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Context, Done, Form, Result, Stay, Work

__all__ = ["CredentialsForm", "CredentialsStep", "VerifyForm", "VerifyStep", "in_plain_words", "sheet_of"]


# these say already, and more precisely than we could, what is the trouble
SAID_WELL = frozenset({"provider_quota", "provider_tls", "provider_proxy", "provider_redirect", "provider_bad_address"})


def sheet_of(context: Context, flagship: Flagship) -> ProviderSheet:
    """The configured provider behind the choice."""
    for sheet in context.deps.providers.sheets():
        if sheet.name == flagship.provider:
            return sheet
    raise Conflict(
        f"The configuration no longer lists {flagship.provider}.",
        hint="BACK lets you choose another flagship; config/models.yaml lists them.",
        code="provider_not_configured",
    )


def chosen_flagship(context: Context) -> Flagship:
    if context.snapshot.flagship is None:
        raise Conflict("No flagship is chosen yet.", hint="BACK leads to the choice.", code="flagship_missing")
    return context.snapshot.flagship


class CredentialsForm(Form):
    """One of: a key, the name of an environment variable, or the key stored earlier. Our own service takes none."""

    key: SecretStr | None = Field(default=None, description="The key. Kept in a file only you can read.")
    env_name: str | None = Field(default=None, description="Take the key from this environment variable instead.")
    use_stored: bool = Field(default=False, description="Use the key stored earlier for this provider.")


class CredentialsStep:
    """Where the key comes from."""

    state: ClassVar[State] = State.CREDENTIALS_CAPTURE
    title: ClassVar[str] = "Key"
    automatic: ClassVar[bool] = False
    form: ClassVar[type[Form]] = CredentialsForm

    def accept(self, form: CredentialsForm, context: Context) -> Result:
        """Done with a claim that names where the key is.

        Raises:
            BadInput: no key where one is needed, two at once, a malformed one, or one that would travel in the clear.
        """
        flagship = chosen_flagship(context)
        given = form.key is not None and bool(form.key.get_secret_value().strip())
        if given + bool(form.env_name) + form.use_stored > 1:
            raise BadInput("Give the key in one way only.", hint="A key, or a variable's name.", code="key_twice")
        store, name = context.credentials, flagship.provider
        if flagship.own_service or not (given or form.env_name or form.use_stored):
            return self._without_key(flagship, context)
        if flagship.base_url is not None and not key_may_travel(flagship.base_url):
            raise BadInput(
                "A key must not travel over plain http to another machine.",
                hint="Use https, or a server on this machine, or give no key.",
                code="key_would_travel_in_clear",
            )
        if given and form.key is not None:
            store.put(name, form.key)
        elif form.env_name:
            store.put_env(name, form.env_name)
        key = store.get(name)
        if key is None:
            raise BadInput("No key is stored for this provider.", hint="Enter the key.", code="key_missing")
        claim = CredentialsClaim(
            source="environment" if store.env_name(name) else "stored",
            env_name=store.env_name(name),
            fingerprint=context.proofs.fingerprint(key.get_secret_value()),
        )
        return Done({"credentials": self._with_old_proof(claim, flagship, context)})

    def _without_key(self, flagship: Flagship, context: Context) -> Result:
        if sheet_of(context, flagship).needs_key:
            raise BadInput(
                "This provider needs a key.",
                hint="Paste it, or name the environment variable that holds it.",
                code="key_missing",
            )
        context.credentials.forget(flagship.provider)  # a key for another server must not be sent to this one
        claim = CredentialsClaim(source="none", fingerprint="")
        return Done({"credentials": self._with_old_proof(claim, flagship, context)})

    def _with_old_proof(self, claim: CredentialsClaim, flagship: Flagship, context: Context) -> CredentialsClaim:
        """The same key as before keeps its verification."""
        old = context.snapshot.credentials
        if old is not None and context.proofs.holds(old.proof, "credentials", *credentials_facts(flagship, claim)):
            return old
        return claim

    def work(self, context: Context) -> Result:
        return Done()


class VerifyForm(Form):
    """Nothing is asked: submitting tries again."""


class VerifyStep:
    """One real call to the provider: list the models the key may use."""

    state: ClassVar[State] = State.CREDENTIALS_VERIFY
    title: ClassVar[str] = "Key check"
    automatic: ClassVar[bool] = True
    form: ClassVar[type[Form]] = VerifyForm

    def accept(self, form: VerifyForm, context: Context) -> Result:
        return Work()

    def work(self, context: Context) -> Result:
        """Done with a signed claim, or Stay with the reason in plain words."""
        flagship, claim = chosen_flagship(context), context.snapshot.credentials
        if claim is None:
            return Stay(Conflict("There is no key to check yet.", hint="BACK lets you enter it.", code="key_missing"))
        sheet = sheet_of(context, flagship)
        updates: dict[str, object] = {"verified_at": context.now.wall}
        if flagship.own_service:
            context.report(Progress("verify", "Our own local service needs no key; the final checks call it."))
        else:
            context.report(Progress("verify", f"Asking {sheet.title} which models this key may use"))
            key = context.credentials.get(flagship.provider) if claim.source != "none" else None
            try:
                seen = context.deps.providers.list_models(flagship, key)
            except LancelotError as refused:
                return Stay(in_plain_words(refused, sheet.title, claim.source != "none"))
            missing = sorted({model for model in (sheet.fast, sheet.deep) if model != AUTO and model not in seen})
            if not seen or len(missing) == len({sheet.fast, sheet.deep}):
                return Stay(_no_model(sheet, missing))
            updates |= {"models_seen": len(seen), "models_missing": missing}
        proof = context.proofs.sign("credentials", *credentials_facts(flagship, claim))
        return Done({"credentials": claim.model_copy(update=updates | {"proof": proof})})


def _no_model(sheet: ProviderSheet, missing: list[str]) -> LancelotError:
    named = " nor ".join(missing) or "any model"
    return ProviderError(
        f"{sheet.title} answers, but offers this key neither {named}."
        if len(missing) > 1
        else f"{sheet.title} answers, but does not offer this key {named}.",
        hint="Use a key that may, or name other models under this provider in config/models.yaml; then try again.",
        code="models_not_offered",
    )


def in_plain_words(refused: LancelotError, title: str, with_key: bool) -> LancelotError:
    """The provider's refusal as the person at the form should read it: 401, 403, 429, timeout and no network apart."""
    if refused.code in SAID_WELL:
        return refused
    status = refused.extra.get("upstream_status")
    if isinstance(refused, ProviderAuth):
        if status == 403 or refused.code == "provider_forbidden":
            return ProviderAuth(
                f"{title} knows this key, but it may not list models (403).",
                hint="Give the key the right to list models, or use another key: BACK, then enter it.",
                code="provider_forbidden",
            )
        words = "does not accept this key (401)" if with_key else "asks for a key (401)"
        return ProviderAuth(f"{title} {words}.", hint="BACK lets you enter the key again.", code=refused.code)
    if isinstance(refused, ProviderRateLimited):
        return ProviderRateLimited(
            f"{title} says: too many requests, or the account's quota is used up (429).",
            hint="Wait a little and try again; the key itself may be fine.",
            code=refused.code,
            retry_after=refused.retry_after,
        )
    if isinstance(refused, ProviderTimeout):
        return ProviderTimeout(f"{title} did not answer in time.", hint="Try again; the key was not judged.")
    if isinstance(refused, ProviderUnreachable):
        return ProviderUnreachable(
            f"{title} cannot be reached from this machine.",
            hint="Check the network, a proxy and the base URL, then try again; the key was not judged.",
            code=refused.code,
        )
    return refused
