"""Edits by a form: the value changes, comments and layout stay, and all else means what it meant."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.config_edit import set_values
from lancelot.config_router import RouterConfig
from lancelot.config_yaml import load_plain, parse_yaml
from lancelot.errors import BadConfig
from lancelot.settings import project_dir

ROUTER = (project_dir() / "config" / "router.yaml").read_text()


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("budgets", "total", "daily_usd"), Decimal("20.50")),
        (("budgets", "lanes", "deep", "monthly_tokens"), 5_000_000),
        (("budgets", "keys", "shop: north", "daily_usd"), Decimal(1)),
        (("budgets", "pressure", "no_deep"), 0.9),
        (("max_cost_usd_per_request",), Decimal("0.25")),
        (("previews",), True),
        (("redaction_mode",), "thorough"),
        (("gateway", "requests_per_minute"), 60),
        (("local_answers",), ["classify", "greeting"]),
        (("power",), {"usd_per_kwh": Decimal("0.3"), "watts": 40}),
    ],
)
def test_a_value_changes_and_the_comments_stay(path: tuple[str, ...], value: object) -> None:
    edited = set_values(ROUTER, {path: value})  # type: ignore[dict-item]
    found = load_plain(edited)
    for key in path:
        found = found[key]
    assert found == (load_plain("v: 0.9")["v"] if value == 0.9 else value)
    assert comments(edited) == comments(ROUTER)
    parse_yaml(edited.encode(), RouterConfig, "router.yaml")
    changed = set(edited.splitlines()) ^ set(ROUTER.splitlines())
    assert len(changed) <= 2, changed


def test_none_takes_a_key_away_so_that_its_default_holds() -> None:
    edited = set_values(ROUTER, {("max_attempts",): None, ("budgets", "pressure", "no_deep"): None})
    assert "max_attempts" not in load_plain(edited)
    assert load_plain(edited)["budgets"]["pressure"] == {
        "narrow_deep": Decimal("0.7"),
        "narrow_fast": Decimal("0.95"),
    }
    assert set_values(ROUTER, {("nothing", "like", "this"): None}) == ROUTER


@pytest.mark.parametrize("text", ["", "# only a comment\n", "a:\n", "a: {b: 1}", "a:\n  b: 1 # why\n\n# next\nc: 2\n"])
def test_small_and_odd_files(text: str) -> None:
    edited = set_values(text, {("a", "b"): 3, ("a", "d"): "x: y"})
    assert load_plain(edited)["a"] == {"b": 3, "d": "x: y"}
    assert comments(edited) == comments(text)
    assert load_plain(set_values(edited, {("a", "b"): None, ("a", "d"): None}))["a"] == {}


@pytest.mark.parametrize("text", ["- a list", "just words", "a: [1", "a: 1\na: 2"])
def test_what_is_no_mapping_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadConfig):
        set_values(text, {("a",): 1})


keys = st.text("abcxyz_", min_size=1, max_size=4)
leaves = st.one_of(st.integers(), st.booleans(), st.text(max_size=12), st.decimals(-1000, 1000, places=3))


@given(
    st.dictionaries(keys, st.one_of(leaves, st.dictionaries(keys, leaves, max_size=3)), max_size=4),
    st.lists(st.tuples(st.lists(keys, min_size=1, max_size=3).map(tuple), st.none() | leaves), max_size=4),
)
def test_nothing_else_means_anything_different(
    start: dict[str, object], edits: list[tuple[tuple[str, ...], object]]
) -> None:
    text = set_values("", {(name,): value for name, value in start.items()})  # type: ignore[misc]
    edited = set_values(text, dict(edits))  # type: ignore[arg-type]
    touched = {path[0] for path, _ in edits}
    before, after = load_plain(text), load_plain(edited)
    assert {name: value for name, value in after.items() if name not in touched} == {
        name: value for name, value in before.items() if name not in touched
    }
