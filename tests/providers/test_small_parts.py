"""What is carried from turn to turn, and stop sequences cut on our side."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from lancelot.providers.carried import Carried
from lancelot.providers.stops import StopCutter


def test_the_oldest_state_makes_room() -> None:
    carried = Carried(entries=2)
    for name in "abc":
        carried.keep(name, name.upper(), 1)
    assert [carried.get(name) for name in "abc"] == [None, "B", "C"]
    assert carried.get(None) is None


def test_state_is_bounded_in_bytes_too() -> None:
    carried = Carried(max_bytes=100)
    carried.keep("a", "A", 60)
    carried.keep("a", "A2", 70)
    assert carried.get("a") == "A2"
    carried.keep("b", "B", 60)
    assert (carried.get("a"), carried.get("b")) == (None, "B")
    carried.keep("huge", "x", 1_000)
    assert carried.get("huge") is None


def test_state_is_safe_between_threads() -> None:
    carried = Carried(entries=50)

    def work(letter: str) -> None:
        for number in range(500):
            carried.keep(f"{letter}{number}", number, 1)
            carried.get(f"{letter}{number}")

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(carried.get(f"{letter}{number}") is not None for letter in "abcd" for number in range(500)) == 50


@given(
    st.text("abcXY", max_size=30),
    st.lists(st.text("abcXY", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 5), max_size=12),
)
def test_cutting_at_a_stop_does_not_depend_on_the_chunks(text: str, stops: list[str], cuts: list[int]) -> None:
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    cutter, got, at = StopCutter(stops), "", 0
    for cut in [*cuts, len(text)]:
        got += cutter.feed(text[at : at + cut])
        at += cut
    got += cutter.flush()
    if not places:
        assert (got, cutter.stopped) == (text, False)
        return
    assert cutter.stopped
    # a later, longer stop may only be known after an earlier, shorter one was: never more than the earliest end
    assert text.startswith(got)
    assert all(stop not in got for stop in stops)
