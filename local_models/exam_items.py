"""Exam items: the golden set, or anybody's JSONL of the same form.

One JSON object a line, {"task", "input", "expected"}; an example for each task:

    {"task": "classify", "input": {"text": "Is the office open today?"}, "expected": "question"}
    {"task": "classify", "input": {"text": "My card was charged twice",
        "labels": [{"label": "billing", "description": "money"}, "outage"]}, "expected": "billing"}
    {"task": "extract", "input": {"text": "Total 12.50, due 3 May 2026",
        "schema": {"total": "number", "due": "date"}}, "expected": {"total": 12.5, "due": "2026-05-03"}}
    {"task": "redact", "input": {"text": "Mail anna@example.com"},
        "expected": {"spans": [{"start": 5, "end": 21, "label": "EMAIL"}], "ignore": []}}
    {"task": "summarize", "input": {"text": "…"}, "expected": {"mentions": ["backup", "02:14"], "max_words": 50}}
    {"task": "rewrite", "input": {"text": "And in winter?", "conversation": [{"role": "user",
        "content": "When does the pool open in summer?"}]}, "expected": "When does the pool open in winter?"}

Offsets are code points, end exclusive. `ignore` holds spans (or texts) that count neither for nor against. A span may
be given as {"text", "label"} instead of offsets. `expected` may be wrapped as the route's answer is ({"label": …},
{"data": …}, {"query": …}); for summarize it may be one reference text or a list; for rewrite a list of good rewrites.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_models.errors import ExamFailed

__all__ = ["TASKS", "ExamItem", "Span", "golden_folder", "golden_items", "load_items", "parse_items", "subset"]

TASKS = ("classify", "extract", "redact", "summarize", "rewrite")
SUMMARY_WORDS = 60


@dataclass(frozen=True)
class Span:
    """Characters start..end (end exclusive) with a label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class ExamItem:
    """One question and what a right answer is.

    `body` is what the task's route is sent. `expected` by task: classify the label; extract the fields; redact
    (spans, ignored spans); summarize (mentions, references, most words); rewrite the good rewrites.
    """

    task: str
    number: int
    body: dict[str, Any]
    expected: Any

    @property
    def text(self) -> str:
        return str(self.body["text"])


def golden_folder() -> Path:
    """Where our own golden set lies."""
    return Path(__file__).resolve().parent / "golden"


def golden_items() -> list[ExamItem]:
    """Our golden set: every task, in the order of TASKS."""
    return [item for task in TASKS for item in load_items(golden_folder() / f"{task}.jsonl")]


def load_items(path: Path) -> list[ExamItem]:
    """Read a JSONL file of items.

    Raises:
        ExamFailed: unreadable, or a line that is no item; the title names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ExamFailed(f"{path.name} cannot be read ({type(problem).__name__}).") from problem
    return parse_items(lines, name=path.name)


def parse_items(lines: Iterable[str], *, name: str = "items") -> list[ExamItem]:
    """Items of JSON lines; empty lines are skipped. Raises ExamFailed as load_items does."""
    items = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            items.append(_item(json.loads(line), number))
        except (ValueError, KeyError, TypeError) as problem:
            reason = f"{problem.args[0]} is missing" if isinstance(problem, KeyError) else str(problem)
            raise ExamFailed(f"{name}, line {number}: {reason}.", line=number) from problem
    if not items:
        raise ExamFailed(f"{name} holds no items.")
    return items


def subset(items: Sequence[ExamItem], per_task: int) -> list[ExamItem]:
    """`per_task` items of each task, spread evenly and always the same ones."""
    chosen = []
    for task in TASKS:
        of_task = [item for item in items if item.task == task]
        count = min(per_task, len(of_task))
        chosen += [of_task[index * len(of_task) // count] for index in range(count)]
    return chosen


def _item(raw: Any, number: int) -> ExamItem:
    if not isinstance(raw, dict):
        raise TypeError("is not an object")
    task, given = raw["task"], raw["input"]
    if task not in TASKS:
        raise ValueError(f"task {task!r} is not one of {', '.join(TASKS)}")
    body = {"text": given} if isinstance(given, str) else dict(given)
    if "query" in body and "text" not in body:
        body["text"] = body.pop("query")
    if not isinstance(body["text"], str) or not body["text"].strip():
        raise ValueError("input.text is empty")
    return ExamItem(task, number, body, _EXPECTED[task](raw["expected"], body))


def _classify(expected: Any, body: dict[str, Any]) -> str:
    label = expected["label"] if isinstance(expected, dict) else expected
    if not isinstance(label, str):
        raise TypeError("expected is no label")
    labels = [one["label"] if isinstance(one, dict) else one for one in body.get("labels") or ()]
    if labels and label not in labels:
        raise ValueError(f"expected {label!r} is not among the labels")
    return label


def _extract(expected: Any, body: dict[str, Any]) -> dict[str, Any]:
    wrapped = isinstance(expected, dict) and set(expected) == {"data"} and "data" not in body["schema"]
    fields = expected["data"] if wrapped else expected
    if not isinstance(fields, dict) or not fields:
        raise TypeError("expected is no object of fields")
    if not isinstance(body["schema"], dict) or set(fields) - set(body["schema"]):
        raise ValueError("expected has a field the schema does not have")
    return fields


def _redact(expected: Any, body: dict[str, Any]) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    wrapped = expected if isinstance(expected, dict) else {"spans": expected}
    spans = tuple(span for one in wrapped["spans"] for span in _spans(one, body["text"]))
    ignored = tuple(span for one in wrapped.get("ignore", ()) for span in _spans(one, body["text"]))
    return spans, ignored


def _spans(raw: Any, text: str) -> list[Span]:
    """A span by offsets, or every occurrence of its text."""
    if isinstance(raw, dict) and "start" in raw:
        span = Span(int(raw["start"]), int(raw["end"]), str(raw.get("label", "")))
        if not 0 <= span.start < span.end <= len(text):
            raise ValueError("a span lies outside the text")
        return [span]
    part, label = (raw["text"], str(raw.get("label", ""))) if isinstance(raw, dict) else (raw, "")
    found, at = [], text.find(part)
    while part and at >= 0:
        found.append(Span(at, at + len(part), label))
        at = text.find(part, at + len(part))
    if not found:
        raise ValueError("a span does not occur in the text")
    return found


def _summarize(expected: Any, body: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    if isinstance(expected, dict) and "summary" not in expected:
        references = expected.get("references", ())
        return tuple(expected.get("mentions", ())), tuple(references), int(expected.get("max_words", SUMMARY_WORDS))
    bare = expected["summary"] if isinstance(expected, dict) else expected
    return (), _texts(bare), SUMMARY_WORDS


def _rewrite(expected: Any, body: dict[str, Any]) -> tuple[str, ...]:
    bare = expected.get("query", expected.get("references")) if isinstance(expected, dict) else expected
    return _texts(bare)


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise TypeError("expected is no text")
    return texts


_EXPECTED = {
    "classify": _classify,
    "extract": _extract,
    "redact": _redact,
    "summarize": _summarize,
    "rewrite": _rewrite,
}
