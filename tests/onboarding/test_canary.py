"""The redaction canary against the real redactor and the real providers, and against one that leaks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from lancelot import settings
from lancelot.config import load_config
from lancelot.errors import LancelotError
from lancelot.onboarding.canary import plant, receiver, run_canary
from lancelot.providers.profiles import build_provider, profile
from lancelot.redaction.redactor import Redactor


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "selfhosted"])
def test_nothing_planted_gets_out_through_any_provider(name: str) -> None:
    config = load_config(settings.config_dir())
    found = profile(config, name)
    line = run_canary(
        Redactor(config.router.redaction.policies),
        lambda url: build_provider(found, SecretStr("made-up"), base_url=url),
    )
    assert "none among" in line
    assert "the control saw all" in line


class Blind(Redactor):
    """A redactor that finds nothing."""

    def __init__(self) -> None:
        class Nothing:
            def find(self, *args: Any, **named: Any) -> list[Any]:
                return []

        super().__init__(finder=Nothing())  # type: ignore[arg-type]


def test_a_redactor_that_finds_nothing_is_caught() -> None:
    found = profile(load_config(settings.config_dir()), "selfhosted")
    with pytest.raises(LancelotError) as caught:
        run_canary(Blind(), lambda url: build_provider(found, None, base_url=url))
    assert caught.value.code == "canary_leaked"
    assert "metadata" in caught.value.title


def test_a_request_that_never_arrives_is_no_pass() -> None:
    found = profile(load_config(settings.config_dir()), "selfhosted")
    with pytest.raises(LancelotError) as caught:
        run_canary(Redactor(), lambda url: build_provider(found, None, base_url="http://127.0.0.1:9"))
    assert caught.value.code == "canary_not_sent"


def test_secrets_are_new_each_run_and_in_every_field() -> None:
    first, second = plant(), plant()
    assert not set(first.secrets.values()) & set(second.secrets.values())
    assert {"system", "user", "assistant", "tool_call", "tool_result", "file_name", "metadata"} <= set(first.secrets)


def test_the_receiver_keeps_raw_bytes() -> None:
    with receiver() as kept:
        httpx.post(kept.url, content=b"raw \x00 bytes", headers={"x-field": "seen"})
        taken = kept.take()
    assert b"raw \x00 bytes" in taken
    assert b"x-field: seen" in taken
    assert kept.take() == b""
