"""Scores redaction on files of labelled texts, ours beside any other's.

    python tests/bench/redaction.py FILE.jsonl ... [--policy strict] [--mode fast] [--peer PREDICTIONS.jsonl ...]
                                    [--json OUT] [--misses OUT] [--per-label]

A line of FILE: {"id", "text", "spans": [{"start", "end", "label"}], "annotated": [labels], "complete": bool}. A line of
a peer's predictions, one for each line of the file of the same stem: {"id", "spans": [[start, end, label]], "ms"}; see
`redaction_peer.py`, which makes them in the peer's own environment. Offsets are code points, ends exclusive.

What the figures mean (letters and digits alone count as characters, so edges and blanks decide nothing):

* Labels are put into twelve families (`FAMILIES`); IGNORE marks what may be found or left, as one likes.
* leak: share of the characters of gold spans that no prediction covers, of whatever label.
* recall R: gold spans that a prediction of the same family touches; any: that any prediction touches.
* precision P: predictions that touch gold of their own family, among all of a family the file annotates. One that lies
  by half or more on IGNORE does not count; one on gold of another family counts as wrong. Overlapping predictions of
  one family are one. Files marked incomplete get no P.
* FRR: share of the characters outside gold and IGNORE that predictions of annotated families remove; FRRall: the same
  for predictions of every family.
* CORE: all but ORG; STRUCT: what has a form of its own; ALL: every family.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FAMILIES", "GROUPS", "Row", "Score", "Tally", "family", "load", "main", "ours", "run", "score"]

Prediction = tuple[int, int, str]

FAMILIES: dict[str, str] = {
    "PERSON": "PERSON PER NAME FULL_NAME FIRST_NAME LAST_NAME USERNAME TWITTER",
    "LOCATION": "LOCATION LOC GPE ADDRESS STREET_ADDRESS STREET CITY STATE COUNTRY ZIP ZIP_CODE POSTAL_CODE POSTALCODE "
    "FAC FACILITY",
    "DATE": "DATE DATE_TIME DATETIME TIME DOB DATE_OF_BIRTH",
    "EMAIL": "EMAIL EMAIL_ADDRESS",
    "PHONE": "PHONE PHONE_NUMBER FAX",
    "ID": "ID SSN US_SSN SOCIAL_SECURITY_NUMBER US_ITIN US_PASSPORT PASSPORT US_DRIVER_LICENSE DRIVER_LICENSE "
    "US_BANK_NUMBER BANK_ACCOUNT ACCOUNT_NUMBER ABA_ROUTING_NUMBER UK_NHS NATIONAL_INSURANCE_NUMBER NATIONAL_ID "
    "MEDICAL_LICENSE US_NPI NPI US_MBI MRN MEDICAL_RECORD TAX_ID DE_TAX_ID DE_VAT_ID UUID MAC_ADDRESS",
    "CREDIT_CARD": "CREDIT_CARD CREDITCARD CARD CC",
    "IBAN": "IBAN IBAN_CODE DE_IBAN",
    "IP": "IP IP_ADDRESS IPV4 IPV6",
    "URL": "URL DOMAIN DOMAIN_NAME",
    "SECRET": "SECRET API_KEY PASSWORD TOKEN CREDENTIAL PRIVATE_KEY CRYPTO",
    "ORG": "ORG ORGANIZATION COMPANY",
}
_FAMILY_OF = {name: core for core, names in FAMILIES.items() for name in names.split()}
GROUPS: dict[str, frozenset[str]] = {
    "CORE": frozenset(FAMILIES) - {"ORG"},
    "STRUCT": frozenset({"EMAIL", "PHONE", "ID", "CREDIT_CARD", "IBAN", "IP", "URL"}),
    "ALL": frozenset(FAMILIES),
}
_FREE, _NEUTRAL = "", "IGNORE"


def family(label: str) -> str:
    """The family of a label in anybody's vocabulary; OTHER when unknown."""
    return _FAMILY_OF.get(label.upper().replace("-", "_").replace(" ", "_"), "OTHER")


@dataclass(frozen=True)
class Row:
    """One labelled text. gold holds (start, end, family or IGNORE)."""

    text: str
    gold: list[Prediction]
    annotated: frozenset[str]
    complete: bool
    id: str = ""


@dataclass
class Tally:
    """Counts of one family; add them up for a group."""

    gold: int = 0
    typed: int = 0
    touched: int = 0
    chars: int = 0
    leaked: int = 0
    predicted: int = 0
    right: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        """The counts in the order of the fields."""
        return (self.gold, self.typed, self.touched, self.chars, self.leaked, self.predicted, self.right)

    @property
    def leak(self) -> float | None:
        return self.leaked / self.chars if self.chars else None

    @property
    def recall(self) -> float | None:
        return self.typed / self.gold if self.gold else None

    @property
    def precision(self) -> float | None:
        return self.right / self.predicted if self.predicted else None

    @property
    def f1(self) -> float | None:
        r, p = self.recall, self.precision
        if r is None or p is None:
            return None
        return 2 * r * p / (r + p) if r + p else 0.0


