"""Keys: stored for the owner alone, masked everywhere, recovered from a damaged file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from pydantic import SecretStr

from lancelot.credentials import Credentials, clean_key, mask
from lancelot.errors import BadInput, DiskFull
from lancelot.files import Disk

KEY = "sk-proj-" + "a1B2" * 10


def test_a_key_is_kept_for_the_owner_alone(tmp_path: Path) -> None:
    Credentials(tmp_path).put("openai", KEY)
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    stored = Credentials(tmp_path).get("openai")
    assert isinstance(stored, SecretStr)
    assert stored.get_secret_value() == KEY
    assert Credentials(tmp_path).get("gemini") is None


def test_every_write_is_private_from_the_first_byte(tmp_path: Path) -> None:
    class Watching(Disk):
        modes: list[int] = []  # noqa: RUF012

        def write(self, path: Path, content: bytes, mode: int) -> int:
            self.modes.append(mode)
            return super().write(path, content, mode)

    credentials = Credentials(tmp_path, disk=Watching())
    credentials.put("openai", KEY)
    credentials.put("openai", KEY + "x")
    assert set(Watching.modes) == {0o600}
    assert (tmp_path / "credentials.json.1").stat().st_mode & 0o777 == 0o600


def test_masks_show_four_characters_of_long_secrets_only() -> None:
    assert mask(KEY) == "••••" + KEY[-4:]
    assert mask("short") == "••••"
    assert mask(None) == ""
    assert KEY not in repr(SecretStr(KEY))


@pytest.mark.parametrize("typed", [f"  {KEY}\n", f"\t{KEY} "])
def test_blanks_around_a_pasted_key_do_not_matter(typed: str) -> None:
    assert clean_key(typed) == KEY


@pytest.mark.parametrize("typed", ["", "  ", "two words", "line\nbreak", "schlüssel", "k" * 5000])
def test_what_cannot_be_a_key_is_refused(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        clean_key(typed)
    assert refused.value.code == "key_malformed"
    assert typed.strip() == "" or typed.strip() not in str(refused.value)


def test_a_key_may_stay_in_the_environment(tmp_path: Path) -> None:
    environment = {"MY_KEY": f" {KEY} "}
    credentials = Credentials(tmp_path, environment=environment)
    credentials.put_env("openai", "MY_KEY")
    found = credentials.get("openai")
    assert found is not None
    assert found.get_secret_value() == KEY
    assert KEY not in credentials.path.read_text()
    assert credentials.source("openai") == "environment"
    environment.clear()
    assert credentials.get("openai") is None


@pytest.mark.parametrize(("name", "code"), [("NOT SET", "env_name_malformed"), ("NOT_SET", "env_not_set")])
def test_a_variable_that_is_not_there_is_said(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        Credentials(tmp_path, environment={}).put_env("openai", name)
    assert refused.value.code == code


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1, "providers": {"openai": 5}}', b"\xff"])
def test_a_damaged_file_gives_way_to_its_copy_and_is_repaired(tmp_path: Path, content: bytes) -> None:
    credentials = Credentials(tmp_path)
    credentials.put("openai", KEY)
    credentials.put("gemini", KEY)
    credentials.path.write_bytes(content)
    assert "damaged" in (credentials.problem() or "")
    assert credentials.get("openai") is not None
    assert credentials.restore_copy()
    assert credentials.problem() is None
    assert credentials.get("openai") is not None


def test_wide_permissions_are_noticed_and_narrowed(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    assert credentials.problem() is None
    credentials.put("openai", KEY)
    credentials.path.chmod(0o644)
    assert "0644" in (credentials.problem() or "")
    credentials.make_private()
    assert credentials.problem() is None


def test_a_forgotten_key_is_gone_from_the_copy_too(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    credentials.put("openai", KEY)
    credentials.put("gemini", KEY + "z")
    credentials.forget("openai")
    assert credentials.get("openai") is None
    assert not (tmp_path / "credentials.json.1").exists()
    assert credentials.get("gemini") is not None


def test_the_channels_address_is_kept_beside_the_keys(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    credentials.put_comms_url("mailto://user:secret@example.com")
    assert "secret" not in repr(credentials.comms_url())
    credentials.put_comms_url(None)
    assert credentials.comms_url() is None


def test_a_full_disk_keeps_the_old_key(tmp_path: Path) -> None:
    Credentials(tmp_path).put("openai", KEY)

    class Full(Disk):
        def write(self, path: Path, content: bytes, mode: int) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull):
        Credentials(tmp_path, disk=Full()).put("openai", "another-key-" + "x" * 20)
    found = Credentials(tmp_path).get("openai")
    assert found is not None
    assert found.get_secret_value() == KEY
