"""The operator's token and application keys."""

from __future__ import annotations

import stat
from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.errors import BadConfig, BadInput, NotFound
from lancelot.keys import Keys


def test_the_token_is_made_once_and_private(tmp_path: Path) -> None:
    first = Keys(tmp_path).token()
    assert first == Keys(tmp_path).token()
    assert len(first) > 40
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_only_the_right_token_is_the_operator(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    found = keys.check(keys.token())
    assert found is not None
    assert found.key is None
    assert keys.check(keys.token() + "x") is None
    assert keys.check("") is None
    assert keys.check("ünïcode") is None


def test_rotation_ends_the_old_token(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    old = keys.token()
    fresh = keys.rotate_token()
    assert keys.check(old) is None
    assert keys.check(fresh) is not None
    assert Keys(tmp_path).token() == fresh


def test_a_key_is_kept_hashed_and_shown_once(tmp_path: Path) -> None:
    key, secret = Keys(tmp_path).add("agent", lanes=["fast", "local"], daily_usd=Decimal("2.50"))
    written = (tmp_path / "keys.json").read_text()
    assert secret not in written
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    found = Keys(tmp_path).check(secret)
    assert found is not None
    assert found.key_id == key.id
    assert found.lanes == ["local", "fast"]
    assert "sha256" not in key.shown()


def test_a_key_added_by_another_process_is_seen(tmp_path: Path) -> None:
    running = Keys(tmp_path)
    assert running.all() == []
    _, secret = Keys(tmp_path).add("later")
    assert running.check(secret) is not None


def test_a_revoked_key_stays_listed_and_opens_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    _, secret = keys.add("agent")
    keys.revoke("agent")
    assert keys.check(secret) is None
    assert [key.name for key in keys.all()] == ["agent"]
    with pytest.raises(NotFound):
        keys.revoke("agent")
    keys.add("agent")  # the name is free again


@pytest.mark.parametrize(("name", "lanes"), [("", ["fast"]), ("a", []), ("a", ["warp"]), ("x" * 81, ["fast"])])
def test_bad_keys_are_refused(tmp_path: Path, name: str, lanes: list[str]) -> None:
    with pytest.raises(BadInput):
        Keys(tmp_path).add(name, lanes=lanes)
    assert not (tmp_path / "keys.json").exists()


def test_names_are_unique(tmp_path: Path) -> None:
    Keys(tmp_path).add("agent")
    with pytest.raises(BadInput):
        Keys(tmp_path).add("agent")


def test_a_damaged_key_file_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"version": 1, "keys": [{')
    with pytest.raises(BadConfig):
        Keys(tmp_path).check("lk_x")
    assert (tmp_path / "keys.json").read_text() == '{"version": 1, "keys": [{'
