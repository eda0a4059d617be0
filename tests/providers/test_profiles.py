"""The registry: lanes, capabilities, addresses, and what is built from them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from lancelot.config import load_config
from lancelot.errors import BadInput, NotFound
from lancelot.providers.anthropic import Anthropic
from lancelot.providers.gemini import Gemini
from lancelot.providers.openai import OpenAI
from lancelot.providers.profiles import build_provider, profile, profiles
from lancelot.providers.selfhosted import SelfHosted
from lancelot.settings import project_dir

CONFIG = load_config(project_dir() / "config")
KEY = SecretStr("key-0123456789")


def test_the_four_providers_in_order() -> None:
    assert [known.name for known in profiles(CONFIG)] == ["openai", "anthropic", "gemini", "selfhosted"]
    with pytest.raises(NotFound, match="acme"):
        profile(CONFIG, "acme")


@pytest.mark.parametrize(
    ("name", "kind", "fast", "deep"),
    [
        ("openai", OpenAI, "gpt-6-luna", "gpt-6.1-sol"),
        ("anthropic", Anthropic, "claude-haiku-5-5", "claude-opus-5-5"),
        ("gemini", Gemini, "gemini-3.5-flash-lite", "gemini-4-argon"),
        ("selfhosted", SelfHosted, "auto", "auto"),
    ],
)
def test_each_is_built_with_its_lanes(name: str, kind: type, fast: str, deep: str) -> None:
    chosen = profile(CONFIG, name)
    base_url = "http://127.0.0.1:9" if name == "selfhosted" else None
    provider = build_provider(chosen, KEY, base_url=base_url)
    assert isinstance(provider, kind)
    assert provider.name == name
    assert (chosen.model("fast"), chosen.model("deep")) == (fast, deep)
    with pytest.raises(ValueError, match="local"):
        chosen.model("local")


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_a_missing_key_is_said_before_any_call(key: SecretStr | None) -> None:
    with pytest.raises(BadInput) as caught:
        build_provider(profile(CONFIG, "openai"), key)
    assert caught.value.code == "key_missing"
    assert profile(CONFIG, "selfhosted").needs_key is False


BAD_ADDRESSES = ["", "x", "ftp://a", "https://", "https://u:p@a", "https://a?x", "https://a#x", "https://a b"]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_does_not_do_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="base URL"):
        build_provider(profile(CONFIG, "selfhosted"), None, base_url=address)


def test_a_key_does_not_travel_over_plain_http() -> None:
    with pytest.raises(BadInput) as caught:
        build_provider(profile(CONFIG, "openai"), KEY, base_url="http://proxy.example.com/v1")
    assert caught.value.code == "key_over_plain_http"
    build_provider(profile(CONFIG, "openai"), KEY, base_url="http://127.0.0.1:4000/v1")


def test_capabilities_of_known_and_unknown_models() -> None:
    claude = profile(CONFIG, "anthropic")
    assert claude.capabilities("claude-opus-5-5").forced_tool_use is False
    assert claude.capabilities("claude-next").forced_tool_use is True


def test_lane_models_missing_from_the_list() -> None:
    gemini = profile(CONFIG, "gemini")
    assert gemini.missing(["models/gemini-3.5-flash-lite", "gemini-4-argon"]) == []
    assert gemini.missing(["gemini-3.5-flash-lite"]) == ["gemini-4-argon"]
    assert profile(CONFIG, "selfhosted").missing([]) == []


def test_a_key_never_shows() -> None:
    provider = build_provider(profile(CONFIG, "openai"), KEY)
    assert "key-0123456789" not in repr(provider)
    assert "key-0123456789" not in repr(vars(provider))
