"""Costs as the operator asks for them: the query layer put together with the price list, the power and the budgets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from lancelot.config import Config, PricesConfig
from lancelot.config_yaml import parse_yaml
from lancelot.errors import BadConfig, BadInput
from lancelot.providers.prices import undated
from lancelot.repricing import repriced
from lancelot.store.pace import pace
from lancelot.store.pressure import pressure
from lancelot.store.usage import UsageQueries
from lancelot.store.usage_table import FileForm, as_file

__all__ = ["Costs"]

WATTS_A_KILOWATT = 1000


class _Configured(Protocol):
    @property
    def current(self) -> Config: ...


class _Limits(Protocol):
    def status(self) -> list[dict[str, Any]]: ...


class Costs:
    """What pages, routes and the command line show beside plain sums; every figure comes from one `UsageQueries`.

    Args:
        usage: the query layer.
        config: asked at every call, so an edited price list counts at once.
        budgets: whose `status()` lists every limit.
        local_window: (model, largest input in tokens) of the local model; None while it is not known.
    """

    def __init__(
        self,
        usage: UsageQueries,
        config: _Configured,
        budgets: _Limits,
        local_window: Callable[[], tuple[str, int] | None] = lambda: None,
    ) -> None:
        self.usage = usage
        self._config = config
        self._budgets = budgets
        self._local_window = local_window

    def pace(self, now: datetime | None = None) -> dict[str, Any]:
        """The month with its forecast, and every budget against the clock; see `store.pace.pace`."""
        return pace(self.usage, self._budgets.status(), now)

    def pressure(self, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
        """Context use, cache hit rate and the largest users; see `store.pressure.pressure`."""
        return pressure(self.usage, self.windows(), since, until)

    def repriced(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        by: str = "lane",
        prices: PricesConfig | str | None = None,
    ) -> dict[str, Any]:
        """The same calls under another price list; see `repricing.repriced`. Nothing is written.

        Args:
            prices: a list, or the text of a prices.yaml; None is the list in force.

        Raises:
            BadInput: the text is no price list, or `by` not something to group by.
        """
        config = self._config.current
        if isinstance(prices, str):
            prices = _price_list(prices)
        return repriced(
            self.usage,
            prices or config.prices,
            since=since,
            until=until,
            by=by,
            power_usd_per_hour=_hourly(config),
        )

    def as_file(
        self, form: FileForm, since: datetime | None = None, until: datetime | None = None, by: str = "lane"
    ) -> bytes:
        """The summary as CSV or Parquet; see `store.usage_table.as_file`."""
        return as_file(self.usage.summary(since, until, by), form)

    def windows(self) -> dict[str, int]:
        """The largest input of each model that has answered and of each configured one, in tokens."""
        known = {
            name: entry.max_input_tokens
            for name, entry in self._config.current.models.models.items()
            if entry.max_input_tokens is not None
        }
        seen = {names[0] for names, _ in self.usage.grouped(None, None, ["model"]) if names[0] is not None}
        found = known | {name: known[undated(name)] for name in seen if undated(name) in known}
        local = self._local_window()
        return found | ({local[0]: local[1]} if local else {})


def _price_list(text: str) -> PricesConfig:
    try:
        return parse_yaml(text.encode("utf-8", "replace"), PricesConfig, "prices.yaml")
    except BadConfig as problem:
        raise BadInput(problem.title, hint=problem.hint, param="prices") from problem


def _hourly(config: Config) -> Decimal | None:
    power = config.router.power
    if power.usd_per_kwh is None or power.watts is None:
        return None
    return power.usd_per_kwh * power.watts / WATTS_A_KILOWATT
