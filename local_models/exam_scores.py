"""What an answer is worth, by task. Pure functions over (item, answer); all shares lie between 0 and 1.

classify    share of right labels (also apart: default labels, custom labels)
extract     share of fields with exactly the expected value, and of whole records
redact      recall: sensitive spans whose characters are covered (at least 80 %); precision: found spans that lie
            in sensitive ones (at least half); labels are compared apart
summarize   faithful: every number and every name of the summary occurs in the text, and at least three quarters of
            its words do; length: not empty, within the bound, shorter than the text
rewrite     token F1 with the best reference, beside the F1 of copying the query
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_models.exam_items import ExamItem, Span

__all__ = ["BARS", "Marked", "Scored", "mark", "score_task", "token_f1"]

COVERED = 0.8
INSIDE = 0.5
KNOWN_WORDS = 0.75


@dataclass(frozen=True)
class Marked:
    """One marked answer: `right` says whether a person would accept it, `counts` is summed up by task."""

    item: ExamItem
    right: bool
    counts: dict[str, float]


@dataclass(frozen=True)
class Scored:
    """A task's result: `score` is its headline figure, `measures` everything behind it, `passed` against the bars."""

    score: float
    passed: bool
    measures: dict[str, float]
    bars: dict[str, float] = field(default_factory=dict)


BARS: dict[str, dict[str, float]] = {
    "classify": {"accuracy": 0.90},
    "extract": {"fields": 0.80},
    "redact": {"recall": 0.85, "precision": 0.80},
    "summarize": {"faithful": 0.90},
    "rewrite": {"above_copying": 0.0},
}
"""The least a task must reach to be used unattended; rewrite must be better than copying."""

HEADLINE = {"classify": "accuracy", "extract": "fields", "redact": "f1", "summarize": "faithful", "rewrite": "f1"}


def mark(item: ExamItem, answer: dict[str, Any] | None) -> Marked:
    """Mark one answer of the task's route; None (no answer) or another shape counts as wrong."""
    try:
        return _MARKERS[item.task](item, answer or {})
    except (KeyError, TypeError, ValueError, AttributeError):
        return _MARKERS[item.task](item, _NOTHING[item.task])


def score_task(task: str, marked: Sequence[Marked]) -> Scored:
    """Sum up the marked answers of one task."""
    counts: Counter[str] = Counter()
    for one in marked:
        counts.update(one.counts)
    measures = {name: round(value, 4) for name, value in _SUMS[task](counts).items()}
    bars = BARS[task]
    passed = all(measures[name] >= bar if bar > 0 else measures[name] > bar for name, bar in bars.items())
    return Scored(measures[HEADLINE[task]], passed, measures, bars)


def token_f1(one: str, other: str) -> float:
    """Harmonic mean of word precision and recall, case-insensitive."""
    left, right = _words(one), _words(other)
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right)) if common else 0.0


def _classify(item: ExamItem, answer: dict[str, Any]) -> Marked:
    right = answer["label"] == item.expected
    kind = "custom" if item.body.get("labels") else "default"
    return Marked(item, right, {"n": 1, "right": right, f"n_{kind}": 1, f"right_{kind}": right})


def _classify_sum(counts: Counter[str]) -> dict[str, float]:
    measures = {"accuracy": counts["right"] / counts["n"]}
    for kind in ("default", "custom"):
        if counts[f"n_{kind}"]:
            measures[f"accuracy_{kind}_labels"] = counts[f"right_{kind}"] / counts[f"n_{kind}"]
    return measures


def _extract(item: ExamItem, answer: dict[str, Any]) -> Marked:
    data = answer["data"]
    if not isinstance(data, dict):
        raise TypeError("data is no object")
    right = sum(name in data and _same(data[name], value) for name, value in item.expected.items())
    absent = [name for name, value in item.expected.items() if value is None]
    whole = right == len(item.expected)
    counts: dict[str, float] = {"n": 1, "fields": len(item.expected), "right": right, "whole": whole}
    counts |= {"absent": len(absent), "absent_right": sum(data.get(name, 0) is None for name in absent)}
    return Marked(item, whole, counts)


def _extract_sum(counts: Counter[str]) -> dict[str, float]:
    return {
        "fields": counts["right"] / counts["fields"],
        "records": counts["whole"] / counts["n"],
        "absent_fields": counts["absent_right"] / counts["absent"] if counts["absent"] else 1.0,
    }


def _same(got: Any, expected: Any) -> bool:
    """Equal values: numbers by value, texts but for case, spacing and a closing dot; a boolean is never a number."""
    if isinstance(got, bool) or isinstance(expected, bool) or got is None or expected is None:
        return got is expected
    if isinstance(expected, int | float):
        return isinstance(got, int | float) and abs(got - expected) < 1e-9
    return isinstance(got, str) and _plain(got) == _plain(str(expected))


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".").lower()


def _redact(item: ExamItem, answer: dict[str, Any]) -> Marked:
    expected, ignored = item.expected
    found = [Span(int(one["start"]), int(one["end"]), str(one["label"])) for one in answer["spans"]]
    hit = [_covered(span, found) >= COVERED for span in expected]
    judged = [span for span in found if _covered(span, ignored) < INSIDE or _covered(span, expected) > 0]
    good = [_covered(span, expected) >= INSIDE for span in judged]
    labels = sum(any(span.label == one.label and _overlap(span, one) for one in found) for span in expected)
    exact = sum(any((span.start, span.end) == (one.start, one.end) for one in found) for span in expected)
    counts: dict[str, float] = {"n": 1, "expected": len(expected), "hit": sum(hit), "found": len(judged)}
    counts |= {"good": sum(good), "labelled": labels, "exact": exact}
    counts |= {"clean": not expected, "clean_right": not expected and not judged}
    return Marked(item, all(hit) and all(good), counts)


