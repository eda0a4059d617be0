"""The Overview of a system that is READY: with nothing, little and a lot of real records, and with services down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lancelot.demo import seed
from lancelot.services import Services
from tests.console.drawing import draw, open_services, words
from tests.console.test_services_down import SERVICES, assert_told, down
from tests.faults.drill_damage import copied
from tests.ready import provisioned_folder

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.xdist_group("pages"),
]
PAGE = "war_room/overview.py"


@pytest.fixture(scope="session")
def ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the command line has brought to READY, offline; tests copy it."""
    return provisioned_folder(tmp_path_factory)


@pytest.fixture
def ready(
    ready_folder: Path, config_folder: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.setenv("LANCELOT_UPKEEP", "off")
    shutil.copytree(ready_folder, data_folder, copy_function=copied, dirs_exist_ok=True)
    with open_services() as opened:
        assert opened.is_ready()
        yield opened


@pytest.mark.parametrize("count", [0, 3, 5000])
def test_the_overview_shows_what_there_is(ready: Services, count: int) -> None:
    if count:
        seed(ready.receipts, count)
        ready.receipts.flush(60)
    app = draw(PAGE)
    assert not app.exception, [found.value for found in app.exception]
    assert [found.value for found in app.title] == ["Overview"]
    assert not app.error, [found.value for found in app.error]
    figures = {found.label: found.value for found in app.metric}
    assert set(figures) == {"Requests today", "Spent today", "Tokens today", "Saved today"}
    assert ("No requests yet" in words(app)) == (count == 0)
    table = [found.value for found in app.dataframe if "Receipt" in found.value]
    assert len(table) == (1 if count else 0)
    if count > 100:
        assert len(table[0]) == 8


def test_the_overview_with_each_service_down(ready: Services) -> None:
    seed(ready.receipts, 20)
    for name in SERVICES:
        with down(ready, name):
            assert_told(PAGE, name)
    with down(ready, *SERVICES):
        assert_told(PAGE, "all")
    assert "Every part" in words(draw(PAGE)) or "need attention" in words(draw(PAGE))
