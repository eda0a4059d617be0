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
        estimated: moved ones priced by what their new lane cost a token in the past, as its model has no price.
        untried: changed rules that cannot be tried on the past.
    """

    looked_at: int = 0
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)
    cost_usd: Decimal = Decimal(0)
    cost_then_usd: Decimal = Decimal(0)
    unpriced: int = 0
    estimated: int = 0
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
            "estimated": self.estimated,
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
    past = list(receipts)
    rates = _rates(past)
    for receipt in past:
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
        _add_cost(told, receipt, before, after, _Pricing(prices, models or {}, rates))
    return told


def _lane(kept: Assessment, policy: RoutingPolicy) -> str:
    decision = decide(kept, policy, BudgetView(), WELL)
    if decision.parked is not None:
        return "parked"
    return "refused" if decision.lane is None else decision.lane.value


@dataclass(frozen=True, slots=True)
class _Pricing:
    """What a lane costs: by its model's price, else by what a token has cost there."""

    prices: PricesConfig
    models: Mapping[Lane, str]
    rates: Mapping[str, Decimal]

    def of(self, lane: str, receipt: Receipt) -> tuple[Decimal | None, bool]:
        """(US dollars or None, whether it is an estimate) for the receipt's tokens."""
        if lane in ("refused", "parked"):
            return Decimal(0), False
        if receipt.lane == lane and receipt.cost_usd is not None:
            return receipt.cost_usd, False
        usage = Usage(
            input=receipt.tokens_in,
            output=receipt.tokens_out,
            cached=receipt.tokens_cached,
            cache_write=receipt.tokens_cache_write,
            reasoning=receipt.tokens_reasoning,
        )
        model = self.models.get(Lane(lane))
        by_price = None if model is None else cost(model, usage, self.prices).usd
        if by_price is not None:
            return by_price, False
        if lane in self.rates and _tokens(receipt):
            return self.rates[lane] * _tokens(receipt), True
        return (Decimal(0), False) if lane == Lane.LOCAL else (None, False)


def _add_cost(told: WhatIf, receipt: Receipt, before: str, after: str, pricing: _Pricing) -> None:
    (old, guessed_old), (new, guessed_new) = pricing.of(before, receipt), pricing.of(after, receipt)
    if old is None or new is None:
        told.unpriced += 1
        return
    told.estimated += guessed_old or guessed_new
    told.cost_usd += old
    told.cost_then_usd += new


def _tokens(receipt: Receipt) -> int:
    return (receipt.tokens_in or 0) + (receipt.tokens_out or 0)


def _rates(past: Iterable[Receipt]) -> dict[str, Decimal]:
    """US dollars a token in each lane, over the receipts that know their cost."""
    spent: dict[str, Decimal] = {}
    tokens: Counter[str] = Counter()
    for receipt in past:
        if receipt.lane is not None and receipt.cost_usd is not None and _tokens(receipt):
            spent[receipt.lane] = spent.get(receipt.lane, Decimal(0)) + receipt.cost_usd
            tokens[receipt.lane] += _tokens(receipt)
    return {lane: usd / tokens[lane] for lane, usd in spent.items()}


def _untried(now: RoutingPolicy, then: RoutingPolicy) -> list[str]:
    """Changes that need text the receipts do not keep."""
    compared: list[tuple[str, Callable[[RoutingPolicy], object]]] = [
        ("keep_local patterns", lambda policy: [one.pattern for one in policy.keep_local]),
        ("risk_rules", lambda policy: [(one.pattern, one.level) for one in policy.risk_rules]),
        ("lane_rules", lambda policy: [(one.pattern, one.tasks, one.lane) for one in policy.lane_choices]),
        ("park patterns", lambda policy: [one.pattern for one in policy.park if one.pattern]),
        ("blocked_labels", lambda policy: policy.blocked_labels),
        ("local_answers", lambda policy: policy.local_answers),
        ("thresholds.local_confidence", lambda policy: policy.thresholds.local_confidence),
        ("thresholds.classify_confidence", lambda policy: policy.thresholds.classify_confidence),
        (
            "thresholds.prior_min_history and prior_weight",
            lambda policy: (policy.thresholds.prior_min_history, policy.thresholds.prior_weight),
        ),
    ]
    return [name for name, part in compared if part(now) != part(then)]
