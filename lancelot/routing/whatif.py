"""What if: other thresholds or rules over requests that have been, from their stored assessments and without any call.

    told = what_if(receipts, policy_now, policy_then, prices)
    told.moved          # {("fast", "deep"): 12, …}
    told.cost_change    # US dollars more (or, negative, less), where both prices are known

A stored assessment keeps numbers and names, never text: a changed text pattern cannot be tried on the past and is named
in `untried`. Budgets and breakers are taken to be well, in the past and now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lancelot.chat import Usage
from lancelot.config import PricesConfig
from lancelot.providers.prices import cost
from lancelot.routing.assessment import Assessment
from lancelot.routing.decide import decide
from lancelot.routing.decision import BudgetView, LaneState
from lancelot.routing.lanes import Lane
from lancelot.routing.policy import RoutingPolicy
from lancelot.store.receipts import Receipt

__all__ = ["WhatIf", "what_if"]

WELL: Mapping[Lane, LaneState] = {lane: LaneState(tools=lane is not Lane.LOCAL) for lane in Lane}
SHOWN = 50


@dataclass(slots=True)
class WhatIf:
    """What would have changed.

    Attributes:
        looked_at: first attempts whose decision could be taken again.
        moved: how many would have gone from one lane to another; "refused" and "parked" are lanes here.
        examples: ids of receipts that would have moved, newest first, with (from, to).
        cost_usd, cost_then_usd: known cost of the moved ones, and what it would have been.
        unpriced: moved ones whose cost is unknown on either side.
        untried: changed rules that cannot be tried on the past.
    """

    looked_at: int = 0
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)
    cost_usd: Decimal = Decimal(0)
    cost_then_usd: Decimal = Decimal(0)
    unpriced: int = 0
    untried: list[str] = field(default_factory=list)

    @property
    def cost_change(self) -> Decimal:
        """US dollars; negative is saved."""
        return self.cost_then_usd - self.cost_usd

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, for routes and pages."""
        return {
            "looked_at": self.looked_at,
            "moved": [
                {"from": before, "to": after, "requests": count} for (before, after), count in self.moved.most_common()
            ],
            "examples": [{"receipt_id": one, "from": before, "to": after} for one, before, after in self.examples],
            "cost_usd": str(self.cost_usd),
            "cost_then_usd": str(self.cost_then_usd),
            "cost_change_usd": str(self.cost_change),
            "unpriced": self.unpriced,
            "untried": self.untried,
        }


def what_if(
    receipts: Iterable[Receipt],
    now: RoutingPolicy,
    then: RoutingPolicy,
    prices: PricesConfig,
    *,
    models: Mapping[Lane, str] | None = None,
) -> WhatIf:
    """Take the decisions of past requests again under another policy.

    Both policies decide anew, so that what has changed since (breakers, budgets, forced lanes) is not mistaken for an
    effect of the new policy. Requests whose lane the caller had named are left out.

    Args:
        receipts: of any kind; first attempts and refusals are looked at.
        models: the model of each lane, for its price; a lane without one is unpriced.
    """
    told = WhatIf(untried=_untried(now, then))
    for receipt in receipts:
        if not receipt.assessment or receipt.parent_id is not None or receipt.kind not in ("attempt", "request"):
            continue
        if any(reason.startswith("forced_") for reason in receipt.reasons):
            continue
        told.looked_at += 1
        kept = Assessment.from_dict(receipt.assessment)
        before, after = _lane(kept, now), _lane(kept, then)
        if before == after:
            continue
        told.moved[before, after] += 1
        if len(told.examples) < SHOWN:
            told.examples.append((receipt.id, before, after))
        _add_cost(told, receipt, before, after, prices, models or {})
    return told


def _lane(kept: Assessment, policy: RoutingPolicy) -> str:
    decision = decide(kept, policy, BudgetView(), WELL)
    if decision.parked is not None:
        return "parked"
    return "refused" if decision.lane is None else decision.lane.value


def _add_cost(
    told: WhatIf, receipt: Receipt, before: str, after: str, prices: PricesConfig, models: Mapping[Lane, str]
) -> None:
    usage = Usage(
        input=receipt.tokens_in,
        output=receipt.tokens_out,
        cached=receipt.tokens_cached,
        cache_write=receipt.tokens_cache_write,
        reasoning=receipt.tokens_reasoning,
    )

    def priced(lane: str) -> Decimal | None:
        if lane in ("refused", "parked", Lane.LOCAL):
            return Decimal(0)
        model = models.get(Lane(lane))
        return None if model is None else cost(model, usage, prices).usd

    old, new = priced(before), priced(after)
    if old is None or new is None:
        told.unpriced += 1
        return
    told.cost_usd += old
    told.cost_then_usd += new


def _untried(now: RoutingPolicy, then: RoutingPolicy) -> list[str]:
    """Changes that need text the receipts do not keep."""
    compared: list[tuple[str, Callable[[RoutingPolicy], object]]] = [
        ("keep_local patterns", lambda policy: [one.pattern for one in policy.keep_local]),
        ("risk_rules", lambda policy: [(one.pattern, one.level) for one in policy.risk_rules]),
        ("lane_rules", lambda policy: [(one.pattern, one.tasks, one.lane) for one in policy.lane_choices]),
        ("park patterns", lambda policy: [one.pattern for one in policy.park if one.pattern]),
        ("blocked_labels", lambda policy: policy.blocked_labels),
        ("local_answers", lambda policy: policy.local_answers),
    ]
    return [name for name, part in compared if part(now) != part(then)]
