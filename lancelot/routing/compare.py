"""The second opinion: the free local model answers too where both can answer; disagreement is a reason to escalate.

Only questions whose answer can be read off (a letter, a number, a few words) are compared. Off by default
(`compare_local`): it is worth what the local model is worth.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from lancelot.chat import Answer
from lancelot.errors import LancelotError
from lancelot.routing.brains import Brains
from lancelot.routing.journey import Attempt, Journey, milliseconds_since
from lancelot.routing.judge import Verdict
from lancelot.routing.lanes import Lane
from lancelot.routing.recorder import Recorder, common
from lancelot.routing.scorer import scorer
from lancelot.store.receipts import Latency, Receipt, new_id

__all__ = ["SecondOpinion", "final_answer"]

PATIENCE_S = 2.0  # how much longer than the fast answer the local one may take
SHORT = 60  # characters up to which a whole answer is compared
_BOXED = re.compile(r"\\boxed\{([^{}]+)\}")
_LETTER = re.compile(
    r"\b(?:answer|option|choice)\b[^A-Za-z0-9]{0,6}(?:is[^A-Za-z0-9]{0,4})?\(?([A-J])\b|^\W*\(?([A-J])[).:]?\s*$", re.M
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def final_answer(text: str) -> str | None:
    """The answer that can be read off a text: what is boxed, a letter, a short text, the last number; else None."""
    text = text.strip()
    boxed = _BOXED.findall(text)
    if boxed:
        return _plain(boxed[-1])
    letters = _LETTER.findall(text)
    if letters:
        return str(letters[-1][0] or letters[-1][1]).upper()
    if 0 < len(text) <= SHORT:
        return _plain(text)
    numbers = _NUMBER.findall(text)
    return _plain(numbers[-1]) if numbers else None


def _plain(text: str) -> str:
    text = text.strip(" \t\n$*_`\"'").rstrip(".")
    try:
        return f"{float(text.replace(',', '')):g}"
    except ValueError:
        return " ".join(text.lower().split())


class SecondOpinion:
    """Asks the local model beside the fast lane, for one attempt."""

    def __init__(self, brains: Brains, recorder: Recorder) -> None:
        self._brains = brains
        self._recorder = recorder

    def begin(self, journey: Journey, attempt: Attempt) -> asyncio.Task[Answer | None] | None:
        """Start the local model when its answer could be compared; None when it could not."""
        assessment = journey.assessment
        needs = assessment.capabilities
        wanted = journey.policy.compare_local and "disagreement" in journey.policy.escalate_on
        fits = self._brains.states()[Lane.LOCAL]
        if not wanted or attempt.lane is not Lane.FAST or journey.forced is not None or not fits.available:
            return None
        if needs.tools or needs.vision or needs.structured or fits.lacks(needs):
            return None
        return asyncio.create_task(self._ask(journey))

    async def end(
        self, journey: Journey, attempt: Attempt, answer: Answer, task: asyncio.Task[Answer | None]
    ) -> Verdict:
        """The verdict after comparing; good when nothing could be compared."""
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        if not done:
            task.cancel()
            attempt.data["compared"] = "the local model took too long"
            return Verdict()
        local = task.result()
        ours = final_answer(str(answer.message.get("content") or ""))
        theirs = None if local is None else final_answer(str(local.message.get("content") or ""))
        if local is None or ours is None or theirs is None:
            attempt.data["compared"] = "no answer could be read off"
            return Verdict()
        signals: dict[str, Any] = {
            "sig_agree_local": float(ours == theirs),
            "sig_weak_parsed": 1.0,
            "sig_local_parsed": 1.0,
        }
        found = scorer().score(journey.chat.last_user_text(), signals)
        attempt.data |= {"compared": "agrees" if ours == theirs else "differs", "wrong_chance": found.wrong}
        if found.escalate is not None and found.escalate >= journey.policy.thresholds.cascade:
            return Verdict(
                "disagreement", f"the local model {attempt.data['compared']}; wrong with chance {found.wrong:.2f}"
            )
        return Verdict()

    async def _ask(self, journey: Journey) -> Answer | None:
        brain = self._brains.local
        assert brain is not None
        began, answer, code = time.perf_counter(), None, None
        try:
            answer = await brain.chat(self._brains.local_chat(journey), journey.deadline)
        except LancelotError as problem:
            code = problem.code
        receipt = Receipt(
            id=new_id(),
            kind="utility",
            lane="local",
            provider="local",
            model=answer.model if answer else None,
            status="error" if code else "ok",
            error_code=code,
            tokens_in=answer.usage.input if answer else None,
            tokens_out=answer.usage.output if answer else None,
            reasons=["second opinion: the local model answers too"],
            egress=self._brains.egress(Lane.LOCAL),
            data={"task": "compare"},
            **(common(journey) | {"latency": Latency(provider_ms=round(milliseconds_since(began), 3))}),
        )
        await self._recorder.write(None, receipt)
        return answer
