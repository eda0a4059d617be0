"""Other thresholds or rules tried on the past requests of a store: what the page, the route and the command all do.

told = try_out(store, config, lanes, thresholds={"deep_score": 0.5})
told = try_out(store, config, lanes, text=Path("router.yaml").read_text())
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from lancelot.config import Config, RouterConfig, ThresholdsConfig
from lancelot.config_yaml import parse_yaml
from lancelot.errors import BadConfig, BadInput
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import RoutingPolicy
from lancelot.routing.whatif import WhatIf, what_if
from lancelot.store.assessed import past_requests
from lancelot.store.ledger import ReceiptStore

__all__ = ["MOST", "TriedOut", "try_out"]

MOST = 50_000


@dataclass(frozen=True, slots=True)
class TriedOut:
    """What would have become of the past. `since`: its oldest request; `changes`: what differs, in words."""

    result: WhatIf
    since: datetime | None
    changes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe: what `WhatIf` says, with "since" and "changes"."""
        since = self.since.isoformat() if self.since else None
        return self.result.to_dict() | {"since": since, "changes": list(self.changes)}


def try_out(
    store: ReceiptStore,
    config: Config,
    lanes: Mapping[str, Mapping[str, Any]],
    *,
    thresholds: Mapping[str, Any] | None = None,
    text: str | None = None,
    most: int = 10_000,
) -> TriedOut:
    """Take past decisions again, from stored assessments and without any call.

    Args:
        store: where past requests are.
        config: what is in force.
        lanes: the status of each lane by name; its "model" says what a token costs there.
        thresholds: single thresholds by name, the others as they are.
        text: all of router.yaml instead, as it would be.
        most: past requests at most, newest first.

    Raises:
        BadInput: a threshold or the text would not do; names it.
    """
    then = _edited(config.router, thresholds, text)
    past = past_requests(store, most=most)
    models = {Lane(name): lane["model"] for name, lane in lanes.items() if lane["model"] and name != Lane.LOCAL}
    policies = RoutingPolicy.from_config(config.router), RoutingPolicy.from_config(then)
    result = what_if(past, *policies, config.prices, models=models)
    return TriedOut(result, past[-1].at if past else None, tuple(_changes(config.router, then)))


def _edited(router: RouterConfig, thresholds: Mapping[str, Any] | None, text: str | None) -> RouterConfig:
    if (thresholds is None) == (text is None):
        raise BadInput("Give thresholds or a router.yaml, one of the two.", param="thresholds")
    if text is not None:
        try:
            return parse_yaml(text.encode(), RouterConfig, "router.yaml")
        except BadConfig as wrong:
            raise BadInput(wrong.title, hint="Nothing was tried; correct the named key.", **wrong.extra) from wrong
    try:
        fresh = ThresholdsConfig.model_validate(router.thresholds.model_dump() | dict(thresholds or {}))
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        known = ", ".join(ThresholdsConfig.model_fields)
        raise BadInput(f"`{where}`: {first['msg']}.", hint=f"Thresholds are {known}.", param=where) from None
    return router.model_copy(update={"thresholds": fresh})


def _changes(now: RouterConfig, then: RouterConfig) -> list[str]:
    """Every changed setting in words, thresholds one by one."""
    words = [
        f"thresholds.{name}: {getattr(now.thresholds, name)} to {getattr(then.thresholds, name)}"
        for name in type(now.thresholds).model_fields
        if getattr(now.thresholds, name) != getattr(then.thresholds, name)
    ]
    return words + [
        name for name in type(now).model_fields if name != "thresholds" and getattr(now, name) != getattr(then, name)
    ]
