"""The set-up says which model suits this machine and shows every tier, candidates as candidates."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from local_models.lockfile import load_lock


def page() -> None:
    from console.onboarding.questions import other_models

    other_models()


def test_the_suggestion_and_all_tiers_are_shown() -> None:
    shown = AppTest.from_function(page, default_timeout=30).run()
    assert not shown.exception
    words = "\n".join(str(element.value) for element in [*shown.caption, *shown.markdown])
    lock = load_lock()
    assert "Suggested for this machine" in words
    assert all(pin.title in words for pin in lock.models)
    assert words.count("candidate, cannot be installed yet") == sum(pin.candidate for pin in lock.models)
    assert words.count("will be installed") == 1
