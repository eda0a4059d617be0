"""The utility tasks as requests of their own: always local, always with a receipt.

classify  {"text", "labels"?}        -> {"label", "confidence"}
extract   {"text", "schema"}         -> {"data"}
summarize {"text"}                   -> {"summary"}
rewrite   {"text", "conversation"?}  -> {"query"}
redact    {"text"}                   -> {"spans": [{"start", "end", "label"}]}
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast, get_args

from lancelot.chat import ChatRequest, Message
from lancelot.errors import BadInput, LancelotError, LocalModelError, NotFound
from lancelot.providers.prices import local_cost
from lancelot.redaction.finding import Mode
from lancelot.routing.brains import Brains
from lancelot.routing.context import RequestContext
from lancelot.routing.journey import milliseconds_since
from lancelot.routing.lanes import Lane
from lancelot.routing.ports import Redacts
from lancelot.routing.prepare import Preparer
from lancelot.routing.recorder import Recorder
from lancelot.store.receipts import Latency, Receipt

__all__ = ["TASKS", "UtilityTasks"]

TASKS = ("classify", "extract", "summarize", "redact", "rewrite")


class UtilityTasks:
    """Runs utility tasks for one router."""

    def __init__(
        self,
        brains: Brains,
        redactor: Redacts,
        recorder: Recorder,
        preparer: Preparer,
        flagged: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._brains = brains
        self._redactor = redactor
        self._recorder = recorder
        self._preparer = preparer
        self._flagged = flagged

    async def run(self, task: str, payload: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """The task's answer; a receipt of kind `utility` is durable on return.

        Raises:
            NotFound: no such task. BadInput: a field is missing or wrong. LocalModelError: the model does not answer.
        """
        with self._recorder.request():
            return await self._run(task, payload, context)

    async def _run(self, task: str, payload: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        if task not in TASKS:
            raise NotFound("There is no such utility task.", hint=f"Tasks are {', '.join(TASKS)}.")
        text = payload.get("text")
        if not isinstance(text, str) or not text.strip():
            raise BadInput("`text` must be a text that is not empty.", param="text")
        if self._brains.local is None and task != "redact":
            raise LocalModelError("There is no local model yet.", hint="Finish the set-up first.")
        _config, policy = self._preparer.policy()
        await self._recorder.ready()
        began, counts = time.perf_counter(), {}
        restore: Callable[[str], str] = str
        if task != "redact" and not self._brains.sees_raw():
            # a brain beyond this machine that the operator does not trust gets placeholders
            redacted = self._redactor.redact_request(_as_chat(text, payload.get("conversation")), mode="rules")
            text, counts = redacted.chat.last_user_text(), dict(redacted.counts)
            payload = payload | {"conversation": _as_turns(redacted.chat)}
            restore = redacted.vault.restore
        under_bar = task in self._flagged()
        receipt = Receipt(
            request_id=context.request_id,
            kind="utility",
            key_id=context.key_id,
            task=task,
            lane="local",
            provider="local",
            reasons=[f"utility task {task}: always local"]
            + ([f"the local model is under its exam bar for {task}"] if under_bar else []),
            data={"below_bar": True} if under_bar else {},
            risk="low",
            redactions=counts,
            egress=self._brains.egress(Lane.LOCAL),
        )
        try:
            async with asyncio.timeout(min(context.deadline_s or policy.utility_deadline_s, policy.deadline_s)):
                answer = _restored(await self._call(task, text, payload), restore)
            if task == "redact":
                receipt.redactions = dict(Counter(span["label"] for span in answer["spans"]))
        except asyncio.CancelledError:
            receipt.status, receipt.error_code = "cancelled", "client_disconnected"
            raise
        except TimeoutError:
            receipt.status, receipt.error_code = "error", "local_model_timeout"
            raise LocalModelError(
                "The local model did not answer in time.",
                code="local_model_timeout",
                hint="Send less text, or raise utility_deadline_s in router.yaml.",
            ) from None
        except LancelotError as problem:
            receipt.status, receipt.error_code = "error", problem.code
            raise
        finally:
            taken = round(milliseconds_since(began), 3)
            receipt.latency = Latency(provider_ms=taken, total_ms=taken)
            powered = local_cost(taken, policy.power_usd_per_hour)
            if powered is not None:
                receipt.cost_usd, receipt.price_version = powered.usd, powered.version
            receipt.model = getattr(self._brains.local, "model_id", None)
            await self._recorder.write(None, receipt)
        return dict(answer) | {"receipt_id": receipt.id} | ({"below_bar": True} if under_bar else {})

    async def _call(self, task: str, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        brain: Any = self._brains.local
        if task == "classify":
            found = await brain.classify(text, labels=payload.get("labels"))
            below = {"below_bar": True} if getattr(found, "below_bar", False) else {}
            return {"label": found.label, "confidence": found.confidence} | below
        if task == "extract":
            schema = payload.get("schema")
            if not isinstance(schema, dict) or not schema:
                raise BadInput("`schema` must be an object of fields.", param="schema")
            return {"data": await brain.extract(text, schema)}
        if task == "summarize":
            return {"summary": await brain.summarize(text)}
        if task == "rewrite":
            return {"query": await brain.rewrite(text, conversation=payload.get("conversation"))}
        policy, mode = str(payload.get("policy") or "default"), str(payload.get("mode") or "fast")
        if mode not in get_args(Mode):
            raise BadInput(f"`mode` must be one of {', '.join(get_args(Mode))}.", param="mode")
        found = await asyncio.to_thread(self._redactor.redact, text, policy, cast(Mode, mode))
        return {"text": found.text, "spans": [span._asdict() for span in found.spans]}


def _as_chat(text: str, conversation: Any) -> ChatRequest:
    """The task's texts as one chat, so that one walk redacts them all with the same placeholders."""
    turns = [Message(role="user", content=str(turn.get("content", ""))) for turn in conversation or ()]
    return ChatRequest(messages=[*turns, Message(role="user", content=text)])


def _as_turns(chat: ChatRequest) -> list[dict[str, str]]:
    return [{"role": "user", "content": str(message.content)} for message in chat.messages[:-1]]


def _restored(answer: Any, restore: Callable[[str], str]) -> Any:
    """The answer with every text in it restored."""
    if isinstance(answer, str):
        return restore(answer)
    if isinstance(answer, dict):
        return {name: _restored(value, restore) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_restored(value, restore) for value in answer]
    return answer