@dataclass
class Score:
    """What one redactor reaches on one file. Shares lie in 0..1; latencies are milliseconds a text."""

    families: dict[str, Tally]
    complete: bool
    frr: float | None
    frr_all: float
    touched: float
    texts: int
    misses: list[dict[str, Any]] = field(default_factory=list)

    def group(self, name: str) -> Tally:
        """The tally of a group, or of one family."""
        wanted = GROUPS.get(name, frozenset({name}))
        return sum((tally for core, tally in self.families.items() if core in wanted), Tally())


def load(path: Path) -> list[Row]:
    """The rows of a file; labels are put into their families."""
    rows = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            raw = json.loads(line)
            gold = [
                (s["start"], s["end"], _NEUTRAL if s["label"] == _NEUTRAL else family(s["label"])) for s in raw["spans"]
            ]
            rows.append(
                Row(
                    raw["text"], gold, frozenset(map(family, raw["annotated"])), raw["complete"], str(raw.get("id", ""))
                )
            )
    return rows


def _joined(predictions: Iterable[Prediction], length: int) -> list[Prediction]:
    """Clipped to the text, families instead of labels, overlaps of one family made one."""
    by_family: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start, end, label in predictions:
        start, end = max(0, int(start)), min(length, int(end))
        if start < end:
            by_family[family(label)].append((start, end))
    joined: list[Prediction] = []
    for core in sorted(by_family):
        spans = sorted(by_family[core])
        left, right = spans[0]
        for start, end in spans[1:]:
            if start < right:
                right = max(right, end)
            else:
                joined.append((left, right, core))
                left, right = start, end
        joined.append((left, right, core))
    return joined


class _Sheet:
    """Adds up the counts over the texts of a file."""

    def __init__(self) -> None:
        self.families: dict[str, Tally] = defaultdict(Tally)
        self.outside = self.removed = self.removed_annotated = self.touched = 0
        self.misses: list[dict[str, Any]] = []

    def add(self, row: Row, predictions: Iterable[Prediction]) -> None:
        joined = _joined(predictions, len(row.text))
        counts = [c.isalnum() for c in row.text]
        kinds = [_FREE] * len(row.text)
        for start, end, kind in row.gold:
            kinds[start:end] = [kind] * (end - start)
        covered, covered_annotated = bytearray(len(row.text)), bytearray(len(row.text))
        for start, end, core in joined:
            covered[start:end] = b"\1" * (end - start)
            if core in row.annotated:
                covered_annotated[start:end] = b"\1" * (end - start)
        self._gold(row, joined, counts, covered)
        self._predicted(row, joined, counts, kinds)
        for counted, kind, hit, hit_annotated in zip(counts, kinds, covered, covered_annotated, strict=True):
            if counted and kind == _FREE:
                self.outside += 1
                self.removed += hit
                self.removed_annotated += hit_annotated
        self.touched += any(covered)

    def _gold(self, row: Row, joined: list[Prediction], counts: list[bool], covered: bytearray) -> None:
        for start, end, core in row.gold:
            places = [i for i in range(start, end) if counts[i]]
            if core == _NEUTRAL or not places:
                continue
            tally = self.families[core]
            leaked = sum(not covered[i] for i in places)
            tally.gold += 1
            tally.chars += len(places)
            tally.leaked += leaked
            tally.touched += leaked < len(places)
            tally.typed += any(kind == core and any(left <= i < right for i in places) for left, right, kind in joined)
            if leaked:
                around = row.text[max(0, start - 40) : end + 30]
                self.misses.append(
                    {
                        "id": row.id,
                        "label": core,
                        "span": row.text[start:end],
                        "leaked": leaked / len(places),
                        "text": around,
                    }
                )

    def _predicted(self, row: Row, joined: list[Prediction], counts: list[bool], kinds: list[str]) -> None:
        for start, end, core in joined:
            under = [kinds[i] for i in range(start, end) if counts[i]]
            if not under or core not in row.annotated:
                continue
            if core in under:
                self.families[core].predicted += 1
                self.families[core].right += 1
            elif any(kind not in (_FREE, _NEUTRAL) for kind in under) or under.count(_NEUTRAL) * 2 < len(under):
                self.families[core].predicted += 1


def score(rows: Sequence[Row], predictions: Sequence[Iterable[Prediction]]) -> Score:
    """Compare predictions, one collection for each row, with the gold spans."""
    sheet = _Sheet()
    for row, found in zip(rows, predictions, strict=True):
        sheet.add(row, found)
    complete = all(row.complete for row in rows)
    annotated = any(row.annotated for row in rows)
    outside = sheet.outside or 1
    return Score(
        dict(sheet.families),
        complete,
        sheet.removed_annotated / outside if complete and annotated else None,
        sheet.removed / outside,
        sheet.touched / max(1, len(rows)),
        len(rows),
        sheet.misses,
    )


