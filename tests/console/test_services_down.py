"""Every page with every service down, one by one and all at once: words, never a stack trace or an empty page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lancelot.demo import DemoData, DemoRecords, seed
from lancelot.errors import StoreError
from lancelot.services import Services
from tests.console.drawing import draw, words
from tests.console.test_pages import PAGES

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.xdist_group("pages"),
]
SERVICES = ("receipts", "usage", "budgets", "approvals", "supervisor", "upkeep", "keys", "mending", "changes", "demo")
EVERY_PAGE = {"war_room/overview.py": "Overview"} | PAGES


class Broken:
    """A service whose disk, process or database is gone: every call is refused as the real one would."""

    def __getattr__(self, name: str) -> Any:
        raise StoreError("This part is down for the test.")


@contextmanager
def down(services: Services, *names: str) -> Iterator[None]:
    whole = {name: getattr(services, name) for name in names}
    for name in names:
        setattr(services, name, Broken())
    try:
        yield
    finally:
        for name, service in whole.items():
            setattr(services, name, service)


def assert_told(page: str, what: str) -> None:
    app = draw(page)
    assert not app.exception, (page, what, [found.value for found in app.exception])
    said = words(app)
    assert "Traceback" not in said, (page, what)
    assert app.title or app.error, (page, what, "an empty page")
    for error in app.error:
        assert "`" in error.value, (page, what, "an error without its code")


@pytest.mark.parametrize("name", SERVICES)
def test_every_page_with_one_service_down(services: Services, name: str) -> None:
    seed(services.receipts, 20)
    with down(services, name):
        for page in EVERY_PAGE:
            assert_told(page, name)


def test_every_page_with_everything_down(services: Services) -> None:
    with down(services, *SERVICES):
        for page in EVERY_PAGE:
            assert_told(page, "all")


def test_a_part_that_is_down_leaves_the_rest_of_the_page(services: Services) -> None:
    with down(services, "keys"):
        said = words(draw("settings/page.py"))
    assert "This part is down for the test." in said
    assert "Which brain" in said  # the policy is still there


def test_figures_that_cannot_be_renewed_stay_and_say_how_old_they_are(services: Services) -> None:
    services.demo.make(200)
    app = draw("war_room/overview.py", demo="1")
    assert [one.label for one in app.metric][:2] == ["Requests today", "Spent today"]
    shown = [one.value for one in app.metric]
    whole = services.demo
    services.demo = Stale(whole)  # type: ignore[assignment]
    try:
        app.run()
    finally:
        services.demo = whole
    assert not app.exception
    assert [one.value for one in app.metric] == shown
    assert "These figures are from" in words(app)
    assert "This part is down for the test." in words(app)


class Stale:
    """The demonstration with its sums out of reach."""

    def __init__(self, whole: DemoData) -> None:
        self._whole = whole

    def records(self) -> DemoRecords:
        return replace(self._whole.records(), usage=Broken())  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)
