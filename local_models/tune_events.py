"""What a tuning tells while it works, for page, control plane and command line alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from local_models.choice import AS_IS, Trial

__all__ = ["Asked", "Judged", "Measured", "Step", "TuneEvent", "in_words", "to_dict"]


@dataclass(frozen=True, slots=True)
class Step:
    """What begins. step: measure, merge, check (a few items of each task), confirm (the full exam) or keep."""

    step: str
    detail: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A format's speed in tokens a second, and the size of its file in bytes."""

    format: str
    prefill_tps: float
    decode_tps: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Asked:
    """How far the exam of a format is; items."""

    format: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What an exam found: scores by task (0..1) and, for a candidate, the verdict."""

    format: str
    scores: dict[str, float]
    verdict: str


TuneEvent = Step | Measured | Asked | Judged
NAMES = {Step: "step", Measured: "measured", Asked: "asked", Judged: "judged"}
STEPS = {
    "measure": "measuring",
    "merge": "merging the adapter",
    "check": "quick check of",
    "confirm": "full exam of",
    "keep": "keeping",
}


def to_dict(event: TuneEvent) -> dict[str, Any]:
    """{"event": …}, the fields, and `words` for a person; JSON-safe."""
    return {"event": NAMES[type(event)]} | asdict(event) | {"words": in_words(event)}


def in_words(event: TuneEvent) -> str:
    """One line for a person."""
    match event:
        case Step(step, detail):
            return f"{STEPS.get(step, step)} {detail}".strip()
        case Measured(form, prefill, decode, _):
            return f"{_name(form)}: reads {prefill:.0f}, writes {decode:.0f} tokens/s"
        case Asked(form, done, total):
            return f"exam of {_name(form)}, item {done} of {total}"
        case Judged(form, scores, verdict):
            told = ", ".join(f"{task} {score:.3f}" for task, score in scores.items())
            return f"{_name(form)}: {told}" + (f"; {verdict}" if verdict else "")


def of(trial: Trial) -> Measured:
    """The measurement of a trial."""
    return Measured(trial.format, trial.prefill_tps, trial.decode_tps, trial.bytes)


def _name(form: str) -> str:
    return "the file as downloaded" if form == AS_IS else form
