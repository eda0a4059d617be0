"""Reads the public samples of two secret scanners, in a form that `redaction.py` scores. Nothing of them is kept here.

    git clone --bare https://github.com/gitleaks/gitleaks GITLEAKS
    git clone --bare https://github.com/Samsung/CredSweeper CREDSWEEPER
    python -m tests.bench.secret_samples gitleaks GITLEAKS OUT_FOLDER
    python -m tests.bench.secret_samples credsweeper CREDSWEEPER OUT_FOLDER
    python -m tests.bench.redaction OUT_FOLDER/*.jsonl --per-label

gitleaks keeps, beside each rule, texts that the rule must find and texts that it must not; `go_fixtures.py` reads them
from the Go sources. gold is what the rule's own pattern marks (its group, entropy and allow-lists applied):

* gitleaks: both kinds of texts, each once; what another rule marks is IGNORE in a text that none may find.
* gitleaks_hand: without the texts that are made from a template and a random key.

CredSweeper keeps files and what it reports for them under several settings. Every reading has the same files (UTF-8,
at most 200,000 characters) and gold spans as reported, line by line; those that overlap are one.

* credsweeper: what its default run reports.
* credsweeper_code: the same, without the lists of phrases (doc_*) that only its run over documents is meant for.
* credsweeper_doc: what its default run and its run over documents report.
* credsweeper_neutral: the default run; what any other setting reports too is IGNORE, neither right nor wrong.
* credsweeper_any: everything that any setting but the unfiltered one reports.
* credsweeper_again: the same; where a reported value stands again in its file, not reported, is IGNORE. (Three of the
  files list dozens of spellings around one password and report some of them; a redactor that hides a password in one
  line has to hide it in the next.)
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.go_fixtures import fixtures, patterns

__all__ = ["Repository", "credsweeper", "gitleaks", "main"]

_LONGEST = 200_000
_SETTINGS = ("output", "no_ml", "doc", "no_filters_no_ml")
_READINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "credsweeper": (("output",), ()),
    "credsweeper_code": (("output",), ()),
    "credsweeper_doc": (("output", "doc"), ()),
    "credsweeper_neutral": (("output",), ("no_ml", "doc", "no_filters_no_ml")),
    "credsweeper_any": (("output", "no_ml", "doc"), ()),
    "credsweeper_again": (("output", "no_ml", "doc"), ()),
}

Span = tuple[int, int]


class Repository:
    """The newest commit of a git folder, with or without a work tree."""

    def __init__(self, folder: Path) -> None:
        self.git = ["git", "-C", str(folder)]

    def files(self, under: str) -> list[str]:
        """Names of the files under a folder, in order."""
        listed = subprocess.run([*self.git, "ls-tree", "-r", "--name-only", "HEAD", under], capture_output=True)
        return listed.stdout.decode().splitlines()

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return subprocess.run([*self.git, "show", f"HEAD:{name}"], capture_output=True, check=True).stdout


def _row(name: str, text: str, gold: Iterable[Span], ignored: Iterable[Span] = ()) -> dict[str, Any]:
    """A line for the scorer: overlapping gold spans joined, ignored ones left out where gold is."""
    joined: list[Span] = []
    for start, end in sorted(gold):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    spans = [{"start": start, "end": end, "label": "SECRET"} for start, end in joined]
    for start, end in sorted(set(ignored)):
        if not any(start < right and left < end for left, right in joined):
            spans.append({"start": start, "end": end, "label": "IGNORE"})
    return {"id": name, "text": text, "spans": spans, "annotated": ["SECRET"], "complete": True}


def gitleaks(repository: Repository) -> Iterator[tuple[str, dict[str, Any]]]:
    """(reading, row) of each text beside gitleaks' rules."""
    rules = patterns(repository.read("config/gitleaks.toml").decode())
    for name in repository.files("cmd/generate/config/rules/"):
        for rule, text, wanted, made in fixtures(repository.read(name).decode()):
            own = list(rules[rule].find(text)) if rule in rules else []
            others = [span for other in rules.values() for span in other.find(text)]
            if wanted and not own:
                continue  # needs a path, or a pattern that only Go reads so
            row = _row(rule, text, own if wanted else (), others)
            yield "gitleaks", row
            if not made:
                yield "gitleaks_hand", row


def _reported(repository: Repository, setting: str) -> dict[str, list[dict[str, Any]]]:
    """What a setting reports: file -> lines."""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(repository.read(f"tests/data/{setting}.json")):
        for line in finding["line_data_list"]:
            found.setdefault(line["path"].removeprefix("./"), []).append(line)
    return found


def _spans(lines: Sequence[str], begins: Sequence[int], reported: Iterable[dict[str, Any]]) -> Iterator[Span]:
    """Where the reported values stand in the file; values that were unpacked from something stand nowhere."""
    for line in reported:
        row, value = line["line_num"] - 1, line["value"]
        if 0 <= row < len(lines) and value.strip():
            at = line["value_start"]
            if at < 0 or lines[row][at : at + len(value)] != value:
                at = lines[row].find(value)
            if at >= 0:
                yield begins[row] + at, begins[row] + at + len(value)


def _again(text: str, gold: Iterable[Span]) -> Iterator[Span]:
    """Where a value of six characters or more stands again, as a whole word."""
    for value in {text[start:end] for start, end in gold if end - start > 5}:
        for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
            yield match.span()


def credsweeper(repository: Repository) -> Iterator[tuple[str, dict[str, Any]]]:
    """(reading, row) of each of CredSweeper's samples that is text."""
    reported = {setting: _reported(repository, setting) for setting in _SETTINGS}
    for name in repository.files("tests/samples/"):
        try:
            text = repository.read(name).decode("utf-8")
        except UnicodeDecodeError:
            continue
        if "\0" in text or len(text) > _LONGEST:
            continue
        lines, begins = text.split("\n"), [0]
        for line in lines:
            begins.append(begins[-1] + len(line) + 1)
        found = {setting: set(_spans(lines, begins, reported[setting].get(name, ()))) for setting in _SETTINGS}
        for reading, (gold, ignored) in _READINGS.items():
            if reading == "credsweeper_code" and name.startswith("tests/samples/doc_"):
                continue
            right = set().union(*(found[setting] for setting in gold))
            neither = set().union(*(found[setting] for setting in ignored))
            if reading == "credsweeper_again":
                neither.update(_again(text, right))
            yield reading, _row(name, text, right, neither)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one file a reading; 0 on success."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("samples", choices=["gitleaks", "credsweeper"])
    parser.add_argument("repository", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args(arguments)
    read = {"gitleaks": gitleaks, "credsweeper": credsweeper}[chosen.samples]
    readings: dict[str, list[dict[str, Any]]] = {}
    for reading, row in read(Repository(chosen.repository)):
        rows = readings.setdefault(reading, [])
        if row["text"] not in {other["text"] for other in rows}:
            rows.append(row)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for reading, rows in readings.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (chosen.out / f"{reading}.jsonl").write_text(text, encoding="utf-8")
        secrets = sum(span["label"] == "SECRET" for row in rows for span in row["spans"])
        print(f"{reading}: {len(rows)} texts, {secrets} secrets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
