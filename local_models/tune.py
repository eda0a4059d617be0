"""Which weight format runs: measured on this CPU, checked on every task, remembered beside the downloaded file.

    python -m local_models.tune --weights FILE [--adapter FILE] [--json]

Candidates are made from the verified download with the adapter merged in. The fastest one that loses no more than
MOST_LOST on any task wins, on a few items of each task first, then on the full exam; the others are deleted.
tuned.json holds CPU, library version and adapter: when one changes, the file as downloaded runs until tuning has been
repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from local_models.answers import ask_engine
from local_models.choice import (
    AS_IS,
    REMEMBERED,
    Choice,
    Trial,
    TuneReport,
    choose_weights,
    cpu_name,
    fingerprint,
    needs_tuning,
    remembered,
)
from local_models.engine import Engine
from local_models.errors import ModelError
from local_models.exam import ExamDone, ExamItem, ItemDone, golden_items, run_exam, subset
from local_models.files import write_atomic
from local_models.leftovers import clear_leftovers, merged_file, tuning_lock
from local_models.llama import library_version
from local_models.measure import Speed, measure
from local_models.merge import convert, merge
from local_models.serving import watch_parent
from local_models.tune_events import Asked, Judged, Step, TuneEvent, in_words, of, to_dict

__all__ = [
    "Choice",
    "Maker",
    "Trial",
    "TuneReport",
    "choose_weights",
    "cpu_name",
    "exam_check",
    "needs_tuning",
    "remembered",
    "tune",
]

CANDIDATES = ("Q4_0", "Q4_0-BF16", "Q8_0", "BF16")
MOST_LOST = 0.03  # of a task's score
ITEMS_EACH = 20


Check = Callable[[Choice], Mapping[str, float]]
Progress = Callable[[TuneEvent], None]


def exam_check(items: Sequence[ExamItem] | None = None, tell: Progress = lambda _event: None) -> Check:
    """A check that holds the short exam (20 golden items a task) in this process; {task: score}."""

    def check(choice: Choice) -> Mapping[str, float]:
        engine = Engine(choice.weights, choice.adapter, choice.chat_weights)
        scores: dict[str, float] = {}
        try:
            for event in run_exam(items or subset(golden_items(), ITEMS_EACH), ask_engine(engine)):
                if isinstance(event, ItemDone):
                    tell(Asked(choice.format, event.done, event.total))
                elif isinstance(event, ExamDone):
                    scores = {task["task"]: float(task["score"]) for task in event.result["tasks"]}
        finally:
            engine.close()
        return scores

    return check


def tune(
    original: Path,
    adapter: Path | None,
    *,
    check: Check | None = None,
    confirm: Check | None = None,
    progress: Progress | None = None,
    candidates: Sequence[str] = CANDIDATES,
    speed: Callable[[Choice], Speed] | None = None,
    maker: Maker | None = None,
) -> TuneReport:
    """Make, measure and check the candidates, keep the winner, remember the result.

    Args:
        check: scores of a choice by task (0..1); the short exam by default.
        confirm: the same, thoroughly, for a candidate that passed; the full exam by default.
        progress: told as it goes, see tune_events.

    Raises:
        Busy: another process tunes these weights. ModelError: the original itself cannot be run.
    """
    tell = progress or (lambda _event: None)
    checks = (
        ("check", check or exam_check(None, tell)),
        ("confirm", confirm or exam_check(golden_items(), tell)),
    )
    with tuning_lock(original):
        clear_leftovers(original, locked=True)
        return _Tuning(original, adapter, checks, tell, speed or _speed, maker or Maker()).run(candidates)


class Maker:
    """Makes the candidates' files; tests hand in one that needs no model."""

    def merge(self, source: Path, adapter: Path, target: Path) -> None:
        merge(source, adapter, target)

    def convert(self, source: Path, target: Path, form: str) -> None:
        convert(source, target, form)


def _speed(choice: Choice) -> Speed:
    return measure(choice.weights, choice.adapter)


