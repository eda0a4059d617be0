"""Every page draws: with nothing in it, with a little and with a lot, before READY, and with services down."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from lancelot.demo import seed
from lancelot.errors import StoreError
from lancelot.services import Services
from tests.console.drawing import PROJECT, draw

PAGES = {
    "war_room/approvals.py": "Approvals",
    "war_room/ask.py": "Ask",
    "war_room/costs.py": "Cost & tokens",
    "war_room/local_model.py": "Local model",
    "war_room/receipts.py": "Receipts",
    "war_room/redaction_lab.py": "Redaction lab",
    "war_room/router.py": "Router",
    "onboarding/page.py": "Welcome",
    "settings/page.py": "Settings",
}
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.xdist_group("pages"),
]


def assert_well(app: AppTest, title: str) -> None:
    assert not app.exception, [found.value for found in app.exception]
    assert [found.value for found in app.title] == [title]
    assert not app.error, [found.value for found in app.error]


def test_every_page_of_the_navigation_is_tested() -> None:
    from_disk = {
        str(path.relative_to(PROJECT / "console")) for path in (PROJECT / "console/war_room").glob("[a-z]*.py")
    }
    assert from_disk - {"war_room/overview.py"} == {page for page in PAGES if page.startswith("war_room")}


def test_pages_with_nothing_in_them(services: Services) -> None:
    for page, title in PAGES.items():
        assert_well(draw(page), title)


@pytest.mark.parametrize("count", [3, 3000])
def test_pages_with_receipts(services: Services, count: int) -> None:
    seed(services.receipts, count)
    services.receipts.flush(60)
    for page, title in PAGES.items():
        assert_well(draw(page), title)
    rows = draw("war_room/receipts.py").dataframe[0].value.shape[0]
    assert rows == 50 if count > 50 else 3 <= rows < 50


def test_before_ready_the_first_page_leads_to_the_setup(services: Services) -> None:
    app = AppTest.from_file(str(PROJECT / "console" / "main.py"), default_timeout=60).run()
    assert not app.exception


def test_ask_says_what_comes_next_before_ready(services: Services) -> None:
    app = draw("war_room/ask.py")
    assert any("What comes next" in found.value for found in app.markdown)


def test_an_approval_is_shown_and_decided(services: Services) -> None:
    from lancelot.approvals import Ask, State

    made = services.approvals.ask(Ask(who="agent", what="Send the report to <EMAIL_1>", risk="high"))
    app = draw("war_room/approvals.py")
    assert any("Send the report" in found.value for found in app.markdown)
    app.button(key=f"deny_{made.id}").click().run()
    assert services.approvals.get(made.id).state is State.DENIED


def test_the_lab_shows_what_would_leave(services: Services) -> None:
    app = draw("war_room/redaction_lab.py")
    app.text_area(key="lab_text").set_value("Mail anna.berg@example.com")
    next(button for button in app.button if button.label == "Show").click().run()
    assert any("<EMAIL_1>" in found.value for found in app.code)


def test_a_broken_store_is_told_without_a_stack_trace(services: Services) -> None:
    class Broken:
        """A receipt store whose disk is gone."""

        def __getattr__(self, name: str) -> object:
            raise StoreError()

    whole, services.receipts = services.receipts, Broken()  # type: ignore[assignment]
    try:
        app = draw("war_room/receipts.py")
    finally:
        services.receipts = whole
    assert not app.exception
    assert "store_unavailable" in app.error[0].value
    assert "Traceback" not in app.error[0].value
