"""The tagger: its weights are pinned and small, it is thread-safe, and its known false alarms are taken back."""

from __future__ import annotations

import hashlib
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lancelot.errors import RedactionFailed
from lancelot.redaction.blas import single_threaded
from lancelot.redaction.doubts import believable, extend
from lancelot.redaction.names import WEIGHTS_SHA256, Tagger, fold, tokenize, weights_path, word_shape


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


def tagged(tagger: Tagger, text: str) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in tagger.find(text)]


def test_weights_are_pinned_and_at_most_five_megabytes() -> None:
    blob = weights_path().read_bytes()
    assert len(blob) <= 5_000_000
    assert hashlib.sha256(blob).hexdigest() == WEIGHTS_SHA256


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please call Tobias Brandt in Hamburg.", [("PERSON", "Tobias Brandt"), ("LOCATION", "Hamburg")]),
        ("my name is priyanka and i live in leeds", [("PERSON", "priyanka"), ("LOCATION", "leeds")]),
        ("MEETING WITH ANNA BERG IN OSLO", [("PERSON", "ANNA BERG"), ("LOCATION", "OSLO")]),
        ("", []),
        ("... --- !!!", []),
    ],
)
def test_names_and_places(tagger: Tagger, text: str, expected: list[tuple[str, str]]) -> None:
    assert tagged(tagger, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A. The rate rises\nB. The rate falls\nC. Neither",
        "Use the GPS and the API over a VPN",
        "we will hope for June",
        "def area(r): return 3.14 * r ** 2",
        "Weight 80 kg, page 12, line 7",
    ],
)
def test_known_false_alarms_are_taken_back(tagger: Tagger, text: str) -> None:
    assert tagged(tagger, text) == []


def test_long_texts_are_read_in_windows(tagger: Tagger) -> None:
    text = (
        ("The report is late again and nobody knows why it is. ") * 120
        + "Tobias Brandt signed it. "
        + "Fine then. " * 300
    )
    spans = tagger.find(text)
    assert ("PERSON", "Tobias Brandt") in [(s.label, text[s.start : s.end]) for s in spans]
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_many_threads_agree(tagger: Tagger) -> None:
    texts = [f"Tobias Brandt number {i} met Anna{i} Berg in Hamburg on day {i}" for i in range(120)]
    alone = [Tagger().find(texts[0]), *map(tagger.find, texts[1:])]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(Tagger().find, texts)) == alone


def test_the_environment_stays_as_it_was(tagger: Tagger) -> None:
    before = dict(os.environ)
    tagger.find("Anna Berg")
    single_threaded()
    assert dict(os.environ) == before


def test_damaged_or_missing_weights_stop_everything(tmp_path: Path) -> None:
    with pytest.raises(RedactionFailed):
        Tagger(tmp_path / "none.npz").find("Anna Berg")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(weights_path().read_bytes()[:-5000])
    with pytest.raises(RedactionFailed):
        Tagger(broken).find("Anna Berg")


def test_tokens_and_shapes() -> None:
    starts, ends, tokens, gaps = tokenize("Hi Åsa-Lena\n2026_x")
    assert tokens == ["Hi", "Åsa", "-", "Lena", "2026", "_", "x"]
    assert gaps == [0, 2, 1, 1, 3, 1, 1]
    assert [end - start for start, end in zip(starts, ends, strict=True)] == [2, 3, 1, 4, 4, 1, 1]
    assert [word_shape(word) for word in ("1999", "12", "31", "45", "Anna", "iPhone7")] == [
        "Y", "m", "D", "d2", "Xxx4", "xXxxd4",
    ]  # fmt: skip
    assert fold("müller") == "muller"


def test_doubts_and_extensions() -> None:
    lexicon = {"rang": 1 << 11, "mining": 1 << 12, "call": 1 << 10}
    assert not believable("it rang", 3, 7, "LOCATION", lexicon)
    assert not believable("see 3f9d8a1", 4, 11, "SECRET", lexicon)
    assert not believable("ring +0100", 5, 10, "PHONE", lexicon)
    text = "Ask Nkechi Umeh-Barnes of Kirin K.K. now"
    assert extend(text, 11, 22, "PERSON", {"ask": 1 << 10}) == (4, 22)
    assert extend(text, 26, 31, "ORG", lexicon) == (26, 36)
