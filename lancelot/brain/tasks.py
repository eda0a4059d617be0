"""The utility tasks as seen from here: their results, their default labels, and how to ask a model that has no
utility routes of its own (llama-server, vLLM, Ollama): plain prompts, JSON-schema output, the same guards.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lancelot.errors import BadInput
from local_models.guards import guard_rewrite, guard_summary
from local_models.layout import DEFAULT_LABELS, SPAN_TYPES, Label, Turn
from local_models.plans import schema_fields
from local_models.results import find_spans

__all__ = ["BAR", "Ask", "Classification", "as_labels", "as_turns", "asks", "default_labels"]

BAR = 0.55  # a confidence under it says so
JSON_TYPE = {"string": "string", "date": "string", "number": "number", "integer": "integer", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Classification:
    """confidence is 0..1; below_bar says that the label should not be acted on unattended. redacted: the model saw
    placeholders instead of personal data."""

    label: str
    confidence: float
    below_bar: bool
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a plain chat model. schema: the JSON its answer must have, None for free text."""

    system: str
    user: str
    max_tokens: int
    schema: Mapping[str, Any] | None = None


def default_labels() -> list[dict[str, str | None]]:
    """question, command, information, greeting, feedback, unclear, with the descriptions the model reads."""
    return [{"label": label.name, "description": label.description} for label in DEFAULT_LABELS]


def as_labels(labels: Sequence[str | Mapping[str, Any]] | None) -> list[Label]:
    """Labels from ["a", …] or [{"label", "description"?}]; None gives the default set.

    Raises:
        BadInput: not in one of these forms.
    """
    if labels is None:
        return list(DEFAULT_LABELS)
    try:
        return [
            Label(item) if isinstance(item, str) else Label(str(item["label"]), item.get("description"))
            for item in labels
        ]
    except (KeyError, TypeError, AttributeError):
        raise BadInput("`labels` must be names or objects with a `label`.", param="labels") from None


def as_turns(conversation: Sequence[Mapping[str, Any]] | None) -> list[Turn]:
    """User and assistant turns of [{"role", "content"}]."""
    turns = [Turn(str(turn.get("role")), str(turn.get("content") or "")) for turn in conversation or []]
    return [turn for turn in turns if turn.role in ("user", "assistant")]


class asks:
    """Question and reading of the answer for each task, for models without utility routes."""

    @staticmethod
    def classify(text: str, labels: Sequence[Label]) -> Ask:
        listed = "\n".join(f"- {x.name}: {x.description}" if x.description else f"- {x.name}" for x in labels)
        names = [label.name for label in labels]
        schema = _object({"label": {"type": "string", "enum": names}})
        system = f'Choose the one label that fits the text. Answer as {{"label": "…"}}.\nLabels:\n{listed}'
        return Ask(system, f"Text: {text}", 40, schema)

    @staticmethod
    def read_label(answer: str, logprobs: Sequence[float] | None, labels: Sequence[Label]) -> tuple[str, float]:
        """(label, confidence). Without log-probabilities nobody knows how sure it is: 0.5."""
        names = [label.name for label in labels]
        said = read_json(answer).get("label")
        if said not in names:
            low = answer.lower()
            found = [name for name in names if re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", low)]
            if len(found) != 1:
                return (found[0] if found else names[-1]), 0.0
            said = found[0]
        return str(said), math.exp(sum(logprobs)) if logprobs else 0.5

    @staticmethod
    def extract(text: str, schema: Mapping[str, Any]) -> Ask:
        """Raises BadInput for a schema that is not flat."""
        try:
            rules = schema_fields(schema)
        except ValueError as problem:
            raise BadInput(str(problem), param="schema") from None
        properties = {
            rule.name: {"enum": [*rule.options, None]}
            if rule.kind == "enum"
            else {"type": [JSON_TYPE[rule.kind], "null"]}
            for rule in rules
        }
        told = {rule.name: list(rule.options) or rule.kind for rule in rules}
        system = (
            "Fill the schema from the text and answer with one JSON object. Use null for what the text does not say. "
            f"Dates as YYYY-MM-DD.\nSchema: {json.dumps(told, ensure_ascii=False)}"
        )
        return Ask(system, f"Text: {text}", 60 + 60 * len(rules), _object(properties))

    @staticmethod
    def read_fields(answer: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The schema's fields; what is missing or of the wrong type is null."""
        found = read_json(answer)
        return {rule.name: _fitting(found.get(rule.name), rule.kind, rule.options) for rule in schema_fields(schema)}

    @staticmethod
    def summarize(text: str) -> Ask:
        return Ask("Write a faithful summary of the text in one or two sentences.", f"Text: {text}", 120)

    @staticmethod
    def read_summary(answer: str, text: str) -> str:
        return guard_summary(answer, text)[0]

    @staticmethod
    def rewrite(text: str, turns: Sequence[Turn]) -> Ask:
        spoken = "".join(f"{turn.role.capitalize()}: {turn.content}\n" for turn in turns)
        system = "Rewrite the last query as one self-contained search query. Answer with the query alone."
        return Ask(system, (f"Conversation:\n{spoken}\n" if spoken else "") + f"Query: {text}", 80)

    @staticmethod
    def read_query(answer: str, text: str, turns: Sequence[Turn]) -> str:
        return guard_rewrite(answer.strip().strip('"'), text, turns)[0]

    @staticmethod
    def redact(text: str) -> Ask:
        span = _object({"type": {"type": "string", "enum": list(SPAN_TYPES)}, "text": {"type": "string"}})
        system = (
            'List every sensitive span of the text as {"spans": [{"type", "text"}]}; text word for word. '
            f"Types: {', '.join(SPAN_TYPES)}. An empty list when there is none."
        )
        return Ask(system, f"Text: {text}", 600, _object({"spans": {"type": "array", "items": span}}))

    @staticmethod
    def read_spans(answer: str, text: str) -> list[dict[str, Any]]:
        """Only spans that occur in the text."""
        spans = read_json(answer).get("spans")
        lines = [
            (str(span["type"]), str(span["text"]))
            for span in (spans if isinstance(spans, list) else [])
            if isinstance(span, dict) and span.get("type") in SPAN_TYPES and str(span.get("text") or "").strip()
        ]
        return [{"start": s.start, "end": s.end, "label": s.label} for s in find_spans(text, lines)]


def read_json(answer: str) -> dict[str, Any]:
    """The first JSON object in an answer, {} when there is none: models like to wrap it in words or fences."""
    start = answer.find("{")
    while start >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(answer[start:])
        except ValueError:
            start = answer.find("{", start + 1)
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _fitting(value: Any, kind: str, options: Sequence[object]) -> Any:
    fits = {
        "enum": value in options,
        "boolean": isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "string": isinstance(value, str),
        "date": isinstance(value, str),
    }
    return value if fits[kind] else None
