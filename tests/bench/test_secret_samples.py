"""The reader of two scanners' samples, on miniatures written for this test."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.bench.go_fixtures import fixtures, patterns
from tests.bench.secret_samples import main

GO = """package rules

func Acme() *config.Rule {
	r := config.Rule{
		RuleID: "acme-token",
		Regex:  utils.GenerateUniqueTokenRegex(`acme_[a-z0-9]{12}`, false),
	}
	prefix := "acme_"
	tps := append(utils.GenerateSampleSecrets("acme", prefix+secrets.NewSecret(utils.AlphaNumeric("12"))),
		[]string{
			"token: acme_k3f9x0q2m7b1", // by hand
			`acme_z8v4c6n1p5t0`,
		}...)
	fps := []string{
		"acme_example",
	}
	return utils.Validate(r, tps, fps)
}
"""
RULES = """
[[rules]]
id = "acme-token"
regex = '''\\b(acme_(?i)[a-z0-9]{12})\\b'''
entropy = 2
keywords = ["acme_"]
"""


def _repository(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t.example"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "samples"], check=True)
    return folder


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_texts_beside_a_rule_are_read_from_go() -> None:
    found = list(fixtures(GO))
    by_hand = [(text, wanted) for _, text, wanted, made in found if not made]
    assert by_hand == [("token: acme_k3f9x0q2m7b1", True), ("acme_z8v4c6n1p5t0", True), ("acme_example", False)]
    rule = patterns(RULES)["acme-token"]
    assert all(any(True for _ in rule.find(text)) is wanted for _, text, wanted, _ in found)


def test_gitleaks_is_read_in_two_ways(tmp_path: Path) -> None:
    repository = _repository(
        tmp_path / "gitleaks", {"cmd/generate/config/rules/acme.go": GO, "config/gitleaks.toml": RULES}
    )
    assert main(["gitleaks", str(repository), str(tmp_path / "out")]) == 0
    assert len(_rows(tmp_path / "out" / "gitleaks_hand.jsonl")) == 3
    assert len(_rows(tmp_path / "out" / "gitleaks.jsonl")) > 3


def test_credsweepers_readings_differ_in_what_counts(tmp_path: Path) -> None:
    text = "password: Zk39aQw7\nagain Zk39aQw7\n"
    line = {"path": "./tests/samples/doc_a", "line_num": 1, "value": "Zk39aQw7", "value_start": 10}
    report = json.dumps([{"rule": "Password", "line_data_list": [line]}])
    files = {f"tests/data/{setting}.json": "[]" for setting in ("no_ml", "doc", "no_filters_no_ml")}
    repository = _repository(
        tmp_path / "credsweeper",
        files | {"tests/data/output.json": report, "tests/samples/doc_a": text, "tests/samples/b": "x\n"},
    )
    assert main(["credsweeper", str(repository), str(tmp_path / "out")]) == 0
    gold = {"start": 10, "end": 18, "label": "SECRET"}
    assert _rows(tmp_path / "out" / "credsweeper_any.jsonl")[1]["spans"] == [gold]
    again = _rows(tmp_path / "out" / "credsweeper_again.jsonl")[1]["spans"]
    assert again == [gold, {"start": 25, "end": 33, "label": "IGNORE"}]
    assert [row["id"] for row in _rows(tmp_path / "out" / "credsweeper_code.jsonl")] == ["tests/samples/b"]
