"""Settings: the difference before saving, undo, refusals in words; keys and the token shown once and kept nowhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.services import Services
from tests.console.drawing import draw, press, words

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.xdist_group("pages"),
]
PAGE = "settings/page.py"


def field(app: object, label: str) -> object:
    """The input with this label, whatever its kind."""
    kinds = ("number_input", "text_area", "text_input", "toggle", "selectbox", "multiselect")
    found = [one for kind in kinds for one in getattr(app, kind) if one.label == label]
    assert found, label
    return found[0]


def proposals(app: object) -> list[object]:
    """The buttons that show a difference, in the order of the tabs: provider (when chosen), budgets, policy."""
    return [button for button in app.button if button.label == "Show what would change"]  # type: ignore[attr-defined]


def test_a_budget_is_shown_as_a_difference_then_saved_then_undone(services: Services, config_folder: Path) -> None:
    before = (config_folder / "router.yaml").read_text()
    app = draw(PAGE)
    field(app, "US dollars a day").set_value(20.0)  # type: ignore[attr-defined]
    proposals(app)[0].click()  # type: ignore[attr-defined]
    app.run()
    assert "daily_usd: 20" in words(app)
    assert (config_folder / "router.yaml").read_text() == before  # nothing is saved by looking
    press(app, "Save")
    assert services.config.current.router.budgets.total.daily_usd == Decimal(20)
    assert "saved and in force" in words(app)
    kept = {line.partition("#")[2] for line in before.splitlines()}
    assert kept <= {line.partition("#")[2] for line in (config_folder / "router.yaml").read_text().splitlines()}
    events, _ = services.receipts.page({"kind": "event"}, None, 10)
    assert any(event.data.get("event") == "config_changed" for event in events)
    press(app, "Undo the last save")
    assert services.config.current.router.budgets.total.daily_usd is None
    assert (config_folder / "router.yaml").read_text() == before


def test_a_proposal_can_be_left(services: Services, config_folder: Path) -> None:
    app = draw(PAGE)
    field(app, "Keep a masked preview in receipts").set_value(True)  # type: ignore[attr-defined]
    proposals(app)[-1].click()  # type: ignore[attr-defined]
    app.run()
    assert "+previews: true" in words(app)
    press(app, "Leave it")
    assert "+previews: true" not in words(app)
    assert not services.config.current.router.previews


def test_a_text_that_would_not_do_is_refused_with_line_and_key(services: Services, config_folder: Path) -> None:
    app = draw(PAGE)
    text = (config_folder / "router.yaml").read_text()
    field(app, "Text of router.yaml").set_value(text.replace("previews: false", "previews: perhaps"))  # type: ignore[attr-defined]
    press(app, "Check and show what would change")
    assert "`previews`" in words(app)
    assert "+previews: perhaps" in words(app)
    save = next(button for button in app.button if button.label == "Save")
    assert save.disabled
    assert (config_folder / "router.yaml").read_text() == text


def test_an_edit_from_outside_between_looking_and_saving_is_not_overwritten(
    services: Services, config_folder: Path
) -> None:
    app = draw(PAGE)
    field(app, "US dollars a day").set_value(20.0)  # type: ignore[attr-defined]
    proposals(app)[0].click()  # type: ignore[attr-defined]
    app.run()
    path = config_folder / "router.yaml"
    path.write_text(path.read_text() + "\n# written by somebody else\n")
    press(app, "Save")
    assert "config_changed" in words(app)
    assert "written by somebody else" in path.read_text()
    assert services.config.reload().router.budgets.total.daily_usd is None


def test_a_key_is_shown_once_and_revoked_only_when_asked_twice(services: Services) -> None:
    app = draw(PAGE)
    field(app, "Name of the application").set_value("shop")  # type: ignore[attr-defined]
    press(app, "Make the key")
    secret = next(str(one.value) for one in app.code if str(one.value).startswith("lk_"))
    assert services.keys.check(secret) is not None
    app.run()
    assert secret not in words(app)
    assert secret not in repr(app.session_state)
    made = services.keys.all()[0]
    field(app, "Revoke a key").select(made.id)  # type: ignore[attr-defined]
    app.run()
    press(app, "Revoke…")
    assert services.keys.check(secret) is not None
    press(app, "Yes, revoke shop")
    assert services.keys.check(secret) is None
    assert "shop is revoked" in words(app)


def test_a_refused_key_is_told_in_words(services: Services) -> None:
    app = draw(PAGE)
    press(app, "Make the key")
    assert "needs a name" in words(app)


def test_the_token_is_replaced_only_when_asked_twice(services: Services, data_folder: Path) -> None:
    old = services.keys.token()
    app = draw(PAGE)
    press(app, "Replace the token…")
    assert services.keys.token() == old
    press(app, "Keep the old one")
    assert services.keys.token() == old
    press(app, "Replace the token…")
    press(app, "Yes, replace it")
    fresh = services.keys.token()
    assert fresh != old
    assert fresh in words(app)
    assert services.keys.check(old) is None
    assert (data_folder / "token").read_text().strip() == fresh
    app.run()
    assert fresh not in words(app)
    assert fresh not in repr(app.session_state)
