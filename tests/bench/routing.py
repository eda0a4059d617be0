"""How good the routing score is, offline: RouteLLM's figures (arXiv 2406.18665, section 2) on recorded outcomes.

    python -m tests.bench.routing FILE.jsonl … [--cascade] [--out-of-fold SCORES.npz]

FILE holds one question a line: {"set", "prompt", "weak", "strong", "weak_correct", "strong_correct" in 0..1,
"cost_weak", "cost_strong"?, "sig_…"?}. The x share of questions with the highest score goes to the strong model.

    PGR(x)    share of the quality gap between weak and strong that is recovered
    APGR      area under PGR(x), 0..1; random is .5
    CPT(p)    smallest share of strong calls, in per cent, with PGR >= p
    *_10      the same from ten bins with straight lines between, as the paper does it
    q95       strong calls, in per cent, for 95 % of the strong model's quality; saved: money saved there at the price
              ratio, with --cascade the weak call always paid

Ties share their expectation, so nothing is random. The interval is a 95 % bootstrap (fixed seed).
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lancelot.routing.explain import explain_prompt

Array = NDArray[np.float64]
Row = dict[str, Any]
RESAMPLES = 200
PUBLISHED = {  # RouteLLM's best routers: APGR, CPT50, CPT80
    "mmlu": (0.603, 35.4, 70.3),
    "gsm8k": (0.62, 33.6, 63.3),
    "mtbench": (0.802, 13.4, 31.3),
}


@dataclass(frozen=True)
class Figures:
    """One router on one pool; shares in per cent, APGR in 0..1."""

    rows: int
    gap: float
    apgr: float
    low: float
    high: float
    cpt50: float
    cpt80: float
    apgr_10: float
    cpt50_10: float
    cpt80_10: float
    q95: float
    saved: float


def load(files: Iterable[Path]) -> list[Row]:
    """All rows, in file order."""
    return [json.loads(line) for file in files for line in file.read_text("utf-8").split("\n") if line]


def pools(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Rows by pool: a set on its own, or all sets of one source that share their pair of models."""
    pairs: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        pairs.setdefault((row.get("source", ""), row["weak"], row["strong"]), set()).add(row["set"])
    found: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        merged = row.get("source") == "ZeroEval" and len(pairs[row["source"], row["weak"], row["strong"]]) > 1
        name = f"ze {row['weak'].split('-20')[0]} > {row['strong'].split('-20')[0]}" if merged else row["set"]
        found.setdefault(name, []).append(index)
    return found


def quality_curve(scores: Array, weak: Array, strong: Array) -> tuple[Array, Array]:
    """(share of strong calls, mean quality) from 0 to 1, one point at the end of each block of equal scores."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.r_[0, np.flatnonzero(np.diff(ranked)) + 1, len(scores)]
    gained = np.r_[0, np.cumsum((strong - weak)[order])]
    return ends / len(scores), weak.mean() + gained[ends] / len(scores)


def crossing(share: Array, value: Array, wanted: float) -> float:
    """The smallest share at which value reaches wanted, on straight lines; NaN if never."""
    reached = np.flatnonzero(value >= wanted)
    if not len(reached):
        return math.nan
    first = int(reached[0])
    if first == 0:
        return float(share[0])
    rise = value[first] - value[first - 1]
    part = 1.0 if rise == 0 else (wanted - value[first - 1]) / rise
    return float(share[first - 1] + part * (share[first] - share[first - 1]))


def area(value: Array, share: Array) -> float:
    return float(np.sum((value[1:] + value[:-1]) / 2 * np.diff(share)))


def figures(scores: Array, rows: Sequence[Row], *, ratio: float = 10.0, cascade: bool = False) -> Figures:
    """All figures of one list of scores."""
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    weak = np.array([float(row["weak_correct"]) for row in rows])
    strong = np.array([float(row["strong_correct"]) for row in rows])
    gap = float(strong.mean() - weak.mean())
    share, quality = quality_curve(scores, weak, strong)
    recovered = (quality - weak.mean()) / gap
    fine, ten = np.linspace(0, 1, 101), np.linspace(0, 1, 11)
    on_fine, on_ten = np.interp(fine, share, recovered), np.interp(ten, share, recovered)
    q95 = crossing(fine, np.interp(fine, share, quality), 0.95 * float(strong.mean()))
    paid = q95 + (1 / ratio if cascade else (1 - q95) / ratio)
    low, high = _interval(scores, weak, strong)
    return Figures(
        rows=len(rows),
        gap=gap,
        apgr=area(recovered, share),
        low=low,
        high=high,
        cpt50=100 * crossing(fine, on_fine, 0.5),
        cpt80=100 * crossing(fine, on_fine, 0.8),
        apgr_10=area(on_ten, ten),
        cpt50_10=100 * crossing(ten, on_ten, 0.5),
        cpt80_10=100 * crossing(ten, on_ten, 0.8),
        q95=100 * q95,
        saved=100 * max(0.0, 1 - paid),
    )


def _interval(scores: Array, weak: Array, strong: Array) -> tuple[float, float]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(scores), len(scores))
        gap = strong[drawn].mean() - weak[drawn].mean()
        if gap > 0.005:
            share, quality = quality_curve(scores[drawn], weak[drawn], strong[drawn])
            found.append(area((quality - weak[drawn].mean()) / gap, share))
    if not found:
        return math.nan, math.nan
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


# --- routers to compare with


def by_length(row: Row) -> float:
    """Longer prompts are harder."""
    return float(len(row["prompt"]))


_HARD = re.compile(
    r"\b(?:prove|proof|deriv\w*|theorem|integral|equation|probab\w*|algorithm|complexity|refactor|debug|design|plan"
    r"|strategy|compare|evaluate|analy[sz]e|explain|why|implement|function|constraint|exactly|at least|at most"
    r"|unless|legal|medical|diagnos\w*|security)\b",
    re.I,
)
_EASY = re.compile(r"\b(?:hi|hello|thanks|what is|who is|when did|capital of|define|translate|spell|list|name)\b", re.I)


def by_keyword(row: Row) -> float:
    """Words of work less words of little work, and some length: what a first idea of a router would be."""
    prompt = row["prompt"]
    hard = len({found.group(0).lower() for found in _HARD.finditer(prompt)})
    return 0.5 * min(6, hard) - 0.6 * min(3, len(_EASY.findall(prompt))) + 0.35 * math.log1p(len(prompt) / 200)


def by_agreement(row: Row) -> float:
    """The untrained cascade: escalate what does not parse or differs from the local model."""
    if not row.get("sig_weak_parsed", 1):
        return 1.0
    return 0.2 if row.get("sig_agree_local") else 0.8


def ours(row: Row) -> float:
    """The product's own score before any call."""
    return float(explain_prompt(row["prompt"])["deep_score"])


