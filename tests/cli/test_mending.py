"""repair, flagship, what-if from the command line: differences first, exit codes, and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.faults.upstream import upstream

KEY = "sk-planted-" + "c" * 30


def test_on_an_empty_folder_all_is_well_and_nothing_can_be_undone(shell: Shell) -> None:
    shell.text("status")
    looked = shell.text("repair", "look")
    assert "ok    snapshot" in looked
    done = shell.run("repair", "apply", "credentials")
    assert done.returncode == 1
    assert done.stderr.startswith("no_plan: ")
    assert shell.json("repair", "history") == {"history": []}
    assert isinstance(shell.json("repair", "snapshots")["snapshots"], list)
    refused = shell.run("repair", "restore", "1")
    assert refused.returncode == 3
    assert "--yes" in refused.stderr
    assert shell.refused("repair", "restore", "999", "--yes").startswith("no_such_copy: ")
    assert shell.refused("repair", "undo", "none").startswith("nothing_to_undo: ")


def test_before_the_set_up_there_is_no_flagship_to_change(shell: Shell) -> None:
    assert shell.json("flagship", "show")["flagship"] is None
    assert shell.refused("flagship", "change", "--provider", "selfhosted", "--yes").startswith("setup_not_finished: ")
    assert shell.refused("flagship", "change", "--provider", "openai", "--key-stdin").startswith("key_missing: ")
    assert shell.run("flagship", "change", "--provider", "nobody").returncode == 2


@pytest.mark.real_model
@pytest.mark.timeout(600)
def test_another_flagship_and_back_and_a_repair(ready_folder: Path, tmp_path: Path) -> None:
    """In the command's own process, without a server."""
    shell = Shell(Path(shutil.copytree(ready_folder, tmp_path / "alone")))
    with upstream() as provider:
        provider.accepts = {KEY}
        words = ("flagship", "change", "--provider", "selfhosted", "--base-url", provider.url)
        assert shell.refused(*words, "--yes").startswith("provider_")
        first = shell.run(*words, "--key-stdin", stdin=f"{KEY}\n")
        assert first.returncode == 3, first.stderr
        assert "+key: ••••cccc" in first.stdout
        assert shell.json("flagship", "show")["flagship"]["own_service"] is True
        told = shell.json(*words, "--key-stdin", "--yes", stdin=f"{KEY}\n")
        assert "can be brought back" in told["text"]
        assert KEY not in str(told)
        shown = shell.json("flagship", "show")
        assert (shown["flagship"]["base_url"], shown["credentials"]["mask"]) == (provider.url, "••••cccc")
        assert shell.json("ask", "--model", "lancelot-fast", "Hello")["answer"] == "Understood."
        assert provider.presented == {f"Bearer {KEY}"}

        keys = shell.folder / "credentials.json"
        keys.chmod(0o644)
        assert shell.run("repair", "look").returncode == 1
        repaired = shell.json("repair", "apply", "credentials")
        assert repaired["done"]["fixed"] is True
        assert keys.stat().st_mode & 0o777 == 0o600
        shell.text("repair", "undo", repaired["done"]["undo"])
        assert keys.stat().st_mode & 0o777 == 0o644
        shell.text("repair", "apply", "credentials")
        assert shell.text("flagship", "undo").startswith("The flagship is our own local service again")
    assert shell.json("status")["onboarding"]["state"] == "READY"


def test_what_other_thresholds_would_have_done(seeded_shell: Shell, tmp_path: Path) -> None:
    same = seeded_shell.json("what-if", "--set", "deep_score=0.99")
    assert same["looked_at"] > 50
    moved = seeded_shell.json("what-if", "--set", "deep_score=0.05", "--set", "unknown_lane=deep")
    assert sum(one["requests"] for one in moved["moved"]) > 0
    assert [change.split(":")[0] for change in moved["changes"]] == ["thresholds.deep_score", "thresholds.unknown_lane"]
    assert "would have gone another way" in seeded_shell.text("what-if", "--set", "deep_score=0.05")
    rules = tmp_path / "router.yaml"
    rules.write_text("surprise: 1\n")
    assert "surprise" in seeded_shell.refused("what-if", "--rules", str(rules))
    assert "deep_score" in seeded_shell.refused("what-if", "--set", "deep_score=2")
    assert seeded_shell.refused("what-if").startswith("bad_input: ")
    assert seeded_shell.refused("what-if", "--set", "nothing").startswith("bad_input: ")
