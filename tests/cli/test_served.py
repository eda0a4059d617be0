"""The same commands while a server process owns the data folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.shell import Shell, serving


@pytest.fixture(scope="module")
def served(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, str]]:
    """A shell on a folder that `lancelot serve` holds, and the server's address."""
    folder = Path(shutil.copytree(seeded, tmp_path_factory.mktemp("owned") / "data"))
    with serving(folder) as url:
        yield Shell(folder), url


def test_commands_go_through_the_server(served: tuple[Shell, str]) -> None:
    shell, _ = served
    assert shell.json("status")["onboarding"]["state"] == "WELCOME"
    assert len(shell.json("receipts", "list", "--limit", "1000")["receipts"]) == 200
    assert shell.json("receipts", "verify")["ok"] is True
    assert shell.json("usage")["groups"]
    assert shell.json("onboarding", "status")["done"] is True
    assert shell.json("redact", "anna@example.com")["text"] == "<EMAIL_1>"


def test_keys_made_meanwhile_are_known_at_once(served: tuple[Shell, str]) -> None:
    shell, url = served
    secret = shell.json("keys", "add", "meanwhile")["secret"]
    assert [key["name"] for key in shell.json("keys", "list")["keys"]] == ["meanwhile"]
    bearer = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{url}/v1/models", headers=bearer, trust_env=False).status_code == 200
    shell.text("keys", "revoke", "meanwhile")
    assert httpx.get(f"{url}/v1/models", headers=bearer, trust_env=False).status_code == 401


def test_backup_works_and_restore_is_refused(served: tuple[Shell, str], tmp_path: Path) -> None:
    shell, _ = served
    archive = tmp_path / "kept.tar.gz"
    assert shell.json("backup", str(archive))["receipts"] == 200
    assert shell.refused("restore", str(archive), "--replace").startswith("data_folder_in_use: ")


def test_one_server_a_folder(served: tuple[Shell, str]) -> None:
    shell, _ = served
    assert shell.refused("serve", "--port", "1").startswith("data_folder_in_use: ")
