"""Commands that need neither a model nor a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from lancelot.cli import app
from lancelot.cli.receipts import since_time
from lancelot.errors import BadInput
from tests.cli.shell import Shell, open_process


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every group and command below one, with whether it is a group."""
    children = getattr(group, "commands", None)
    yield words, children is not None
    for name, child in (children or {}).items():
        yield from commands(child, (*words, name))


EVERY = list(commands(typer.main.get_command(app)))


def test_version() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"lancelot {version('lancelot')}\n")


def test_the_package_itself_is_a_command() -> None:
    done = subprocess.run([sys.executable, "-m", "lancelot", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lancelot ")


@pytest.mark.parametrize(("words", "is_group"), EVERY, ids=[" ".join(words) or "lancelot" for words, _ in EVERY])
def test_help(words: tuple[str, ...], is_group: bool) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert shown.exit_code == 0
    if not is_group:
        assert "--data-dir" in shown.output
        assert "--json" in shown.output


def test_the_promised_commands_exist() -> None:
    known = {" ".join(words) for words, is_group in EVERY if not is_group}
    promised = {
        *("status", "onboard", "code", "serve", "token", "ask", "route", "redact", "usage", "doctor", "backup"),
        *("restore", "demo seed"),
        *(f"onboarding {name}" for name in ("status", "back", "repair", "restart-step", "reset", "resend-code")),
        *(f"utility {name}" for name in ("classify", "extract", "summarize", "rewrite")),
        *(f"model {name}" for name in ("list", "install", "verify", "tune", "exam", "status")),
        *(f"receipts {name}" for name in ("list", "show", "verify", "export", "prune")),
        *(f"keys {name}" for name in ("list", "add", "revoke")),
    }
    assert promised <= known


def test_help_as_a_process(shell: Shell) -> None:
    assert "Exit codes" in shell.text("--help")
    assert "--explain" in shell.text("route", "--help")


@pytest.mark.parametrize(
    "words",
    [
        ["fly"],
        ["redact", "--mode", "slow", "x"],
        ["receipts", "list", "--limit", "many"],
        ["onboard", "--provider", "nobody"],
        ["utility", "extract", "--schema", "missing.json", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(shell: Shell, words: list[str]) -> None:
    done = shell.run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr


def test_refusals_are_one_line(shell: Shell) -> None:
    assert shell.refused("redact", "--policy", "no such policy", "x").startswith("bad_input: ")
    assert "no text" in shell.refused("redact", stdin="  \n")
    assert shell.refused("keys", "revoke", "nobody").startswith("not_found: ")
    assert shell.refused("model", "verify", "no-such-model")
    assert shell.refused("receipts", "list", "--since", "yesterday-ish").startswith("bad_input: ")


def test_a_data_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert Shell(tmp_path / "file" / "data").refused("token")
    assert Shell(tmp_path / "file" / "data").refused("status")


def test_token(shell: Shell) -> None:
    token = shell.text("token").strip()
    assert len(token) > 30
    assert shell.json("token") == {"token": token}
    elsewhere = shell.folder.parent / "elsewhere"
    assert shell.json("token", "--data-dir", str(elsewhere))["token"] != token
    assert (elsewhere / "token").read_text().strip() != token


def test_keys(shell: Shell) -> None:
    assert shell.json("keys", "list") == {"keys": []}
    made = shell.json("keys", "add", "build server", "--lanes", "local,fast", "--daily-usd", "2.50")
    assert made["lanes"] == ["local", "fast"]
    shown = shell.json("keys", "list")["keys"]
    assert [key["id"] for key in shown] == [made["id"]]
    assert made["secret"] not in json.dumps(shown)
    assert "sha256" not in shown[0]
    assert shell.json("keys", "revoke", "build server")["revoked"]
    assert "revoked" in shell.text("keys", "list")


def test_keys_refused(shell: Shell) -> None:
    assert shell.refused("keys", "add", "x", "--lanes", "local,slow")
    assert shell.refused("keys", "add", "x", "--daily-usd", "a lot")


def test_redact_counts_code_points(shell: Shell) -> None:
    text = "Grüße 😀 anna.smith@example.com"
    found = shell.json("redact", text)
    assert found["text"] == "Grüße 😀 <EMAIL_1>"
    (span,) = found["spans"]
    assert text[span["start"] : span["end"]] == "anna.smith@example.com"
    assert span["label"] == "EMAIL"


def test_redact_reads_standard_input(shell: Shell) -> None:
    said = shell.text("redact", stdin="mail anna.smith@example.com\n")
    assert "<EMAIL_1>" in said
    assert "anna.smith" not in said
    assert shell.json("redact", "-", stdin="mail anna.smith@example.com")["text"] == "mail <EMAIL_1>"
    assert "<" in shell.json("redact", "--policy", "strict", "mail anna.smith@example.com")["text"]


def test_redact_lines_answer_at_once_and_in_order(shell: Shell) -> None:
    process = open_process(shell.folder, "redact", "--jsonl")
    assert process.stdin is not None
    assert process.stdout is not None
    answers = []
    lines = ['{"text": "one@example.com"}', "{not json", '["a list"]', '{"txt": 1}', '{"text": "4@example.com"}']
    for line in lines:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answers.append(json.loads(process.stdout.readline()))  # would wait for ever were it not flushed
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert [("error" in answer) for answer in answers] == [False, True, True, True, False]
    assert [answer["error"]["code"] for answer in answers[1:4]] == ["bad_json", "bad_input", "bad_input"]
    assert answers[0]["text"] == answers[4]["text"] == "<EMAIL_1>"


def test_input_that_is_no_utf8(shell: Shell) -> None:
    """Bytes that are no text: as an argument, and as a line."""
    assert shell.refused("redact", "broken \udcff byte").startswith("bad_input: ")
    assert shell.refused("route", "--explain", "broken \udcff byte").startswith("bad_input: ")
    assert shell.lines("redact", items=['{"text": "\\ud800"}', '{"text": "ok"}'], code=1)[1]["text"] == "ok"


def test_route_explain(shell: Shell) -> None:
    found = shell.json("route", "--explain", "Prove that the square root of two is irrational, step by step.")
    assert found["lane"] in {"local", "fast", "deep"}
    assert 0 <= found["deep_score"] <= 1
    assert isinstance(found["known"], bool)
    assert isinstance(found["risk"], str)
    assert isinstance(found["task"], str)
    assert found["reasons"]
    assert " lane (deep score " in shell.text("route", "--explain", "Hello")
    assert not (shell.folder / "journal").exists()  # nothing was carried out


def test_route_explain_lines(shell: Shell) -> None:
    signals = {"dangerous": True, "anything": [1, None, "x"]}
    items = [
        json.dumps({"prompt": "Hello", "signals": signals}),
        "nonsense",
        '{"prompt": ""}',
        '{"prompt": "x", "signals": 7}',
        '{"prompt": "Thanks!"}',
    ]
    found = shell.lines("route", "--explain", items=items, code=1)
    assert [("error" in answer) for answer in found] == [False, True, True, True, False]
    assert {"lane", "deep_score", "known", "reasons", "risk", "task"} <= found[0].keys()


def test_models(shell: Shell) -> None:
    rows = shell.json("model", "list")["models"]
    assert all(row["licence"] and row["recommended"] for row in rows)
    assert "installed" not in {row["state"] for row in rows}
    done = shell.run("model", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verified"] is False


def test_status_of_an_empty_folder(shell: Shell) -> None:
    found = shell.json("status")
    assert found["onboarding"]["state"] == "WELCOME"
    assert found["local_model"]["state"] in {"absent", "stopped"}
    assert "ready         no" in shell.text("status")


def test_not_ready_requests_are_refused(shell: Shell) -> None:
    assert shell.refused("ask", "Hello").startswith("not_ready: ")
    assert shell.refused("utility", "summarize", "A text.")
    assert shell.refused("code")


def test_onboarding_commands(shell: Shell) -> None:
    assert shell.json("onboarding", "status")["done"] is True
    back = shell.run("onboarding", "back")
    assert back.returncode in {0, 1}
    assert back.stdout + back.stderr
    asked = shell.run("onboarding", "reset")
    assert asked.returncode == 3
    assert "--yes" in asked.stderr
    assert shell.run("onboarding", "reset", "--yes").returncode == 0
    assert shell.json("status")["onboarding"]["state"] == "WELCOME"


def test_onboard_without_consent_asks_and_stops(shell: Shell) -> None:
    assert shell.run("onboard", "--provider", "selfhosted", stdin="n\n").returncode == 3
    assert not shell.folder.exists()


def test_receipts(seeded_shell: Shell) -> None:
    found = seeded_shell.json("receipts", "list", "--limit", "7")["receipts"]
    assert len(found) == 7
    assert [r["at"] for r in found] == sorted((r["at"] for r in found), reverse=True)
    local = seeded_shell.json("receipts", "list", "--lane", "local", "--limit", "500")["receipts"]
    assert {receipt["lane"] for receipt in local} == {"local"}
    assert seeded_shell.json("receipts", "show", found[0]["id"])["chain"]
    assert seeded_shell.refused("receipts", "show", "no-such-receipt").startswith("not_found: ")
    assert seeded_shell.json("receipts", "verify", "--full")["checked"] == 200


def test_since_narrows(seeded_shell: Shell) -> None:
    everything = seeded_shell.json("receipts", "list", "--since", "90d", "--limit", "1000")["receipts"]
    week = seeded_shell.json("receipts", "list", "--since", "7d", "--limit", "1000")["receipts"]
    assert len(everything) == 200
    assert 0 < len(week) < 200
    assert sum(row["requests"] for row in seeded_shell.json("usage", "--since", "2020-01-01")["groups"]) > 0


@pytest.mark.parametrize(("given", "seconds"), [("15m", 900), ("24h", 86_400), ("7d", 604_800)])
def test_since_ages(given: str, seconds: int) -> None:
    moment = datetime.fromisoformat(since_time(given) or "")
    assert abs((datetime.now(UTC) - moment).total_seconds() - seconds) < 30


def test_since_times() -> None:
    assert since_time(None) is None
    assert since_time("2026-03-01T10:00:00+02:00") == "2026-03-01T10:00:00+02:00"
    assert since_time("2026-03-01T10:00:00Z") == "2026-03-01T10:00:00+00:00"
    assert datetime.fromisoformat(since_time("2026-03-01") or "").tzinfo is not None


@pytest.mark.parametrize("given", ["", "d", "-7d", "7w", "²d", "99999999999d", "12", "0001-01-01", "next week"])
def test_since_nonsense(given: str) -> None:
    with pytest.raises(BadInput):
        since_time(given)


def test_export_and_prune(seeded_shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    assert seeded_shell.json("receipts", "export", str(target))["receipts"] == 200
    assert target.read_bytes()[:4] == b"PAR1"
    assert seeded_shell.run("receipts", "prune", "--older-than", "30d", stdin="n\n").returncode == 1
    removed = seeded_shell.json("receipts", "prune", "--older-than", "30d", "--yes")["removed"]
    assert 0 <= removed < 200
    assert seeded_shell.json("receipts", "verify", "--full")["ok"] is True


def test_a_broken_chain_exits_1(seeded_shell: Shell) -> None:
    (journal, *_) = sorted(path for path in seeded_shell.folder.rglob("*.jsonl"))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:50] + lines[51:]))
    done = seeded_shell.run("receipts", "verify", "--full", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


def test_usage(seeded_shell: Shell) -> None:
    for by in ("lane", "model", "day"):
        assert seeded_shell.json("usage", "--by", by)["groups"]
    assert seeded_shell.refused("usage", "--by", "mood")


def test_usage_in_other_views(seeded_shell: Shell, tmp_path: Path) -> None:
    totals = seeded_shell.json("usage", "--by", "model")["totals"]
    assert seeded_shell.json("usage", "--show", "savings", "--baseline", "fast")["paid_usd"] == totals["cost_usd"]
    prices = tmp_path / "prices.yaml"
    prices.write_text("version: mine\ndate: 2027-01-01\nmodels: {demo-fast: {input: 1, output: 1}}\n")
    found = seeded_shell.json("usage", "--show", "repriced", "--prices", str(prices), "--by", "model")
    row = next(row for row in found["groups"] if row["group"] == "demo-fast")
    assert (found["version"], row["repriced_usd"] is None) == ("mine", False)
    assert found["totals"]["recorded_usd"] == totals["cost_usd"]
    done = seeded_shell.json("usage", "--output", str(tmp_path / "use.parquet"))
    assert (tmp_path / "use.parquet").stat().st_size == done["bytes"]
    assert seeded_shell.refused("usage", "--output", str(tmp_path / "use.xlsx"))


@pytest.mark.parametrize("view", ["groups", "pace", "pressure"])
def test_usage_in_words(seeded_shell: Shell, view: str) -> None:
    assert "tokens" in seeded_shell.text("usage", "--show", view) or view == "groups"


def test_backup_and_restore(seeded_shell: Shell, tmp_path: Path) -> None:
    archive = tmp_path / "kept.tar.gz"
    token = seeded_shell.text("token").strip()
    assert seeded_shell.json("backup", str(archive))["receipts"] == 200
    other = Shell(tmp_path / "other")
    assert other.json("restore", str(archive))["chain_ok"] is True
    assert len(other.json("receipts", "list", "--limit", "1000")["receipts"]) == 200
    assert other.text("token").strip() != token
    assert other.refused("restore", str(archive))  # not over an installation
    (tmp_path / "no.tar.gz").write_bytes(b"not an archive")
    assert Shell(tmp_path / "third").refused("restore", str(tmp_path / "no.tar.gz")).startswith("bad_backup: ")


def test_the_command_starts_without_what_only_some_requests_need() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, lancelot.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert not {"jsonschema", "streamlit", "llama_cpp", "pandas"} & set(said.stdout.split())
