"""The utility tasks as (route, body) -> answer: the same objects over HTTP and in-process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from local_models.engine import Engine
from local_models.errors import BadTask
from local_models.results import Classified, Extracted, Redacted, Rewritten, Summarized
from local_models.wire import ClassifyBody, ExtractBody, RewriteBody, TextBody
from local_models.work import Ticket, Timing

__all__ = ["BODIES", "answer_of", "ask_engine", "submit", "usage_of"]

BODIES: dict[str, type[TextBody]] = {
    "classify": ClassifyBody,
    "extract": ExtractBody,
    "summarize": TextBody,
    "redact": TextBody,
    "rewrite": RewriteBody,
}
Result = Classified | Extracted | Summarized | Redacted | Rewritten


def submit(
    engine: Engine, task: str, body: TextBody, *, caller: str = "", deadline: float | None = None
) -> Ticket[Any]:
    """Hand a request to the engine."""
    terms: Mapping[str, Any] = {"caller": caller, "deadline": deadline}
    if isinstance(body, ClassifyBody):
        return engine.classify(body.text, body.chosen(), **terms)
    if isinstance(body, ExtractBody):
        return engine.extract(body.text, body.fields, **terms)
    if isinstance(body, RewriteBody):
        return engine.rewrite(body.text, body.turns(), **terms)
    return engine.summarize(body.text, **terms) if task == "summarize" else engine.redact(body.text, **terms)


def answer_of(result: Result, timing: Timing) -> dict[str, Any]:
    """The JSON answer of a task."""
    answer = asdict(result)
    if isinstance(result, Classified):
        answer["confidence"] = round(result.confidence, 6)
        answer["shares"] = {name: round(share, 6) for name, share in result.shares.items()}
    return answer | {"usage": usage_of(timing)}


def usage_of(timing: Timing) -> dict[str, int]:
    """Tokens read (cached ones included), of these from the cache, and written."""
    return {
        "prompt_tokens": timing.prompt_tokens + timing.cached_tokens,
        "cached_tokens": timing.cached_tokens,
        "completion_tokens": timing.output_tokens,
    }


def ask_engine(engine: Engine) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """A callable for the exam and the smoke test that needs no server: (`/v1/utility/classify`, body) -> answer."""

    def ask(route: str, body: dict[str, Any]) -> dict[str, Any]:
        task = route.rsplit("/", 1)[-1]
        if task not in BODIES:
            raise BadTask(f"There is no task {task}.")
        try:
            request = BODIES[task].model_validate(body)
        except ValidationError as problem:
            raise BadTask(str(problem.errors(include_input=False, include_url=False)[0]["msg"])) from None
        ticket = submit(engine, task, request)
        return answer_of(ticket.result(), ticket.timing)

    return ask
