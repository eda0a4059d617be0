"""prices.yaml: what a million tokens cost, with version and date. Money is Decimal from the file on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator, model_validator

from lancelot.config_yaml import Money, Strict

__all__ = ["ModelPrice", "PriceTier", "PricesConfig"]


class _Rates(Strict):
    """US dollars per million tokens."""

    input: Money = Field(ge=0)
    """Input that was neither read from nor written to a cache."""
    output: Money = Field(ge=0)
    """Output; reasoning tokens too unless `reasoning` says otherwise."""
    cache_read: Money | None = Field(default=None, ge=0)
    """Input read from the provider's cache; None charges it as input."""
    cache_write: Money | None = Field(default=None, ge=0)
    """Input written to the provider's cache; None charges it as input."""
    reasoning: Money | None = Field(default=None, ge=0)
    """Reasoning part of the output; None charges it as output."""

    @model_validator(mode="after")
    def _finite(self) -> _Rates:
        for name in ("input", "output", "cache_read", "cache_write", "reasoning"):
            value = getattr(self, name)
            if isinstance(value, Decimal) and not value.is_finite():
                raise ValueError(f"{name} must be a finite number")
        return self


class PriceTier(_Rates):
    """Rates of the whole request once its input passes a threshold."""

    above_input_tokens: int = Field(ge=1)
    """The tier applies when all input tokens, cached ones too, are more than this."""


class ModelPrice(_Rates):
    """One model's rates."""

    valid_until: date | None = None
    """The last day these rates are known to hold (an introductory price); afterwards the list counts as outdated."""
    tiers: list[PriceTier] = Field(default_factory=list)
    """Dearer rates for long inputs; the highest threshold passed decides."""

    @field_validator("valid_until", mode="before")
    @classmethod
    def _date_text(cls, value: object) -> object:
        return date.fromisoformat(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _tiers_are_whole(self) -> ModelPrice:
        thresholds = [tier.above_input_tokens for tier in self.tiers]
        if len(set(thresholds)) != len(thresholds):
            raise ValueError("two tiers have the same threshold")
        for tier in self.tiers:
            for part in ("cache_read", "cache_write", "reasoning"):
                if getattr(self, part) is not None and getattr(tier, part) is None:
                    raise ValueError(f"the tier above {tier.above_input_tokens} does not give {part}")
        return self


class PricesConfig(Strict):
    """The price list a cost is worked out with; its version goes into every receipt."""

    version: str = Field(min_length=1)
    """Name of this list; change it with every edit."""
    date: date
    """The day the prices were read."""
    source: str = ""
    """Where they were read."""
    currency: Literal["USD"] = "USD"
    """Currency of every figure."""
    models: dict[str, ModelPrice] = Field(default_factory=dict)
    """US dollars per million tokens, by model; a model that is not here costs `unknown`, never zero."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Other names under which a listed model answers."""

    @field_validator("date", mode="before")
    @classmethod
    def _date_text(cls, value: object) -> object:
        return date.fromisoformat(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _aliases_lead_somewhere(self) -> PricesConfig:
        for alias, model in self.aliases.items():
            if model not in self.models:
                raise ValueError(f"alias {alias} names {model}, which has no price")
        return self
