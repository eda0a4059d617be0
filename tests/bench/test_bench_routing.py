"""The offline measure is right, and the routing score keeps what it was measured to do (where the public data is)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lancelot.routing.explain import explain_prompt
from tests.bench import routing
from tests.bench.router_overhead import rows as overhead_rows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROUTE, PROBES = DATA / "route", DATA / "tasks" / "lane_probes_vllm_sr.jsonl"
here = pytest.mark.skipif(not ROUTE.exists(), reason="the public routing data is not here")


def made(weak: list[float], strong: list[float]) -> list[dict[str, Any]]:
    return [
        {
            "set": "made",
            "source": "x",
            "weak": "w",
            "strong": "s",
            "prompt": "p",
            "weak_correct": a,
            "strong_correct": b,
        }
        for a, b in zip(weak, strong, strict=True)
    ]


def test_random_is_one_half_and_knowing_is_better() -> None:
    rows = made([0, 1, 0, 1] * 25, [1, 1, 1, 1] * 25)
    random = routing.figures(np.zeros(100), rows)
    assert random.apgr == pytest.approx(0.5)
    assert random.cpt50 == pytest.approx(50)
    knowing = routing.figures(np.array([1.0, 0.0, 1.0, 0.0] * 25), rows)
    assert knowing.apgr == pytest.approx(0.75)
    assert knowing.cpt50 == pytest.approx(25)
    assert knowing.cpt80 == pytest.approx(40)
    wrong = routing.figures(np.array([0.0, 1.0, 0.0, 1.0] * 25), rows)
    assert wrong.apgr == pytest.approx(0.25)


def test_ties_share_their_expectation() -> None:
    rows = made([0, 1, 0, 1], [1, 1, 1, 1])
    one = routing.figures(np.array([1.0, 1.0, 0.0, 0.0]), rows)
    other = routing.figures(np.array([1.0, 1.0, 0.0, 0.0]), [rows[1], rows[0], rows[3], rows[2]])
    assert one.apgr == pytest.approx(other.apgr)


def test_the_cascade_always_pays_the_weak_call() -> None:
    rows = made([0, 1, 1, 1] * 25, [1, 1, 1, 1] * 25)
    scores = np.array([1.0, 0.0, 0.0, 0.0] * 25)
    plain, cascade = routing.figures(scores, rows), routing.figures(scores, rows, cascade=True)
    assert plain.q95 == pytest.approx(cascade.q95)
    assert plain.saved == pytest.approx(100 * (1 - 0.2 - 0.8 / 10), abs=0.5)
    assert cascade.saved == pytest.approx(100 * (1 - 0.2 - 0.1), abs=0.5)


def test_a_file_of_the_same_form_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.jsonl"
    rows = made([0.0, 1.0] * 10, [1.0, 1.0] * 10)
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    routing.main([str(file), "--json", str(tmp_path / "out.json")])
    assert "| made | 20 |" in capsys.readouterr().out
    assert "lancelot" in json.loads((tmp_path / "out.json").read_text("utf-8"))["made"]


@here
def test_before_any_call() -> None:
    """In sample: the weights were learnt from this half; docs/routing-figures.md has the cross-validated figures."""
    rows = [row for row in routing.load(sorted(ROUTE.glob("*.jsonl"))) if row["set"] != "mtbench"]
    scores = np.array([routing.ours(row) for row in rows])
    lengths = np.array([routing.by_length(row) for row in rows])
    apgr = {}
    for name, members in routing.pools(rows).items():
        chosen = [rows[index] for index in members]
        one = routing.figures(scores[members], chosen)
        assert one.low > routing.figures(lengths[members], chosen).apgr, name
        apgr[name] = one.apgr
    assert len(apgr) == 5
    assert min(apgr.values()) >= 0.5
    assert np.mean(list(apgr.values())) >= 0.65


@here
def test_with_failure_signals() -> None:
    rows = [row for row in routing.load(sorted(ROUTE.glob("ze_*.jsonl"))) if "sig_weak_parsed" in row]
    scores = np.array([routing.ours_with_signals(row) for row in rows])
    for name, members in routing.pools(rows).items():
        one = routing.figures(scores[members], [rows[index] for index in members], cascade=True)
        assert one.apgr >= 0.80, name
        assert one.q95 <= 28, name


@here
def test_lane_probes() -> None:
    probes = routing.load([PROBES])
    told = [explain_prompt(probe["prompt"]) for probe in probes]
    free = [index for index, one in enumerate(told) if not one["keep_local"]]
    deep = np.array([told[index]["deep_score"] for index in free if probes[index]["lane"] == "deep"])
    rest = np.array([told[index]["deep_score"] for index in free if probes[index]["lane"] != "deep"])
    wins = (deep[:, None] > rest).mean() + 0.5 * (deep[:, None] == rest).mean()
    assert wins >= 0.85
    held = {"local_security_containment", "local_privacy_policy"}
    for probe, one in zip(probes, told, strict=True):
        names = " ".join([*probe["tags"], probe["decision"]])
        if probe["decision"] in held:
            assert one["lane"] == "local", probe["prompt"]
        elif any(word in names for word in ("law", "legal", "health")):
            assert one["lane"] == "deep", probe["prompt"]
        else:
            assert not one["keep_local"], probe["prompt"]


@pytest.mark.anyio
async def test_the_router_does_not_multiply_a_call() -> None:
    """A ratio of one run, loose on purpose: a busy machine is no failure, a router that has grown slow is."""
    raw, rules, _tagger = await overhead_rows(alone=40, together=40)
    assert rules.median_ms < 15 * raw.median_ms
