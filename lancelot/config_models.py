"""models.yaml: the providers, their fast and deep lane, and what each model can and cannot do."""

from __future__ import annotations

from datetime import date
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from lancelot.config_yaml import Strict

__all__ = ["AUTO", "ModelEntry", "ModelsConfig", "ProviderEntry", "ProviderName", "checked_base_url", "key_may_travel"]

ProviderName = Literal["openai", "anthropic", "gemini", "selfhosted"]
AUTO = "auto"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def checked_base_url(address: str) -> str:
    """The address without its last slash.

    Raises:
        ValueError: no http(s) scheme, no host, a user name or password, a query or a fragment in it, or a bad port.
    """
    parts = urlsplit(address.strip())
    if parts.scheme not in ("http", "https"):
        raise ValueError("the address must begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address must not hold a user name or password; give the key on its own")
    if not parts.hostname:
        raise ValueError("the address names no host")
    if parts.query or parts.fragment:
        raise ValueError("the address must not hold a query or fragment")
    if any(sign.isspace() or ord(sign) < 32 for sign in address.strip()):
        raise ValueError("the address must not hold spaces or control characters")
    _ = parts.port  # a bad port raises ValueError here
    return address.strip().rstrip("/")


def key_may_travel(address: str) -> bool:
    """Whether a key may be sent there: over TLS, or without leaving this machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


class ModelEntry(Strict):
    """One model: what it takes and what it refuses. A refused parameter is never sent."""

    provider: ProviderName
    """Which provider serves it."""
    max_input_tokens: int | None = Field(default=None, ge=1)
    """Largest input in tokens; None is unknown."""
    max_output_tokens: int | None = Field(default=None, ge=1)
    """Largest output in tokens; None is unknown."""
    default_output_tokens: int | None = Field(default=None, ge=1)
    """Sent as the output limit where the provider requires one and the request names none."""
    tools: bool = True
    """Takes tool definitions."""
    vision: bool = True
    """Takes images."""
    structured_output: bool = True
    """Takes a JSON schema for the answer."""
    reasoning: bool = True
    """Thinks before it answers (reasoning effort may be set)."""
    sampling_params: bool = True
    """Takes temperature, top_p and penalties."""
    prefill: bool = True
    """Takes a conversation that ends with an assistant message."""
    forced_tool_use: bool = True
    """Takes a tool choice that forces a call."""
    thinking_always_on: bool = False
    """Thinks always; switching it off is refused."""
    deprecated_on: date | None = None
    """The day the provider switches it off."""

    @field_validator("deprecated_on", mode="before")
    @classmethod
    def _date_text(cls, value: object) -> object:
        return date.fromisoformat(value) if isinstance(value, str) else value


class ProviderEntry(Strict):
    """One provider as the operator chooses it; its two models are its lanes."""

    title: str
    """The name a person reads."""
    base_url: str | None = None
    """Address of its API; None (selfhosted only) is our own local service."""
    key_env: str | None = None
    """The environment variable the key may come from; None when no key is needed."""
    fast: str = AUTO
    """Model of the fast lane; `auto` takes the first the server lists."""
    deep: str = AUTO
    """Model of the deep lane; `auto` takes the first the server lists."""
    console_url: str | None = None
    """Where a person gets a key."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        return None if value is None else checked_base_url(value)


class ModelsConfig(Strict):
    """The registry of providers and models."""

    version: Literal[1] = 1
    """Version of this file's form."""
    providers: dict[ProviderName, ProviderEntry]
    """The providers a person may choose from, in the order shown."""
    models: dict[str, ModelEntry] = Field(default_factory=dict)
    """What is known of each model; one that is not listed is taken to be able to do everything."""

    @model_validator(mode="after")
    def _lanes_are_known(self) -> ModelsConfig:
        for name, entry in self.providers.items():
            for lane in (entry.fast, entry.deep):
                if lane == AUTO and name == "selfhosted":
                    continue
                known = self.models.get(lane)
                if known is None:
                    raise ValueError(f"provider {name}: model {lane} is not listed under models")
                if known.provider != name:
                    raise ValueError(f"provider {name}: model {lane} belongs to {known.provider}")
            if entry.base_url is None and name != "selfhosted":
                raise ValueError(f"provider {name}: base_url is missing")
            if name != "selfhosted" and not key_may_travel(entry.base_url or ""):
                raise ValueError(f"provider {name}: a key must not travel over plain http")
        return self