def run(
    redactor: Callable[[str], Iterable[Prediction]], rows: Sequence[Row]
) -> tuple[list[list[Prediction]], list[float]]:
    """Predictions and milliseconds for each row."""
    found, took = [], []
    for row in rows:
        began = time.perf_counter_ns()
        found.append(list(redactor(row.text)))
        took.append((time.perf_counter_ns() - began) / 1e6)
    return found, took


def ours(policy: str = "strict", mode: str = "fast", brain: str | None = None) -> Callable[[str], list[Prediction]]:
    """Lancelot's redactor as the product calls it. brain: base URL of the local model, for the thorough mode."""
    from lancelot.redaction.redactor import Redactor

    finder = None
    if brain is not None:
        from lancelot.brain.client import LocalModelClient
        from lancelot.redaction.labels import Span

        client = LocalModelClient(brain)

        def finder(text: str) -> list[Span]:
            return [Span(s["start"], s["end"], s["label"], "model") for s in client.redact_spans_sync(text)]

    redactor = Redactor(span_finder=finder)
    redactor.redact("warm up: Anna Berg, 12 May 2026", policy, mode)
    return lambda text: [(s.start, s.end, s.label) for s in redactor.redact(text, policy, mode).spans]


def _percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value * 100:.{digits}f}"


def _line(name: str, who: str, result: Score, took: Sequence[float]) -> str:
    core, struct = result.group("CORE"), result.group("STRUCT")
    shown = [_percent(core.leak), _percent(core.recall)]
    shown += [_percent(core.precision), _percent(core.f1)] if result.complete else ["-", "-"]
    shown += [
        _percent(result.group("ALL").leak),
        str(struct.gold),
        _percent(struct.leak),
        _percent(result.group("SECRET").leak),
    ]
    shown += [_percent(result.frr, 2), _percent(result.frr_all, 2), _percent(result.touched)]
    ordered = sorted(took)
    shown += [f"{statistics.median(took):.2f}", f"{ordered[int(len(took) * 0.95)]:.2f}"] if took else ["-", "-"]
    return f"| {name} | {who} | " + " | ".join(shown) + " |"


_HEAD = (
    "| set | redactor | CORE leak | R | P | F1 | leak with ORG | n STRUCT | STRUCT leak | SECRET leak | "
    "FRR | FRRall | texts "
    "touched | median ms | p95 ms |"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a Markdown table; 0 on success."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--policy", default="strict")
    parser.add_argument("--mode", default="fast", choices=["rules", "fast", "thorough"])
    parser.add_argument("--brain", help="base URL of the local model, for the thorough mode")
    parser.add_argument("--peer", action="append", default=[], type=Path, help="folder with a peer's predictions")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--misses", type=Path)
    parser.add_argument("--per-label", action="store_true")
    chosen = parser.parse_args(arguments)
    redactor = ours(chosen.policy, chosen.mode, chosen.brain)
    print(_HEAD)
    print("|" + "---|" * (_HEAD.count("|") - 1))
    results: dict[str, dict[str, Any]] = {}
    for path in chosen.files:
        rows = load(path)
        found, took = run(redactor, rows)
        entries = [(f"Lancelot {chosen.mode}", found, took)]
        for folder in chosen.peer:
            cached = folder / f"{path.stem}.jsonl"
            if cached.exists():
                lines = [json.loads(line) for line in cached.read_text(encoding="utf-8").splitlines()]
                peer = [[(int(a), int(b), str(label)) for a, b, label in line["spans"]] for line in lines]
                entries.append((folder.name, peer, [line["ms"] for line in lines if "ms" in line]))
        for who, predictions, times in entries:
            result = score(rows, predictions)
            print(_line(path.stem, who, result, times), flush=True)
            if chosen.per_label:
                for core in sorted(result.families):
                    tally = result.families[core]
                    print(
                        f"|   {core} | n {tally.gold} | {_percent(tally.leak)} | {_percent(tally.recall)} | "
                        f"{_percent(tally.precision)} | {_percent(tally.f1)} |"
                    )
            results.setdefault(path.stem, {})[who] = {
                "core_leak": result.group("CORE").leak,
                "core_f1": result.group("CORE").f1 if result.complete else None,
                "struct_leak": result.group("STRUCT").leak,
                "secret_leak": result.group("SECRET").leak,
                "secret_precision": result.group("SECRET").precision,
                "frr": result.frr,
                "frr_all": result.frr_all,
                "median_ms": statistics.median(times) if times else None,
            }
            if who.startswith("Lancelot") and chosen.misses:
                with chosen.misses.open("a", encoding="utf-8") as out:
                    out.writelines(
                        json.dumps({"set": path.stem, **miss}, ensure_ascii=False) + "\n" for miss in result.misses
                    )
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
