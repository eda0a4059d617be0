"""The demonstration: shown only when asked for, marked, and never mixed with real records."""

from __future__ import annotations

import pytest

from lancelot.demo import seed
from lancelot.services import Services
from tests.console.drawing import draw, words
from tests.console.test_pages import PAGES, assert_well

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.xdist_group("pages"),
]
WITH_DEMO = tuple(f"war_room/{name}.py" for name in ("overview", "approvals", "router", "receipts", "costs"))
MARK = "Demo: these figures are made up"


@pytest.fixture
def both(services: Services) -> Services:
    """Three real receipts, and a demonstration of 400."""
    seed(services.receipts, 3, seed=1)
    services.receipts.flush(60)
    services.demo.make(400)
    return services


def test_without_the_switch_only_real_records_are_shown(both: Services) -> None:
    app = draw("war_room/receipts.py")
    assert [toggle.label for toggle in app.sidebar.toggle] == ["Demo data"]
    assert 3 <= app.dataframe[0].value.shape[0] < 50
    assert MARK not in words(app)


def test_with_it_every_page_that_can_shows_the_demonstration_and_says_so(both: Services) -> None:
    for page in WITH_DEMO:
        app = draw(page, demo="1")
        assert_well(app, PAGES.get(page, "Overview"))
        assert MARK in words(app), page
    assert draw("war_room/receipts.py", demo="1").dataframe[0].value.shape[0] == 50


def test_pages_about_the_real_system_say_that_they_are(both: Services) -> None:
    app = draw("settings/page.py", demo="1")
    assert "This page shows the real system, not the demo" in words(app)


def test_nothing_crosses_over(both: Services) -> None:
    real = {receipt.id for receipt in both.receipts.page({}, None, 1000)[0]}
    draw("war_room/approvals.py", demo="1")
    demo = both.demo.records()
    waiting = demo.approvals.list()
    assert waiting
    assert not both.approvals.list()
    demo.approvals.decide(waiting[0].id, "deny", note="no")
    assert {receipt.id for receipt in both.receipts.page({}, None, 1000)[0]} == real
    assert not real & {receipt.id for receipt in demo.receipts.page({}, None, 1000)[0]}


def test_without_a_demonstration_there_is_no_switch(services: Services) -> None:
    app = draw("war_room/receipts.py", demo="1")
    assert not app.sidebar.toggle
    assert MARK not in words(app)


def test_every_link_inside_the_demonstration_stays_in_it(both: Services) -> None:
    """Opened in another tab, too, where nobody remembers the switch."""
    overview = draw("war_room/overview.py", demo="1")
    (table,) = [found.value for found in overview.dataframe if "Receipt" in found.value]
    assert all("demo=1" in address for address in table["Receipt"])
    receipt = both.demo.records().receipts.page({"kind": "attempt"}, None, 1)[0][0]
    links = [found.proto for found in draw("war_room/receipts.py", demo="1", id=receipt.id).get("page_link")]
    assert links
    assert all("demo=1" in link.query_string for link in links if link.query_string)
    real = draw("war_room/receipts.py", id=both.receipts.page({}, None, 1)[0][0].id)
    assert not any("demo" in found.proto.query_string for found in real.get("page_link"))
