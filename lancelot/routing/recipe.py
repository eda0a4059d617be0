"""The recipe of the scorer's weights: `python -m lancelot.routing.recipe --data FOLDER [--out FILE] [--folds 5]`.

FOLDER holds JSON lines {"set", "task", "prompt", "weak_correct", "strong_correct", "sig_…"?}: outcomes of one cheap and
one dear model on the same question. Learns with numpy alone, in about a minute, deterministically. Before writing it
cross-validates (identical prompts always in one fold) and leaves the out-of-fold scores beside the weights when asked.

    type      centroid of tf-idf rows, one for each kind of task
    gain      ridge: chance of each type (out of fold) + measurements (some with slopes by family of types) + words
              ->  right(deep) - right(fast), centred within its pool, so that one pair does not speak for another
    signals   ridge over failure signals and gain -> the fast answer is wrong
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lancelot.routing.features import Features
from lancelot.routing.rules import Looked, fired, rule_book
from lancelot.routing.score import score
from lancelot.routing.scorer import PRIOR_POWER, SIGNALS, TEMPERATURE, Scorer, signal_row
from lancelot.routing.vectors import (
    DENSE,
    DIMENSIONS,
    SLOPED,
    VOCABULARY,
    dense_row,
    hashed,
    tokens,
    word_bits,
)

__all__ = ["TYPES", "Rows", "cross_validate", "learn", "load_rows", "main"]

Array = NDArray[np.float64]
FOLDS = 5
WORD_PENALTY = 30.0
DENSE_PENALTY = 5.0
TYPE_WEIGHT = 0.5  # types are penalised less than measurements, words more
SLOPE_WEIGHT = 0.25
SLOPELESS = ("maths", "code")  # the same question gains differently with every pair of models: no slopes of their own
SIGNAL_PENALTY = 5.0
DEEP_SHARE = 0.35  # share of what it learnt from whose need is 0.5 or more
ITERATIONS = 60
ESCALATED_SHARE = 0.22  # share of answers with signals that escalate at 0.5; chosen by cross-validation
LIKENESS = (0.01, 0.15)  # quantiles of likeness where trust in what was learnt begins, and where it is full

# the sources' own task names -> kinds of task; MMLU subjects become exam.<subject>
TYPES = {
    **dict.fromkeys(("gsm8k", "gsm", "agentverse-mgsm"), "maths.word"),
    **dict.fromkeys(("math", "math5"), "maths.contest"),
    **{"crux": "code.trace", "human_eval": "code.complete", "mbpp": "code.write", "coding": "code.chat"},
    **{"agentverse-logicgrid": "puzzle.logic", "trivia_qa": "facts.trivia", "natural_qa": "facts.lookup"},
    **dict.fromkeys(("arc_challenge", "openbook_qa"), "science.school"),
    **{"gpqa": "science.graduate", "commonsense_qa": "sense.common", "commongen": "writing.constrained"},
    **{"writing": "writing.free", "roleplay": "writing.roleplay"},
}


@dataclass(slots=True)
class Rows:
    """The data as arrays; one entry a question."""

    prompts: list[str]
    places: list[NDArray[np.int64]]
    dense: Array
    gain: Array
    weak: Array
    pool: list[str]
    type_id: NDArray[np.int64]
    types: list[str]
    fold: NDArray[np.int64]
    signals: list[dict[str, Any] | None]


def load_rows(files: Iterable[Path]) -> Rows:
    """Read and measure the data."""
    records = [json.loads(line) for file in sorted(files) for line in file.read_text("utf-8").split("\n") if line]
    names = [_type(record) for record in records]
    types = sorted({name for name in names if name is not None})
    words = [tokens(record["prompt"]) for record in records]
    weak = np.array([float(record["weak_correct"]) for record in records])
    return Rows(
        prompts=[record["prompt"] for record in records],
        places=[hashed(one) for one in words],
        dense=np.stack([dense_row(record["prompt"], one) for record, one in zip(records, words, strict=True)]),
        gain=np.array([float(record["strong_correct"]) for record in records]) - weak,
        weak=weak,
        pool=[f"{record['source']} {record['weak']} {record['strong']} {_part(record)}" for record in records],
        type_id=np.array([-1 if name is None else types.index(name) for name in names]),
        types=types,
        fold=np.array([zlib.crc32(("f" + record["prompt"].strip()).encode()) % FOLDS for record in records]),
        signals=[
            {name: record[name] for name in SIGNALS if name in record} if "sig_weak_parsed" in record else None
            for record in records
        ],
    )


def _part(record: dict[str, Any]) -> str:
    return record["set"] if record["source"] == "RouteLLM" else ""


def _type(record: dict[str, Any]) -> str | None:
    task, of = str(record["task"]), record["set"]
    if of == "mmlu":
        return f"exam.{task}"
    if task == "mmlu":
        return None  # a mixture of subjects
    return TYPES.get(task) or (f"chat.{task}" if of == "mtbench" else None)


class Sparse:
    """Rows of places with values."""

    def __init__(self, places: list[NDArray[np.int64]], idf: Array) -> None:
        self.rows = len(places)
        self.row = np.repeat(np.arange(self.rows), [len(one) for one in places])
        self.place = np.concatenate(places)
        value = idf[self.place]
        norm = np.sqrt(np.bincount(self.row, value**2, self.rows))
        self.value = value / np.maximum(norm, 1e-9)[self.row]

    def dot(self, weights: Array) -> Array:
        return np.bincount(self.row, self.value * weights[self.place], self.rows).astype(np.float64)

    def back(self, residual: Array) -> Array:
        return np.bincount(self.place, self.value * residual[self.row], DIMENSIONS).astype(np.float64)


def _sparse(rows: Rows, chosen: NDArray[np.bool_], idf: Array) -> Sparse:
    return Sparse([rows.places[index] for index in np.flatnonzero(chosen)], idf)


def _idf(rows: Rows, chosen: NDArray[np.bool_]) -> Array:
    seen = np.bincount(np.concatenate([rows.places[i] for i in np.flatnonzero(chosen)]), minlength=DIMENSIONS)
    return np.asarray(np.log((chosen.sum() + 1) / (seen + 1)), dtype=np.float64)


def _centroids(rows: Rows, chosen: NDArray[np.bool_], idf: Array) -> tuple[Array, Array]:
    """(type x place, counts): mean rows of each type less the mean of means, at length one."""
    chosen = chosen & (rows.type_id >= 0)
    data, owner = _sparse(rows, chosen, idf), rows.type_id[chosen]
    size = len(rows.types)
    sums = np.bincount(owner[data.row] * DIMENSIONS + data.place, data.value, size * DIMENSIONS)
    counts = np.bincount(owner, minlength=size).astype(np.float64)
    means = sums.reshape(size, DIMENSIONS) / np.maximum(counts, 1)[:, None]
    means -= means.mean(0)
    means /= np.linalg.norm(means, axis=1, keepdims=True) + 1e-9
    return means, counts


def _chances(data: Sparse, centroids: Array, counts: Array) -> tuple[Array, Array]:
    likeness = np.stack([data.dot(centroid) for centroid in centroids], axis=1)
    logits = likeness / TEMPERATURE + PRIOR_POWER * np.log(counts + 1)
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    return np.asarray(chances, np.float64), likeness


def _target(rows: Rows) -> tuple[Array, Array]:
    """(centred gain, weight): each pool around its own mean; small pools speak louder than their size."""
    target, weight, pool = np.zeros(len(rows.gain)), np.ones(len(rows.gain)), np.array(rows.pool)
    for name in set(rows.pool):
        here = pool == name
        target[here] = rows.gain[here] - rows.gain[here].mean()
        weight[here] = np.sqrt(3000 / here.sum()) if here.sum() >= 100 else 1.0
    return target, weight


def _ridge(data: Sparse, dense: Array, target: Array, weight: Array) -> tuple[Array, Array]:
    """Least squares by conjugate gradients: (weights of places, weights of dense columns and bias)."""
    columns = np.hstack([dense, np.ones((len(dense), 1))])
    penalty = np.r_[np.full(DIMENSIONS, WORD_PENALTY), np.full(dense.shape[1], DENSE_PENALTY), 0.0]

    def normal(z: Array) -> Array:
        out = weight * (data.dot(z[:DIMENSIONS]) + columns @ z[DIMENSIONS:])
        return np.asarray(np.r_[data.back(out), columns.T @ out] + penalty * z, np.float64)

    side = np.r_[data.back(weight * target), columns.T @ (weight * target)]
    found, rest = np.zeros_like(side), side.copy()
    direction, square = rest.copy(), float(side @ side)
    for _ in range(ITERATIONS):
        moved = normal(direction)
        step = square / float(direction @ moved)
        found += step * direction
        rest -= step * moved
        following = float(rest @ rest)
        direction, square = rest + following / square * direction, following
    return found[:DIMENSIONS], found[DIMENSIONS:]


def learn(rows: Rows, chosen: NDArray[np.bool_] | None = None) -> dict[str, NDArray[Any]]:
    """The weights from the chosen rows (all when None)."""
    chosen = np.ones(len(rows.gain), bool) if chosen is None else chosen
    idf = _idf(rows, chosen)
    chances, best = np.zeros((len(rows.gain), len(rows.types))), np.zeros(len(rows.gain))
    for fold in range(FOLDS):  # chances as unseen prompts will have them
        seen, unseen = chosen & (rows.fold != fold), chosen & (rows.fold == fold)
        if unseen.any():
            centroids, counts = _centroids(rows, seen, idf)
            chances[unseen], likeness = _chances(_sparse(rows, unseen, idf), centroids, counts)
            best[unseen] = likeness.max(1)
    centroids, counts = _centroids(rows, chosen, idf)
    mean, std = rows.dense[chosen].mean(0), rows.dense[chosen].std(0) + 1e-9
    target, weight = _target(rows)
    measured, families = (rows.dense[chosen] - mean) / std, _families(rows.types)
    dense = np.hstack([measured, chances[chosen] * np.sqrt(TYPE_WEIGHT), _sloped(measured, chances[chosen] @ families)])
    data = _sparse(rows, chosen, idf)
    words, rest = _ridge(data, dense, target[chosen], weight[chosen])
    gain = data.dot(words) + np.hstack([dense, np.ones((len(dense), 1))]) @ rest
    by_type, slopes = np.split(rest[len(DENSE) : -1], [len(rows.types)])
    scale = np.abs(centroids).max(1) / 127
    return {
        "types": np.array(rows.types),
        "type_counts": counts.astype(np.float32),
        "idf": idf.astype(np.float16),
        "centroids": np.round(centroids / scale[:, None]).astype(np.int8).T.copy(),
        "centroid_scale": scale.astype(np.float32),
        "words": words.astype(np.float16),
        "dense_mean": mean.astype(np.float32),
        "dense_std": std.astype(np.float32),
        "dense": rest[: len(DENSE)].astype(np.float32),
        "by_type": (by_type * np.sqrt(TYPE_WEIGHT)).astype(np.float32),
        "slopes": (families @ slopes.reshape(-1, len(SLOPED)) * np.sqrt(SLOPE_WEIGHT)).astype(np.float32),
        "bias": np.float32(rest[-1]),
        "knots": _knots(gain, weight[chosen]).astype(np.float32),
        "vocabulary": _vocabulary(rows, chosen),
        "signals": np.zeros(13, np.float32),
        "signal_half": np.float32(0.5),
        "signal_facts": np.array([0.0, 1.0], np.float32),
        "likeness": np.quantile(best[chosen], LIKENESS).astype(np.float32),
    }


def _families(types: list[str]) -> Array:
    """(type x family) of zeros and ones: exams and chats are one family each, the others stand for themselves."""
    own = [name.split(".")[0] if name.startswith(("exam", "chat")) else name for name in types]
    sloped = sorted({name for name in own if not name.startswith(SLOPELESS)})
    return np.array([[float(name == family) for family in sloped] for name in own]).reshape(len(own), len(sloped))


def _sloped(measured: Array, chances: Array) -> Array:
    """The columns of the slopes: chance of each family times each measurement of SLOPED."""
    columns = chances[:, :, None] * measured[:, None, SLOPED] * np.sqrt(SLOPE_WEIGHT)
    return np.asarray(columns.reshape(len(measured), -1), np.float64)


def _vocabulary(rows: Rows, chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """One bit for each word that was seen."""
    bits = np.zeros(VOCABULARY, np.uint8)
    for index in np.flatnonzero(chosen):
        bits[word_bits(tokens(rows.prompts[index]))] = 1
    return np.packbits(bits)


def _knots(gain: Array, weight: Array) -> Array:
    """Gains at need 0, 1/20 … 1: quantiles, stretched so that DEEP_SHARE of the data lies at 0.5 and above."""
    order = np.argsort(gain)
    share = np.cumsum(weight[order]) / weight.sum()
    need = np.linspace(0, 1, 21)
    wanted = np.where(need <= 0.5, need / 0.5 * (1 - DEEP_SHARE), 1 - DEEP_SHARE + (need - 0.5) / 0.5 * DEEP_SHARE)
    return np.asarray(np.maximum.accumulate(np.interp(wanted, share, gain[order]) + np.arange(21) * 1e-9))


def with_signals(
    weights: dict[str, NDArray[Any]], rows: Rows, gains: Array, chosen: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """The weights with the second ridge, over the chosen rows that have signals; `gains` are out-of-fold."""
    having = [index for index in np.flatnonzero(chosen) if rows.signals[index] is not None]
    if not having:
        return weights
    facts = np.array([gains[having].mean(), gains[having].std() + 1e-9])
    table = np.stack(
        [signal_row(rows.signals[i] or {}, (gains[i] - facts[0]) / facts[1], len(rows.prompts[i])) for i in having]
    )
    penalty = np.diag([SIGNAL_PENALTY] * (table.shape[1] - 1) + [0.0])
    found = np.linalg.solve(table.T @ table + penalty, table.T @ (1 - rows.weak[having]))
    half = np.quantile(np.clip(table @ found, 0, 1), 1 - ESCALATED_SHARE)
    learnt: dict[str, NDArray[Any]] = {
        "signal_half": np.array(half, np.float32),
        "signals": found.astype(np.float32),
        "signal_facts": facts.astype(np.float32),
    }
    return weights | learnt


def cross_validate(rows: Rows, say: Callable[[str], None] = print) -> dict[str, Array]:
    """Out-of-fold scores of every row: raw `gain`, the whole `score` before any call, `cascade` with failure signals
    (NaN where a row has none), each from weights that have not seen the prompt."""
    found = {name: np.full(len(rows.gain), np.nan) for name in ("gain", "score", "cascade")}
    for fold in range(FOLDS):
        model = Scorer(learn(rows, rows.fold != fold))
        for index in np.flatnonzero(rows.fold == fold):
            found["gain"][index] = model.gain(rows.prompts[index])
            features = Features.of_text(rows.prompts[index])
            risk = "high" if any(rule.level == "high" for rule in fired(rule_book().risk, Looked(features))) else "low"
            found["score"][index] = score(features, learned=model, risk=risk).deep
        say(f"fold {fold + 1} of {FOLDS}")
    for fold in range(FOLDS):
        weights = with_signals({}, rows, found["gain"], rows.fold != fold)
        facts = weights["signal_facts"]
        for index in np.flatnonzero(rows.fold == fold):
            told = rows.signals[index]
            if told is not None:
                gain = (found["gain"][index] - facts[0]) / facts[1]
                row = signal_row(told, gain, len(rows.prompts[index]))
                found["cascade"][index] = row @ weights["signals"]
    return found


def main(arguments: list[str] | None = None) -> None:
    """Learn, check, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of *.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "scorer.npz")
    parser.add_argument("--out-of-fold", type=Path, help="also write the cross-validated scores here (.npz)")
    given = parser.parse_args(arguments)
    rows = load_rows(given.data.glob("*.jsonl"))
    found = cross_validate(rows)
    if given.out_of_fold:
        np.savez(given.out_of_fold, **found)  # type: ignore[arg-type]
    everything = np.ones(len(rows.gain), bool)
    np.savez_compressed(given.out, **with_signals(learn(rows), rows, found["gain"], everything))  # type: ignore[arg-type]
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.2f} MB from {len(rows.gain)} rows, {len(rows.types)} types")


if __name__ == "__main__":
    main()