def _redact_sum(counts: Counter[str]) -> dict[str, float]:
    recall = counts["hit"] / counts["expected"] if counts["expected"] else 1.0
    precision = counts["good"] / counts["found"] if counts["found"] else 1.0
    return {
        "recall": recall,
        "precision": precision,
        "f1": 2 * recall * precision / (recall + precision) if recall + precision else 0.0,
        "exact_spans": counts["exact"] / counts["expected"] if counts["expected"] else 1.0,
        "labels": counts["labelled"] / counts["expected"] if counts["expected"] else 1.0,
        "clean_left_alone": counts["clean_right"] / counts["clean"] if counts["clean"] else 1.0,
    }


def _overlap(one: Span, other: Span) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _covered(span: Span, others: Sequence[Span]) -> float:
    """The share of the span's characters that lie in one of the others."""
    inside: set[int] = set()
    for other in others:
        inside.update(range(max(span.start, other.start), min(span.end, other.end)))
    return len(inside) / max(1, span.end - span.start)


def _summarize(item: ExamItem, answer: dict[str, Any]) -> Marked:
    mentions, references, most_words = item.expected
    summary = str(answer["summary"]).strip()
    words, source = _words(summary), set(_words(item.text))
    known = sum(word in source for word in words) / len(words) if words else 0.0
    facts = _facts(summary)
    true_facts = sum(_fact_in(fact, item.text) for fact in facts)
    faithful = bool(words) and true_facts == len(facts) and known >= KNOWN_WORDS
    fits = 0 < len(words) <= most_words and len(summary) < max(len(item.text), 80)
    said = sum(mention.lower() in summary.lower() for mention in mentions)
    counts: dict[str, float] = {"n": 1, "faithful": faithful, "fits": fits, "words": len(words)}
    counts["share"] = min(1.0, len(words) / max(1, len(_words(item.text))))
    counts |= {"facts": len(facts), "true_facts": true_facts, "mentions": len(mentions), "said": said}
    counts |= {"n_rouge": bool(references), "rouge": max((_rouge_l(summary, one) for one in references), default=0.0)}
    return Marked(item, faithful and fits, counts)


def _summarize_sum(counts: Counter[str]) -> dict[str, float]:
    measures = {
        "faithful": counts["faithful"] / counts["n"],
        "length": counts["fits"] / counts["n"],
        "facts_in_text": counts["true_facts"] / counts["facts"] if counts["facts"] else 1.0,
        "mean_words": counts["words"] / counts["n"],
        "share_of_text": counts["share"] / counts["n"],
    }
    if counts["mentions"]:
        measures["key_points"] = counts["said"] / counts["mentions"]
    if counts["n_rouge"]:
        measures["rouge_l"] = counts["rouge"] / counts["n_rouge"]
    return measures


def _facts(summary: str) -> list[str]:
    """Numbers, and capitalised words that do not merely begin a sentence."""
    facts = re.findall(r"\w*\d(?:[\w,.:/-]*\w)?", summary)
    for sentence in re.split(r"(?<=[.!?])\s+", summary):
        inner = sentence.split()[1:]
        facts += [word for word in (re.sub(r"^\W+|\W+$|'s$", "", one) for one in inner) if word[:1].isupper()]
    return facts


def _fact_in(fact: str, text: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(fact)}(?![^\W_])", text, re.IGNORECASE) is not None


def _rewrite(item: ExamItem, answer: dict[str, Any]) -> Marked:
    query = str(answer["query"])
    best = max(token_f1(query, reference) for reference in item.expected)
    copied = max(token_f1(item.text, reference) for reference in item.expected)
    exact = any(_words(query) == _words(reference) for reference in item.expected)
    return Marked(item, best >= max(copied, 0.5), {"n": 1, "f1": best, "copied": copied, "exact": exact})


def _rewrite_sum(counts: Counter[str]) -> dict[str, float]:
    f1, copied = counts["f1"] / counts["n"], counts["copied"] / counts["n"]
    return {"f1": f1, "copying_f1": copied, "above_copying": f1 - copied, "exact": counts["exact"] / counts["n"]}


def _rouge_l(one: str, other: str) -> float:
    left, right = _words(one), _words(other)
    row = [0] * (len(right) + 1)
    for word in left:
        diagonal = 0
        for column, against in enumerate(right, start=1):
            above = row[column]
            row[column] = diagonal + 1 if word == against else max(row[column], row[column - 1])
            diagonal = above
    return 2 * row[-1] / (len(left) + len(right)) if row[-1] else 0.0


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


_MARKERS: dict[str, Callable[[ExamItem, dict[str, Any]], Marked]] = {
    "classify": _classify,
    "extract": _extract,
    "redact": _redact,
    "summarize": _summarize,
    "rewrite": _rewrite,
}
_SUMS: dict[str, Callable[[Counter[str]], dict[str, float]]] = {
    "classify": _classify_sum,
    "extract": _extract_sum,
    "redact": _redact_sum,
    "summarize": _summarize_sum,
    "rewrite": _rewrite_sum,
}
_NOTHING: dict[str, dict[str, Any]] = {
    "classify": {"label": None},
    "extract": {"data": {}},
    "redact": {"spans": []},
    "summarize": {"summary": ""},
    "rewrite": {"query": ""},
}