def ours_with_signals(row: Row) -> float:
    """The product's own score with failure signals."""
    signals = {name: value for name, value in row.items() if name.startswith("sig_")}
    return float(explain_prompt(row["prompt"], signals)["deep_score"])


def compare(
    rows: Sequence[Row], routers: Mapping[str, Callable[[Row], float] | Array], *, ratio: float, cascade: bool
) -> dict[str, dict[str, Figures]]:
    """{pool: {router: figures}}; pools without a gap are left out."""
    scores = {
        name: router if isinstance(router, np.ndarray) else np.array([router(row) for row in rows])
        for name, router in routers.items()
    }
    found: dict[str, dict[str, Figures]] = {}
    for name, members in pools(rows).items():
        chosen = [rows[index] for index in members]
        gap = np.mean([row["strong_correct"] - row["weak_correct"] for row in chosen])
        if abs(gap) < 0.005:
            continue
        found[name] = {
            router: figures(value[members], chosen, ratio=ratio, cascade=cascade) for router, value in scores.items()
        }
    return found


def table(found: Mapping[str, Mapping[str, Figures]]) -> str:
    """A Markdown table; published figures beside ours."""
    head = "| pool | rows | gap | router | APGR | 95 % | CPT50 | CPT80 | APGR_10 | CPT50_10 | CPT80_10 | q95 | saved |"
    lines = [head, "|" + "---|" * 13]
    for pool, routers in found.items():
        for router, one in routers.items():
            lines.append(
                f"| {pool} | {one.rows} | {one.gap:.3f} | {router} | {one.apgr:.3f} | {one.low:.3f} to {one.high:.3f} "
                f"| {one.cpt50:.1f} | {one.cpt80:.1f} | {one.apgr_10:.3f} | {one.cpt50_10:.1f} | {one.cpt80_10:.1f} "
                f"| {one.q95:.1f} | {one.saved:.1f} |"
            )
        if pool in PUBLISHED:
            apgr, cpt50, cpt80 = PUBLISHED[pool]
            lines.append(f"| {pool} | | | RouteLLM, best published | | | | | {apgr:.3f} | {cpt50} | {cpt80} | | |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--cascade", action="store_true", help="score with failure signals; only rows that have them")
    parser.add_argument("--out-of-fold", type=Path, help="cross-validated scores of lancelot.routing.recipe")
    parser.add_argument("--ratio", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    rows = load(sorted(given.files))
    mine: Callable[[Row], float] | Array = ours_with_signals if given.cascade else ours
    if given.out_of_fold:
        with np.load(given.out_of_fold) as kept:
            mine = kept["cascade" if given.cascade else "score"]
    if given.cascade:
        having = [index for index, row in enumerate(rows) if "sig_weak_parsed" in row]
        rows = [rows[index] for index in having]
        mine = mine[having] if isinstance(mine, np.ndarray) else mine
    routers: dict[str, Callable[[Row], float] | Array] = {"random": np.zeros(len(rows))}
    routers |= {"length": by_length, "keyword": by_keyword}
    if given.cascade:
        routers["agreement"] = by_agreement
    routers["lancelot"] = mine
    found = compare(rows, routers, ratio=given.ratio, cascade=given.cascade)
    print(table(found))
    means = {name: float(np.mean([pool[name].apgr for pool in found.values()])) for name in routers}
    print("mean APGR over pools:", {name: round(value, 3) for name, value in means.items()})
    if given.json:
        plain = {pool: {name: vars(one) for name, one in each.items()} for pool, each in found.items()}
        given.json.write_text(json.dumps(plain, indent=1), "utf-8")


if __name__ == "__main__":
    main()