class _Tuning:
    def __init__(
        self,
        original: Path,
        adapter: Path | None,
        checks: Sequence[tuple[str, Check]],
        tell: Progress,
        speed: Callable[[Choice], Speed],
        maker: Maker,
    ) -> None:
        self.original, self.adapter, self.checks, self.tell, self.speed = original, adapter, checks, tell, speed
        self.maker = maker
        self._references: dict[str, Mapping[str, float]] = {}
        self.folder = original.parent

    def run(self, candidates: Sequence[str]) -> TuneReport:
        as_is = Choice(self.original, self.adapter, None, AS_IS)
        self.tell(Step("measure", "the file as downloaded"))
        base = self._trial(as_is, self.speed(as_is))
        self.tell(of(base))
        source = merged_file(self.original)
        try:
            trials, costs = self._candidates(candidates, source)
            winner = self._pick(as_is, base, trials, costs)
        finally:
            source.unlink(missing_ok=True)
        return self._keep(winner, base, trials, costs)

    def _candidates(self, candidates: Sequence[str], source: Path) -> tuple[dict[str, Trial], dict[str, float]]:
        if self.adapter is not None:
            self.tell(Step("merge", "into plain weights"))
            self.maker.merge(self.original, self.adapter, source)
        trials: dict[str, Trial] = {}
        costs: dict[str, float] = {}
        for form in candidates:
            self.tell(Step("measure", form))
            choice = self._choice(form)
            try:
                self.maker.convert(source if self.adapter is not None else self.original, choice.weights, form)
                speed = self.speed(choice)
            except ModelError as problem:
                trials[form] = Trial(form, 0, 0.0, 0.0, f"failed: {problem.title}")
                continue
            trials[form], costs[form] = self._trial(choice, speed), speed.cost
            self.tell(of(trials[form]))
        return trials, costs

    def _pick(self, as_is: Choice, base: Trial, trials: dict[str, Trial], costs: dict[str, float]) -> str:
        limit = Speed(base.prefill_tps, base.decode_tps).cost
        winner = AS_IS
        for form in sorted(costs, key=costs.__getitem__):
            if costs[form] >= limit:
                trials[form] = replace(trials[form], verdict="slower than as-is")
            elif winner != AS_IS:
                trials[form] = replace(trials[form], verdict="slower")
            else:
                trials[form] = self._examined(as_is, form, trials[form])
                winner = form if trials[form].verdict == "chosen" else AS_IS
        return winner

    def _examined(self, as_is: Choice, form: str, trial: Trial) -> Trial:
        """The trial with its scores and whether they hold, the quick check first."""
        scores: dict[str, float] = {}
        for name, check in self.checks:
            if name not in self._references:
                self.tell(Step(name, "the file as downloaded"))
                self._references[name] = check(as_is)
                self.tell(Judged(AS_IS, dict(self._references[name]), ""))
            self.tell(Step(name, form))
            scores = dict(check(self._choice(form)))
            lost = {task: had - scores.get(task, 0.0) for task, had in self._references[name].items()}
            worst = max(lost, key=lost.__getitem__, default="")
            if worst and lost[worst] > MOST_LOST + 1e-9:
                verdict = f"loses quality: {worst} -{lost[worst]:.2f}"
                self.tell(Judged(form, scores, verdict))
                return replace(trial, verdict=verdict, scores=scores)
            self.tell(Judged(form, scores, "holds"))
        return replace(trial, verdict="chosen", scores=scores)

    def _keep(self, winner: str, base: Trial, trials: dict[str, Trial], costs: Mapping[str, float]) -> TuneReport:
        file = chat_file = None
        if winner != AS_IS:
            self.tell(Step("keep", winner))
            file = self._choice(winner).weights.name
            chat = self._chat_format(base, costs, trials) if self.adapter is not None else None
            if chat is not None:
                chat_file = f"{self.original.stem}.chat.{chat}.gguf"
                self.maker.convert(self.original, self.folder / chat_file, chat)
        report = TuneReport(
            winner=winner,
            file=file,
            chat_file=chat_file,
            formats=[replace(base, verdict="chosen" if winner == AS_IS else "slower"), *trials.values()],
            cpu=cpu_name(),
            library=library_version(),
            original_bytes=self.original.stat().st_size,
            adapter=fingerprint(self.adapter),
            tuned_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_atomic(self.folder / REMEMBERED, json.dumps(report.to_dict(), indent=1).encode())
        clear_leftovers(self.original, locked=True)
        return report

    def _chat_format(self, base: Trial, costs: Mapping[str, float], trials: Mapping[str, Trial]) -> str | None:
        """The fastest format no larger than the download, for chat on the base model; None: the download itself."""
        limit = Speed(base.prefill_tps, base.decode_tps).cost
        small = [form for form in costs if costs[form] < limit and trials[form].bytes <= base.bytes * 1.2]
        return min(small, key=costs.__getitem__, default=None)

    def _choice(self, form: str) -> Choice:
        return Choice(self.folder / f"{self.original.stem}.utility.{form}.gguf", None, self.original, form)

    def _trial(self, choice: Choice, speed: Speed) -> Trial:
        size = choice.weights.stat().st_size if choice.weights.exists() else 0
        return Trial(choice.format, size, round(speed.prefill_tps, 1), round(speed.decode_tps, 1), "measured")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; with --json one object a line: events while it works (tune_events), the report at the end."""
    parser = argparse.ArgumentParser(prog="python -m local_models.tune", description="Tune the local model.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input is closed")
    options = parser.parse_args(arguments)
    if options.watch_stdin:
        watch_parent(lambda: None, grace_s=0.0)

    def show(event: TuneEvent) -> None:
        if options.json:
            print(json.dumps(to_dict(event)), flush=True)
        elif not isinstance(event, Asked):
            print(in_words(event), flush=True)

    try:
        report = tune(options.weights, options.adapter, progress=show)
    except ModelError as problem:
        print(json.dumps({"error": problem.to_dict()}) if options.json else str(problem), file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report.to_dict()), flush=True)
    else:
        for trial in report.formats:
            print(f"{trial.format:8} {trial.prefill_tps:8.0f} {trial.decode_tps:7.0f} tokens/s  {trial.verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
