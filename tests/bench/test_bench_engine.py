"""The figures the local model has to reach. Ratios are taken in one run; see engine.py for how."""

from __future__ import annotations

import pytest

from local_models.choice import Choice
from tests.bench import engine

pytestmark = [pytest.mark.real_model, pytest.mark.xdist_group("bench_engine"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def choice(tmp_path_factory: pytest.TempPathFactory) -> Choice:
    return engine.tuned(tmp_path_factory.mktemp("tuned"))


def test_classify_is_four_times_the_library(choice: Choice) -> None:
    ratio = engine.against_library(choice)
    print(f"\nclassify against create_chat_completion: {ratio.said}")
    assert ratio >= 4


def test_eight_callers_share_the_passes_that_write(choice: Choice) -> None:
    ratio = engine.callers(choice, "redact")
    print(f"\neight callers against one, redact: {ratio.said}")
    assert ratio >= 1.7


def test_eight_callers_share_the_passes_that_read(choice: Choice) -> None:
    ratio = engine.callers(choice)
    print(f"\neight callers against one, classify: {ratio.said}")
    assert ratio >= 1.7


def test_tuned_prefill(choice: Choice) -> None:
    ratio = engine.prefill(choice)
    print(f"\nprefill, tuned against downloaded: {ratio.said}")
    assert ratio >= 2.5


def test_http_adds_little(choice: Choice) -> None:
    added = engine.over_http(choice)
    print(f"\nHTTP and queue add {added:.2f} ms")
    assert added < 3


def test_it_starts_quickly(choice: Choice) -> None:
    seconds = engine.first_answer(choice)
    print(f"\nstart to first answer: {seconds:.2f} s")
    assert seconds < 3


def test_it_fits_into_its_memory(choice: Choice) -> None:
    resident, allowed = engine.memory(choice)
    print(f"\nresident {resident:.0f} MiB of {allowed:.0f} allowed")
    assert resident < allowed
