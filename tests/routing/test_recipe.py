"""The recipe learns what there is to learn, alike each time, and its weights are the scorer's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lancelot.routing.recipe import learn, load_rows, main
from lancelot.routing.scorer import Scorer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two kinds of task: deep is needed for proofs and never for greetings."""
    rows = []
    nouns = [
        f"{a}{b}" for a in ("al", "be", "ca", "do", "em", "fu") for b in ("ra", "ne", "mo", "ti", "su", "ka", "lo")
    ]
    for number, noun in enumerate(nouns):
        hard = {
            "set": "mmlu",
            "task": "proofs",
            "prompt": f"Prove that every {noun} group of order {number} is cyclic.",
        }
        easy = {"set": "mmlu", "task": "greetings", "prompt": f"Say a friendly good morning to my neighbour {noun}."}
        pair = {"source": "RouteLLM", "weak": "w", "strong": "s"}
        rows.append(hard | pair | {"weak_correct": 0.0, "strong_correct": 1.0})
        rows.append(easy | pair | {"weak_correct": 1.0, "strong_correct": 1.0})
    for row in rows[::2]:
        row |= {"sig_weak_parsed": 1.0, "sig_agree_local": 0.0}
    (tmp_path / "made.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return tmp_path


def test_it_learns_kinds_and_need(folder: Path) -> None:
    rows = load_rows(folder.glob("*.jsonl"))
    assert rows.types == ["exam.greetings", "exam.proofs"]
    made = Scorer(learn(rows))
    hard = made.score("Prove that every zora group of order 12 is cyclic.")
    easy = made.score("Say a friendly good morning to my neighbour zora.")
    assert (hard.task, easy.task) == ("exam.proofs", "exam.greetings")
    assert hard.need > 0.5 > easy.need
    assert not made.score("Quasi vlum trebt oxin").known


def test_the_same_data_gives_the_same_weights(folder: Path) -> None:
    rows = load_rows(folder.glob("*.jsonl"))
    first, second = learn(rows), learn(rows)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_the_command_writes_weights_the_scorer_reads(folder: Path) -> None:
    out = folder / "weights.npz"
    main(["--data", str(folder), "--out", str(out), "--out-of-fold", str(folder / "oof.npz")])
    with np.load(out) as weights:
        made = Scorer({name: weights[name] for name in weights.files})
    told = made.score("Prove that every zora group is cyclic.", {"sig_weak_parsed": 1.0, "sig_agree_local": 0.0})
    assert told.wrong is not None
    assert out.stat().st_size < 2_000_000
    with np.load(folder / "oof.npz") as kept:
        assert np.isfinite(kept["score"]).all()
