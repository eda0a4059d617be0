"""Readers for public sets. A set that is not there is skipped and named, never guessed.

Each reader gets the folder of one checked-out repository (README.md lists them with licences) and yields examples.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local_models.layout import Turn
from local_models.training.described import described_lists
from local_models.training.examples import (
    Example,
    extract_example,
    redact_example,
    rewrite_example,
    summarize_example,
)
from local_models.training.intents import label_lists
from local_models.training.values import Values

__all__ = ["READERS", "read_public"]

Reader = Callable[[Path, Values], Iterator[Example]]
LONGEST = 2400  # characters of a source text
SPAN_TYPES = {"PERSON": "NAME", "CREDIT_CARD": "CARD", "IBAN_CODE": "IBAN", "EMAIL_ADDRESS": "EMAIL"}
KEPT_TYPES = {"NAME", "EMAIL", "PHONE", "ADDRESS", "ORG", "ID", "CARD", "IBAN", "IP", "URL", "SECRET", "USERNAME"}


def read_public(folder: Path, seed: int) -> Iterator[tuple[str, list[Example] | None]]:
    """(set, its examples), or (set, None) where the folder does not hold it."""
    for name, reader in READERS.items():
        place = folder / name
        yield name, list(reader(place, Values(seed))) if place.is_dir() else None


def clinc(place: Path, values: Values) -> Iterator[Example]:
    """150 intents of an assistant, as lists of two to ten labels."""
    data = json.loads((place / "data" / "data_full.json").read_text())
    pool: dict[str, list[str]] = defaultdict(list)
    for text, label in data["train"] + data["val"]:
        pool[label].append(text)
    yield from label_lists(values, "clinc150", pool, 80 * len(pool))
    yield from described_lists(values, "clinc150", pool, 80 * len(pool))


def hwu(place: Path, values: Values) -> Iterator[Example]:
    """Home-assistant requests: intents, and slots written as [slot : words]."""
    pool: dict[str, list[str]] = defaultdict(list)
    slots: list[tuple[str, dict[str, str]]] = []
    for path in sorted(place.rglob("*set/*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter=";"):
                if row.get("scenario") and row.get("answer_annotation"):
                    marked = row["answer_annotation"]
                    plain = re.sub(r"\[[^:\]]+:\s*([^\]]+?)\s*\]", r"\1", marked).strip()
                    pool[f"{row['scenario']}_{row['intent']}"].append(plain)
                    slots.append(
                        (plain, {a.strip(): b.strip() for a, b in re.findall(r"\[([^:\]]+):([^\]]+)\]", marked)})
                    )
    if pool:
        yield from label_lists(values, "hwu64", pool, 80 * len(pool))
        yield from described_lists(values, "hwu64", pool, 80 * len(pool))
    for text, found in slots:
        if found:
            yield extract_example("hwu64", dict.fromkeys(list(found)[:6], "string"), found, text)


def multidogo(place: Path, values: Values) -> Iterator[Example]:
    """Customer-service turns of six trades: intents by trade."""
    for path in sorted(place.glob("data/paper_splits/splits_annotated_at_turn_level/*/train.tsv")):
        pool: dict[str, list[str]] = defaultdict(list)
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            cells = line.split("\t")
            if len(cells) == 6 and cells[5] and 3 < len(cells[3]) < 200:
                pool[cells[5]].append(cells[3].strip('" '))
        usable = {label: texts for label, texts in pool.items() if len(texts) > 15}
        if len(usable) > 1:
            yield from label_lists(values, "multidogo", usable, 80 * len(usable))
            yield from described_lists(values, "multidogo", usable, 80 * len(usable))


def scitldr(place: Path, values: Values) -> Iterator[Example]:
    """Abstracts with one-sentence summaries."""
    for line in (place / "SciTLDR-Data" / "SciTLDR-A" / "train.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield from _summary("scitldr", " ".join(row["source"]), row["target"][0])


def mts_dialog(place: Path, values: Values) -> Iterator[Example]:
    """Conversations in a practice, with the note that was written."""
    with (place / "Main-Dataset" / "MTS-Dialog-TrainingSet.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield from _summary("mts-dialog", row["dialogue"], row["section_text"])


def qmsum(place: Path, values: Values) -> Iterator[Example]:
    """Meetings: a passage and the answer that sums it up."""
    for path in sorted(place.glob("data/ALL/train/*.json")):
        meeting = json.loads(path.read_text(encoding="utf-8"))
        said = meeting["meeting_transcripts"]
        for query in meeting["specific_query_list"]:
            if len(query["relevant_text_span"]) == 1:
                first, last = (int(number) for number in query["relevant_text_span"][0])
                passage = "\n".join(f"{turn['speaker']}: {turn['content']}" for turn in said[first : last + 1])
                yield from _summary("qmsum", passage, query["answer"])


def cast(place: Path, values: Values) -> Iterator[Example]:
    """Conversational search with hand-written rewrites (2020 and 2021; 2019 stays for evaluation)."""
    for path in sorted(place.glob("202[01]/*manual_evaluation_topics*.json")):
        for topic in json.loads(path.read_text(encoding="utf-8")):
            history: list[Turn] = []
            for turn in topic["turn"]:
                if turn.get("manual_rewritten_utterance"):
                    rewritten = turn["manual_rewritten_utterance"]
                    yield rewrite_example("cast", history, turn["raw_utterance"], rewritten)
                history.append(Turn("user", turn["raw_utterance"]))


def mtrag(place: Path, values: Values) -> Iterator[Example]:
    """Retrieval conversations of two domains (the other two stay for evaluation)."""
    for domain in ("clapnq", "cloud"):
        home = place / "mtrag-human" / "retrieval_tasks" / domain
        if not home.is_dir():
            continue
        rewritten = dict(_rows(home / f"{domain}_rewrite.jsonl"))
        for key, text in _rows(home / f"{domain}_questions.jsonl"):
            turns = [line.replace("|user|:", "").strip() for line in text.split("\n") if line.strip()]
            if key in rewritten and turns:
                history = [Turn("user", turn) for turn in turns[:-1]]
                yield rewrite_example("mtrag", history, turns[-1], rewritten[key].replace("|user|:", "").strip())


def spans(place: Path, values: Values) -> Iterator[Example]:
    """Any JSONL of {"text", "spans": [{"start", "end", "label"}]} whose annotation is complete."""
    for path in sorted(place.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("complete", True) and len(row["text"]) < LONGEST:
                yield redact_example(f"spans/{path.stem}", _typed(row), row["text"])


READERS: dict[str, Reader] = {
    "oos-eval": clinc,
    "NLU-Evaluation-Data": hwu,
    "multi-domain-goal-oriented-dialogues-dataset": multidogo,
    "scitldr": scitldr,
    "MTS-Dialog": mts_dialog,
    "QMSum": qmsum,
    "treccastweb": cast,
    "mt-rag-benchmark": mtrag,
    "spans": spans,
}


def _summary(source: str, text: str, summary: str) -> Iterator[Example]:
    """Kept only if the summary states nothing the text does not: names and numbers occur, most words do."""
    text, summary = text.strip(), " ".join(summary.split())
    facts = re.findall(r"\d[\d,.]*", summary) + re.findall(r"(?<=[a-z,] )[A-Z]\w+", summary)
    words = re.findall(r"[a-z]{4,}", summary.lower())
    known = sum(word[:5] in text.lower() for word in words)
    right_size = 40 < len(summary) < 330 and 200 < len(text) < LONGEST and bool(words)
    if right_size and all(fact.strip(".,") in text for fact in facts) and known >= 0.5 * len(words):
        yield summarize_example(source, text, summary)


def _typed(row: dict[str, Any]) -> list[tuple[str, str]]:
    ordered = sorted(row["spans"], key=lambda span: int(span["start"]))
    typed = [
        (SPAN_TYPES.get(span["label"], span["label"]), row["text"][span["start"] : span["end"]]) for span in ordered
    ]
    return [(kind, text) for kind, text in typed if kind in KEPT_TYPES]


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["_id"], row["text"]
