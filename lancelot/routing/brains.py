"""The three lanes as things that can be called: who answers, what it can do, what a call costs at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlsplit

from lancelot.chat import Answer, ChatRequest, Chunk, Usage
from lancelot.config import PricesConfig
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.prices import cost, estimate, local_cost
from lancelot.providers.profiles import ProviderProfile
from lancelot.redaction.redactor import RedactedRequest
from lancelot.routing.breaker import Breaker
from lancelot.routing.decision import LaneState
from lancelot.routing.journey import Attempt, Journey
from lancelot.routing.lanes import Lane
from lancelot.routing.limits import Need
from lancelot.routing.policy import RoutingPolicy
from lancelot.routing.ports import LocalBrain

__all__ = ["Brains", "Patience", "classify", "tokens_spent"]

LOCAL_CONTEXT = 2000  # tokens the local lane takes unless the brain says otherwise
OUTPUT_GUESS = 1024  # tokens reserved for an answer whose length the caller does not limit, at the least
UNTOLD = 32_768  # tokens no answer passes, where models.yaml does not tell
FADING = 0.9  # of the longest such answer lately, with every one that is shorter
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Brains:
    """Lane states and calls. The local model sees raw text only on this machine or where the operator trusts it."""

    def __init__(
        self,
        local: LocalBrain | None,
        provider: Provider | None,
        profile: ProviderProfile | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.local = local
        self.provider = provider
        self.profile = profile
        self.patience = Patience(clock=clock)
        self.breakers = {lane: Breaker(clock=clock) for lane in Lane}
        self._longest = dict.fromkeys(Lane, OUTPUT_GUESS)  # tokens of unlimited answers lately

    def set_limits(self, policy: RoutingPolicy) -> None:
        """Breaker limits of the configuration in force."""
        for breaker in self.breakers.values():
            breaker.limits = policy.breaker

    def states(self) -> dict[Lane, LaneState]:
        """Each lane's health and abilities at this moment."""
        return {lane: self._with_health(lane, self._abilities(lane)) for lane in Lane}

    def model(self, lane: Lane) -> str | None:
        """The configured model of a flagship lane; None for the local one, which names itself."""
        return None if lane is Lane.LOCAL or self.profile is None else self.profile.model(lane.value)

    def left_out(self, lane: Lane, journey: Journey) -> list[str]:
        """Names of request fields the lane's model is not sent."""
        model = self.model(lane)
        if self.profile is None or model is None:
            return []
        return self.profile.left_out(journey.redacted.chat, model)

    def provider_name(self, lane: Lane) -> str:
        """As receipts name it."""
        return "local" if lane is Lane.LOCAL else getattr(self.provider, "name", "none")

    def egress(self, lane: Lane) -> Literal["none", "loopback", "remote"]:
        """Where the bytes of a call go."""
        if lane is Lane.LOCAL:
            return "loopback" if self.local is not None and self.local.is_loopback else "remote"
        address = getattr(self.provider, "base_url", None) or (self.profile.base_url if self.profile else None)
        if callable(address):
            address = address()
        if not address:
            return "loopback" if self.profile is not None and self.profile.name == "selfhosted" else "remote"
        return "loopback" if urlsplit(str(address)).hostname in LOOPBACK else "remote"

    def sees_raw(self) -> bool:
        """Whether the local brain may see originals."""
        local = self.local
        return local is not None and (local.is_loopback or getattr(local, "trusted", None) is True)

    def local_chat(self, journey: Journey) -> ChatRequest:
        """What the local lane is sent."""
        return journey.chat if self.sees_raw() else journey.redacted.chat

    async def complete(self, lane: Lane, journey: Journey, deadline: Deadline, *, limit: int | None = None) -> Answer:
        """One whole answer, originals restored. limit: tokens, where the caller named none and a budget does."""
        if lane is Lane.LOCAL:
            assert self.local is not None
            answer = await self.local.chat(self.local_chat(journey), deadline)
            return answer if self.sees_raw() else journey.redacted.restore_answer(answer)
        assert self.provider is not None
        request = _limited(journey.redacted, limit)
        return await self.provider.complete(request, model=self.model(lane) or "auto", deadline=deadline)

    def stream(
        self, lane: Lane, journey: Journey, deadline: Deadline, *, limit: int | None = None
    ) -> AsyncIterator[Chunk]:
        """The answer piece by piece, placeholders still in it unless the local brain saw originals."""
        if lane is Lane.LOCAL:
            assert self.local is not None
            return self.local.stream(self.local_chat(journey), deadline)
        assert self.provider is not None
        request = _limited(journey.redacted, limit)
        return self.provider.stream(request, model=self.model(lane) or "auto", deadline=deadline)

    def need(self, lane: Lane, chat: ChatRequest, tokens_in: int, prices: PricesConfig) -> Need:
        """What a call can cost; what budgets set aside for it."""
        usual = chat.output_limit or self.usual_output(lane)
        more = 0 if chat.output_limit or lane is Lane.LOCAL else max(0, self._largest_output(lane) - usual)
        model = self.model(lane)
        if model is None:
            return Need(Decimal(0) if lane is Lane.LOCAL else None, tokens_in + usual, None, more)
        usd = estimate(model, tokens_in, usual, prices)
        most = estimate(model, tokens_in, usual + more, prices) if more else usd
        return Need(usd, tokens_in + usual, None if usd is None or most is None else most - usd, more)

    def need_of(self, lane: Lane, journey: Journey) -> Need:
        """The same for a request on its way."""
        return self.need(lane, journey.chat, journey.assessment.capabilities.context_tokens, journey.config.prices)

    def usual_output(self, lane: Lane) -> int:
        """Tokens of the longest answer of late among those whose length nobody limited."""
        return self._longest[lane]

    def _largest_output(self, lane: Lane) -> int:
        """Tokens at which an answer ends by itself, as far as models.yaml tells."""
        if self.profile is None:
            return UNTOLD
        able = self.profile.capabilities(self.profile.model(lane.value))
        return able.default_output_tokens or able.max_output_tokens or min(UNTOLD, able.max_input_tokens or UNTOLD)

    def price(self, attempt: Attempt, journey: Journey) -> None:
        """Fill in what an attempt cost: the price list for the flagship, power for the local model."""
        if journey.chat.output_limit is None and attempt.usage.output is not None:
            faded = int(self._longest[attempt.lane] * (FADING if attempt.limit is None else 1))
            self._longest[attempt.lane] = max(OUTPUT_GUESS, faded, attempt.usage.output)
        if attempt.lane is Lane.LOCAL:
            powered = local_cost(attempt.provider_ms, journey.policy.power_usd_per_hour)
            if powered is not None:
                attempt.cost_usd, attempt.price_version = powered.usd, powered.version
            return
        priced = cost(attempt.model or "", attempt.usage, journey.config.prices)
        attempt.cost_usd, attempt.price_version = priced.usd, priced.version

    def _abilities(self, lane: Lane) -> LaneState:
        if lane is Lane.LOCAL:
            if self.local is None:
                return LaneState(available=False, why="there is no local model")
            context = getattr(self.local, "context", None)
            return LaneState(
                model=getattr(self.local, "model_id", None) or "local",
                tools=False,
                vision=False,
                structured=False,
                max_input_tokens=context if isinstance(context, int) else LOCAL_CONTEXT,
            )
        if self.provider is None or self.profile is None:
            return LaneState(available=False, why="no provider is set up")
        model = self.profile.model(lane.value)
        able = self.profile.capabilities(model)
        return LaneState(
            model=model,
            tools=able.tools,
            vision=able.vision,
            structured=able.structured_output,
            max_input_tokens=able.max_input_tokens,
        )

    def _with_health(self, lane: Lane, state: LaneState) -> LaneState:
        health = self.breakers[lane].state()
        if not state.available or health.state != "open":
            return state
        why = f"left alone for {health.ends_in_s:.0f} s more after {health.failures} failures ({health.reason})"
        return replace(state, available=False, why=why, retry_after=round(health.ends_in_s, 1))


