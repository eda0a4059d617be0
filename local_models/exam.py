"""The exam: is the local model good enough for each task, and how fast is it?

    with HttpAsk(url) as ask:
        for event in run_exam(golden_items(), ask):
            ...
    print(event.result)     # the last event is ExamDone

A result is a plain dict that can be stored as it is:

    {"started_at": "2026-…", "seconds": 41.2, "items": 520, "passed": true,
     "tasks": [{"task": "classify", "score": 0.93, "items": 150, "passed": true, "bars": {"accuracy": 0.9},
                "measures": {"accuracy": 0.93, …}, "p50_ms": 14.0, "p95_ms": 21.3, "tokens_per_s": 612.0,
                "failed": 0, "missed": [3, 17]}, …]}

`missed` are line numbers in the file of the items, never texts: an exam may be held on private data. `tokens_per_s`
counts tokens read (cached ones apart) and written where the answers tell them (`usage`), else it is null. A command:
`python -m local_models.exam --url http://127.0.0.1:8090 [--items FILE]`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_models.errors import Busy, ExamFailed, ModelError
from local_models.exam_items import TASKS, ExamItem, golden_items, load_items, subset
from local_models.exam_scores import BARS, Marked, mark, score_task
from local_models.smoke_test import Ask, HttpAsk

__all__ = [
    "BARS",
    "TASKS",
    "ExamDone",
    "ExamEvent",
    "ExamItem",
    "ExamStarted",
    "ItemDone",
    "TaskDone",
    "golden_items",
    "hold_exam",
    "load_items",
    "run_exam",
    "subset",
]

GIVE_UP_AFTER = 5
BUSY_TRIES = 5


@dataclass(frozen=True)
class ExamStarted:
    """`total` items will be asked, of these tasks."""

    total: int
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class ItemDone:
    """One answer is marked; `done` of `total`."""

    task: str
    right: bool
    done: int
    total: int
    ms: float


@dataclass(frozen=True)
class TaskDone:
    """A task is through; the same object as in the result's `tasks`."""

    result: dict[str, Any]


@dataclass(frozen=True)
class ExamDone:
    """All tasks are through."""

    result: dict[str, Any]


ExamEvent = ExamStarted | ItemDone | TaskDone | ExamDone


def run_exam(
    items: Sequence[ExamItem],
    ask: Ask,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ExamEvent]:
    """Ask every item, one after the other (so that latencies are a single caller's), and yield what happens.

    Args:
        ask: (route, body) -> answer, for example `HttpAsk(url)`; a ModelError counts as a wrong answer.

    Raises:
        ExamFailed: there is nothing to ask, or the model does not answer any more.
    """
    if not items:
        raise ExamFailed("There are no items to ask.")
    tasks = tuple(task for task in TASKS if any(item.task == task for item in items))
    started_at, start, done = datetime.now(UTC), clock(), 0
    yield ExamStarted(len(items), tasks)
    results = []
    for task in tasks:
        taken = _Taken()
        for item in (item for item in items if item.task == task):
            before = clock()
            answer = _answer(item, ask, taken, sleep)
            ms = (clock() - before) * 1000
            marked = mark(item, answer)
            taken.add(marked, answer, ms)
            done += 1
            yield ItemDone(task, marked.right, done, len(items), ms)
        results.append(taken.result(task))
        yield TaskDone(results[-1])
    yield ExamDone(
        {
            "started_at": started_at.isoformat(),
            "seconds": round(clock() - start, 3),
            "items": len(items),
            "passed": all(result["passed"] for result in results),
            "tasks": results,
        }
    )


def hold_exam(items: Sequence[ExamItem], ask: Ask) -> dict[str, Any]:
    """Run the exam to its end and return the result."""
    for event in run_exam(items, ask):
        if isinstance(event, ExamDone):
            return event.result
    raise ExamFailed("The exam did not end.")


class _Taken:
    """The answers of one task so far."""

    def __init__(self) -> None:
        self.marked: list[Marked] = []
        self.ms: list[float] = []
        self.tokens = 0
        self.failed = 0
        self.failed_in_a_row = 0

    def add(self, marked: Marked, answer: dict[str, Any] | None, ms: float) -> None:
        self.marked.append(marked)
        self.ms.append(ms)
        usage = (answer or {}).get("usage")
        if isinstance(usage, dict):
            told = {name: int(usage.get(f"{name}_tokens") or 0) for name in ("prompt", "cached", "completion")}
            self.tokens += told["prompt"] - told["cached"] + told["completion"]

    def result(self, task: str) -> dict[str, Any]:
        scored = score_task(task, self.marked)
        seconds = sum(self.ms) / 1000
        return {
            "task": task,
            "score": scored.score,
            "items": len(self.marked),
            "passed": scored.passed,
            "bars": scored.bars,
            "measures": scored.measures,
            "p50_ms": round(_quantile(self.ms, 0.50), 2),
            "p95_ms": round(_quantile(self.ms, 0.95), 2),
            "tokens_per_s": round(self.tokens / seconds, 1) if self.tokens and seconds else None,
            "failed": self.failed,
            "missed": [one.item.number for one in self.marked if not one.right],
        }


def _answer(item: ExamItem, ask: Ask, taken: _Taken, sleep: Callable[[float], None]) -> dict[str, Any] | None:
    """The route's answer, None if there was none; a busy model is asked again after the time it names."""
    for attempt in range(BUSY_TRIES):
        try:
            answer = ask(f"/v1/utility/{item.task}", item.body)
        except Busy as busy:
            if attempt + 1 < BUSY_TRIES:
                sleep(min(busy.retry_after or 0.5, 5.0))
            continue
        except ModelError as problem:
            taken.failed += 1
            taken.failed_in_a_row += 1
            if taken.failed_in_a_row >= GIVE_UP_AFTER:
                raise ExamFailed(f"The local model does not answer: {problem.title}") from problem
            return None
        taken.failed_in_a_row = 0
        return answer
    taken.failed += 1
    return None


def _quantile(values: Sequence[float], share: float) -> float:
    """The value at this share of the sorted list (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: 0 when every task is over its bar, 1 when one is not, or the exam failed."""
    parser = argparse.ArgumentParser(prog="python -m local_models.exam", description="Hold the exam.")
    parser.add_argument("--url", required=True, help="base URL of the service, for example http://127.0.0.1:8090")
    parser.add_argument("--items", type=Path, help="JSONL of {task, input, expected}; default: our golden set")
    parser.add_argument("--per-task", type=int, help="ask only this many items of each task")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(arguments)
    try:
        items = load_items(options.items) if options.items else golden_items()
        chosen = subset(items, options.per_task) if options.per_task else items
        with HttpAsk(options.url) as ask:
            result = hold_exam(chosen, ask)
    except ModelError as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(result))
    else:
        for task in result["tasks"]:
            measures = "  ".join(f"{name} {value:g}" for name, value in task["measures"].items())
            verdict = "ok  " if task["passed"] else "LOW "
            print(f"{verdict}{task['task']:10} {task['score']:.3f}  p50 {task['p50_ms']:.0f} ms  {measures}")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
