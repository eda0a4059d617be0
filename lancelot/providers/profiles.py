"""The registry of providers: which lanes each has, what its models take, and how to build the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import httpx
from pydantic import SecretStr

from lancelot.chat import ChatRequest
from lancelot.config import AUTO, Config, ModelEntry, ProviderName, checked_base_url, key_may_travel
from lancelot.errors import BadInput, NotFound
from lancelot.providers.anthropic import Anthropic
from lancelot.providers.base import Provider
from lancelot.providers.gemini import Gemini
from lancelot.providers.openai import OpenAI
from lancelot.providers.selfhosted import SelfHosted
from lancelot.providers.wire import BaseUrl, Retry

__all__ = ["ProviderProfile", "build_provider", "profile", "profiles"]

SAMPLING: Final = {"temperature", "top_p", "frequency_penalty", "presence_penalty"}
# fields an API has no word for, whatever the model
ABSENT: Final[Mapping[str, frozenset[str]]] = {
    "openai": frozenset({"seed", "frequency_penalty", "presence_penalty"}),
    "anthropic": frozenset({"seed", "metadata", "prompt_cache_key", "service_tier", "verbosity", *SAMPLING}),
    "gemini": frozenset(
        {
            "user",
            "safety_identifier",
            "metadata",
            "prompt_cache_key",
            "service_tier",
            "verbosity",
            "parallel_tool_calls",
        }
    ),
    "selfhosted": frozenset(),
}
KEYED: Final[Mapping[str, type[OpenAI] | type[Anthropic] | type[Gemini]]] = {
    "openai": OpenAI,
    "anthropic": Anthropic,
    "gemini": Gemini,
}


@dataclass(frozen=True, slots=True)
class ProviderProfile:
    """One provider as the operator chooses it.

    Attributes:
        name: openai, anthropic, gemini or selfhosted.
        fast, deep: models of the two flagship lanes; `auto` is the first model the server lists.
        base_url: address of the API; None is our own local service.
        key_env: environment variable the key may come from.
        models: what each known model takes; see `capabilities`.
    """

    name: ProviderName
    title: str
    fast: str
    deep: str
    base_url: str | None = None
    key_env: str | None = None
    console_url: str | None = None
    models: Mapping[str, ModelEntry] = field(default_factory=dict)

    @property
    def needs_key(self) -> bool:
        """Whether calls fail without a key; a self-hosted server may or may not want one."""
        return self.name != "selfhosted"

    def model(self, lane: str) -> str:
        """The model of a flagship lane (`fast` or `deep`)."""
        if lane not in ("fast", "deep"):
            raise ValueError(f"{lane} is not a flagship lane")
        return self.deep if lane == "deep" else self.fast

    def capabilities(self, model: str) -> ModelEntry:
        """What a model takes; one we know nothing of is taken to be able to do everything."""
        return self.models.get(model) or ModelEntry(provider=self.name)

    def left_out(self, chat: ChatRequest, model: str) -> list[str]:
        """The fields of a request that this model is not sent, because it or its API has no such thing.

        They only colour an answer; what changes its meaning (parts, tools) is refused instead. The router tells them in
        the receipt.
        """
        takes = self.capabilities(model)
        absent = set(ABSENT[self.name])
        if not takes.sampling_params:
            absent |= SAMPLING
        if not takes.reasoning and self.name in ("openai", "gemini"):
            absent.add("reasoning_effort")
        return sorted(name for name in absent if getattr(chat, name) is not None)

    def at(self, base_url: str | None) -> ProviderProfile:
        """The same provider at another address.

        Raises:
            BadInput: the address is no plain http(s) address.
        """
        if base_url is None:
            return self
        try:
            return replace(self, base_url=checked_base_url(base_url))
        except ValueError as problem:
            raise BadInput(f"The base URL does not do: {problem}.", hint="Give it as https://host/v1.") from None

    def missing(self, listed: list[str]) -> list[str]:
        """The lane models that are not among those the provider listed."""
        names = {name.removeprefix("models/") for name in listed}
        return [model for model in dict.fromkeys((self.fast, self.deep)) if model != AUTO and model not in names]


def profile(config: Config, name: str) -> ProviderProfile:
    """The profile of a provider.

    Raises:
        NotFound: there is no provider of that name in models.yaml.
    """
    for known, entry in config.models.providers.items():
        if known == name:
            models = {model: facts for model, facts in config.models.models.items() if facts.provider == known}
            return ProviderProfile(
                name=known,
                title=entry.title,
                fast=entry.fast,
                deep=entry.deep,
                base_url=entry.base_url,
                key_env=entry.key_env,
                console_url=entry.console_url,
                models=models,
            )
    known_names = ", ".join(config.models.providers)
    raise NotFound(f"There is no provider called {name!r}.", hint=f"Choose one of {known_names}.")


def profiles(config: Config) -> list[ProviderProfile]:
    """All profiles in the order they are shown."""
    return [profile(config, name) for name in config.models.providers]


def build_provider(
    profile: ProviderProfile,
    key: SecretStr | None,
    *,
    base_url: BaseUrl = None,
    client: httpx.AsyncClient | None = None,
    retry: Retry | None = None,
) -> Provider:
    """The provider of a profile, ready to be called; no connection is made yet.

    Args:
        base_url: overrides the profile's address; a function is asked at every call (our own local service may
            come back on another port).
        client: used instead of a client of its own, and not closed with it.
        retry: how often and how long failed calls are repeated; by default twice, with waits of at most 20 s.

    Raises:
        BadInput: the address is no plain http(s) address, or the provider needs a key and there is none.
    """
    if isinstance(base_url, str):
        profile = profile.at(base_url)
    if profile.needs_key and (key is None or not key.get_secret_value().strip()):
        raise BadInput(f"{profile.title} needs a key.", code="key_missing", hint="Enter the key, or set its variable.")
    if profile.needs_key and not key_may_travel(profile.base_url or ""):
        raise BadInput(
            "A key must not travel over plain http.", code="key_over_plain_http", hint="Give an https:// address."
        )
    address = base_url if callable(base_url) else profile.base_url
    if profile.name == "selfhosted" or key is None:
        return SelfHosted(base_url=address, key=key, models=profile.models, client=client, retry=retry)
    return KEYED[profile.name](base_url=address, key=key, models=profile.models, client=client, retry=retry)