class Patience:
    """Stops asking a local model that was too slow several times running, for a while."""

    def __init__(self, *, tries: int = 5, rest_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._tries, self._rest_s, self._clock = tries, rest_s, clock
        self._missed = 0
        self._until = 0.0

    def resting(self) -> bool:
        """Whether it is not to be asked now."""
        return self._clock() < self._until

    def missed(self) -> None:
        """It was too slow once more."""
        self._missed += 1
        if self._missed >= self._tries:
            self._until, self._missed = self._clock() + self._rest_s, self._tries - 1

    def came(self) -> None:
        """It was in time."""
        self._missed = 0


async def classify(
    local: LocalBrain | None, text: str, budget_ms: float, patience: Patience | None = None
) -> Mapping[str, Any]:
    """The local model's classification, or why there is none; never takes longer than the budget."""
    patience = patience or Patience()
    if budget_ms > 0 and patience.resting():
        return {"skipped": "too slow several times running; it is asked again in a few seconds"}
    if budget_ms <= 0:
        return {"skipped": "turned off"}
    if local is None:
        return {"skipped": "there is no local model"}
    began = time.perf_counter()
    try:
        async with asyncio.timeout(budget_ms / 1000):
            found = await local.classify(text)
    except TimeoutError:
        patience.missed()
        return {"skipped": f"not done within {budget_ms:.0f} ms"}
    except Exception as problem:  # noqa: BLE001 - the decision never hangs on the local model
        return {"skipped": f"it failed ({getattr(problem, 'code', 'internal')})"}
    patience.came()
    return {
        "label": str(found.label),
        "confidence": round(float(found.confidence), 3),
        "below_bar": bool(getattr(found, "below_bar", False)),
        "ms": round((time.perf_counter() - began) * 1000, 1),
    }


def _limited(request: RedactedRequest, limit: int | None) -> RedactedRequest:
    return request if limit is None else request.with_options(max_completion_tokens=limit)


def tokens_spent(usage: Usage, guess: int) -> int:
    """Tokens for the budget: as reported, or the cautious guess when nothing was."""
    if usage.input is None and usage.output is None:
        return guess
    return (usage.input or 0) + (usage.output or 0)
