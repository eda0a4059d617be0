"""The utility tasks as plans: what is evaluated, in which order, and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_models.grammar import FieldRule, JsonLine, SpanLines
from local_models.labels import score_labels, softmax
from local_models.work import Branch, Fork, Pass, Plan, Prefix, Room
from local_models.writing import Constraint, Sampling, Written, write

__all__ = ["answer_plan", "classify_plan", "extract_plan", "free_plan", "prior_plan", "redact_plan"]

SMALLEST_PART = 96  # tokens
OVERLAP = 16
Count = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A cached prefix and, for each window, the tokens that follow it (own text and tail)."""

    prefix: Prefix
    bodies: list[list[int]]


def prior_plan(room: Room, prompt: Prompt, labels: Sequence[Sequence[int]]) -> Plan[list[float]]:
    """What each label scores for a text that says nothing (the prompt's only body)."""
    at: Branch = yield Fork(prompt.prefix)
    (body,) = prompt.bodies
    rows = yield [Pass(at.sequence, at.length, body)]
    scored = yield from score_labels(room, Branch(at.sequence, at.length + len(body)), rows[-1], labels, every=True)
    room.release(at)
    return scored.scores


def classify_plan(
    room: Room, prompt: Prompt, labels: Sequence[Sequence[int]], priors: Sequence[float] | None = None
) -> Plan[list[float]]:
    """The labels' shares (sum 1), averaged in log space over the windows."""
    total = [0.0] * len(labels)
    at: Branch = yield Fork(prompt.prefix)
    for body in prompt.bodies:
        rows = yield [Pass(at.sequence, at.length, body)]
        whole = Branch(at.sequence, at.length + len(body))
        scored = yield from score_labels(room, whole, rows[-1], labels, priors=priors)
        total = [sum_ + score for sum_, score in zip(total, scored.scores, strict=True)]
        room.rewind(at)
    return softmax([score / len(prompt.bodies) for score in total])


def answer_plan(
    room: Room,
    prompt: Prompt,
    *,
    limit: int,
    constraint: Callable[[int], Constraint] | None = None,
    count: Count | None = None,
) -> Plan[list[Written]]:
    """One greedy answer a window."""
    answers = []
    at: Branch = yield Fork(prompt.prefix)
    for index, body in enumerate(prompt.bodies):
        rows = yield [Pass(at.sequence, at.length, body)]
        whole = Branch(at.sequence, at.length + len(body))
        rule = constraint(index) if constraint else None
        answers.append((yield from write(room, whole, rows[-1], limit=limit, constraint=rule, count=count)))
        room.rewind(at)
    room.release(at)
    return answers


def extract_plan(
    room: Room,
    groups: Sequence[tuple[Prompt, Sequence[FieldRule]]],
    tail: int,
    *,
    limit: int,
    count: Count | None = None,
) -> Plan[dict[str, Any]]:
    """The schema's fields, a few at a time; a later window only fills what earlier ones left null.

    The last `tail` tokens of a body are not its text, which the values have to come from.
    """
    data: dict[str, Any] = {}
    for prompt, fields in groups:
        lines = [JsonLine(fields, room.weights.text(body[: len(body) - tail])) for body in prompt.bodies]
        answers = yield from answer_plan(room, prompt, limit=limit, constraint=lines.__getitem__, count=count)
        for answer, line in zip(answers, lines, strict=True):
            found = json.loads(answer.text + ("" if line.may_end() else line.closing().decode()))
            for rule in fields:
                if data.get(rule.name) is None:
                    data[rule.name] = found[rule.name]
    return data


def redact_plan(
    room: Room,
    prefix: Prefix,
    parts: Sequence[Sequence[int]],
    tail: Sequence[int],
    *,
    limit: int,
    count: Count | None = None,
) -> Plan[list[tuple[str, str]]]:
    """(type, text) lines of all windows. A window with more spans than fit into the answer is read again in halves."""
    lines: list[tuple[str, str]] = []
    waiting = [list(part) for part in parts]
    while waiting:
        part = waiting.pop(0)
        rule = SpanLines(room.weights.text(part))
        (written,) = yield from answer_plan(
            room, Prompt(prefix, [[*part, *tail]]), limit=limit, constraint=[rule].__getitem__, count=count
        )
        lines += rule.lines
        if written.finish == "length" and len(part) > SMALLEST_PART:
            middle = len(part) // 2
            waiting[:0] = [part[: middle + OVERLAP], part[middle - OVERLAP :]]
    return lines


def free_plan(
    room: Room,
    tokens: Sequence[int],
    *,
    limit: int,
    sampling: Sampling,
    constraint: Constraint | None = None,
    on_text: Callable[[str], None] | None = None,
    count: Count | None = None,
) -> Plan[Written]:
    """A free answer to a whole prompt (chat)."""
    at: Branch = yield Fork(None)
    rows = yield [Pass(at.sequence, 0, list(tokens))]
    whole = Branch(at.sequence, len(tokens))
    return (
        yield from write(
            room, whole, rows[-1], limit=limit, sampling=sampling, constraint=constraint, on_text=on_text, count=count
        )
    )


def schema_fields(schema: Mapping[str, Any]) -> list[FieldRule]:
    """Rules from {"field": "string|number|integer|boolean|date"} or from a flat JSON Schema object.

    Raises:
        ValueError: names the field and what is wrong with it.
    """
    if schema.get("type") == "object" and isinstance(schema.get("properties"), Mapping):
        schema = schema["properties"]
    if not schema:
        raise ValueError("The schema has no fields.")
    return [_rule(str(name), kind) for name, kind in schema.items()]


def _rule(name: str, kind: Any) -> FieldRule:
    if isinstance(kind, Mapping):
        if isinstance(kind.get("enum"), list):
            kind = kind["enum"]
        elif kind.get("format") in ("date", "date-time"):
            kind = "date"
        else:
            types = kind.get("type")
            types = [types] if isinstance(types, str) else types
            kind = next((t for t in types or [] if t != "null"), None)
    if isinstance(kind, list):
        options = tuple(value for value in kind if value is not None)
        if options and all(isinstance(value, str | int | float | bool) for value in options):
            return FieldRule(name, "enum", options)
    if kind not in ("string", "number", "integer", "boolean", "date"):
        raise ValueError(f"`{name}` needs one of string, number, integer, boolean, date or a list of choices.")
    return FieldRule(name, kind)
