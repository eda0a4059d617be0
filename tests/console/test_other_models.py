"""The set-up lets a person choose among the tiers and shows candidates as what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from local_models.lockfile import load_lock
from tests.two_tiers import OTHER, lock_with


def page() -> None:
    import streamlit as st

    from console.onboarding.questions import not_yet, tier_choice
    from lancelot.settings import data_dir
    from local_models.lockfile import load_lock
    from local_models.tier import tiers

    lock = load_lock()
    rows = [tier.to_dict() for tier in tiers(lock, data_dir() / "models")]
    st.markdown(f"picked {tier_choice(rows, lock.default)['id']}")
    not_yet(rows)


@pytest.mark.usefixtures("data_folder")
def test_the_suggestion_and_all_tiers_are_shown() -> None:
    shown = AppTest.from_function(page, default_timeout=30).run()
    assert not shown.exception
    lock = load_lock()
    (radio,) = shown.radio
    assert list(radio.options) == [pin.title for pin in lock.models if not pin.candidate]
    words = "\n".join(str(element.value) for element in [*shown.caption, *shown.markdown])
    assert f"picked {lock.default}" in words
    assert all(pin.title in words for pin in lock.models if pin.candidate)
    assert words.count("bytes, revision, sources") == sum(pin.candidate for pin in lock.models)
    assert radio.proto.captions
    assert "suggested for this machine" in radio.proto.captions[0]


@pytest.mark.usefixtures("data_folder")
def test_another_installable_tier_can_be_picked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANCELOT_MODELS_LOCK", str(lock_with(tmp_path / "lock.yaml", "http://127.0.0.1:9/x")))
    shown = AppTest.from_function(page, default_timeout=30).run()
    (radio,) = shown.radio
    assert len(radio.options) == 2
    radio.set_value(OTHER).run()
    assert f"picked {OTHER}" in [element.value for element in shown.markdown]
