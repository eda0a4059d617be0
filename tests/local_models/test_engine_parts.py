"""The small parts of the engine: label scoring, writing, windows, layout, guards, places of spans."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_models.batching import Batcher
from local_models.errors import BadTask
from local_models.guards import extractive_summary, guard_rewrite, guard_summary, stray_facts
from local_models.labels import Scored, log_probabilities, score_labels, softmax
from local_models.layout import DEFAULT_LABELS, LONG_TURN, TASKS, Label, Turn, head, label_list, rewrite, schema_head
from local_models.llama import Logits
from local_models.results import FoundSpan, find_spans
from local_models.windows import MOST_WINDOWS, windows
from local_models.work import Branch, Fork, Pass, Plan, Room
from local_models.writing import Sampling, Written, write
from tests.local_models.engine_fakes import END, FakeDecoder, run


class Opinionated(FakeDecoder):
    """A model whose logits are random, but always the same after the same tokens."""

    def row(self, tokens: list[int]) -> Logits:
        seed = int(np.dot(tokens, np.arange(1, len(tokens) + 1))) % 2**32
        return np.random.default_rng(seed).normal(0, 3, 257).astype(np.float32)


def scored(decoder: FakeDecoder, labels: Sequence[Sequence[int]]) -> Scored:
    def plan(room: Room) -> Plan[Scored]:
        at: Branch = yield Fork(None)
        rows = yield [Pass(at.sequence, 0, [1, 2, 3])]
        return (yield from score_labels(room, Branch(at.sequence, 3), rows[-1], labels, sure=float("inf")))

    batcher = Batcher(decoder)
    ticket = batcher.submit(plan, cells=400)
    run(batcher)
    return ticket.result(0)


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=2, max_size=9, unique_by=tuple),
    sequences=st.sampled_from([5, 8, 32]),
)
def test_the_best_label_is_the_exhaustive_searchs(labels: list[list[int]], sequences: int) -> None:
    decoder = Opinionated(sequences=sequences)
    whole = [[*label, END] for label in labels]

    def exact(tokens: list[int]) -> float:
        before = [1, 2, 3]
        total = 0.0
        for token in tokens:
            total += log_probabilities(decoder.row(before), [token])[0]
            before = [*before, token]
        return total

    truth = [exact(tokens) for tokens in whole]
    found = scored(decoder, whole).scores
    best = int(np.argmax(truth))
    assert int(np.argmax(found)) == best
    shift = truth[best] - found[best]  # scores are right but for one constant
    found = [score + shift for score in found]
    assert all(bound >= true - 1e-4 for bound, true in zip(found, truth, strict=True))
    assert softmax(found)[best] <= softmax(truth)[best] + 1e-6


def written(script: dict[str, int] | list[int], **terms: Any) -> tuple[Written, list[str]]:
    """What is written when the model wants these tokens one after the other."""
    decoder = FakeDecoder(script=lambda tokens: wanted[min(len(tokens) - 1, len(wanted) - 1)])
    wanted = list(script)
    heard: list[str] = []

    def plan(room: Room) -> Plan[Written]:
        at: Branch = yield Fork(None)
        rows = yield [Pass(at.sequence, 0, [1])]
        return (yield from write(room, Branch(at.sequence, 1), rows[-1], on_text=heard.append, **terms))

    batcher = Batcher(decoder)
    ticket = batcher.submit(plan, cells=800)
    run(batcher)
    return ticket.result(0), heard


def test_writing_stops_at_the_end_token_and_at_the_limit() -> None:
    result, heard = written([*b"hi", END], limit=10)
    assert (result.text, result.finish, "".join(heard)) == ("hi", "stop", "hi")
    result, _ = written([*b"abcdefgh"], limit=4)
    assert (result.text, result.finish, len(result.tokens)) == ("abcd", "length", 4)


def test_a_stop_string_is_never_shown_not_even_its_beginning() -> None:
    result, heard = written([*b"one STOP two"], limit=40, sampling=Sampling(stop=("STOP",)))
    assert (result.text, result.finish) == ("one ", "stop")
    assert "".join(heard) == "one "
    assert all("S" not in piece for piece in heard)


def test_streamed_pieces_are_whole_characters() -> None:
    result, heard = written([*"größe €".encode(), END], limit=40)
    assert result.text == "größe €"
    assert "".join(heard) == "größe €"
    assert all("\ufffd" not in piece for piece in heard)


def test_a_model_that_runs_in_a_circle_is_ended() -> None:
    result, _ = written(list(itertools.islice(itertools.cycle(b"roi au "), 400)), limit=390)
    assert result.finish == "loop"
    assert len(result.tokens) < 60


def test_the_same_seed_writes_the_same() -> None:
    decoder = Opinionated()

    def sample(seed: int) -> list[int]:
        def plan(room: Room) -> Plan[Written]:
            at: Branch = yield Fork(None)
            rows = yield [Pass(at.sequence, 0, [1])]
            how = Sampling(temperature=1.0, top_p=0.95, seed=seed)
            return (yield from write(room, Branch(at.sequence, 1), rows[-1], limit=20, sampling=how))

        batcher = Batcher(decoder)
        ticket = batcher.submit(plan, cells=100)
        run(batcher)
        return ticket.result(0).tokens

    assert sample(3) == sample(3)
    assert sample(3) != sample(4)


@settings(deadline=None)
@given(
    length=st.integers(1, 900), size=st.integers(60, 200), overlap=st.integers(0, 9), breaks=st.sets(st.integers(0, 50))
)
def test_windows_cover_every_token(length: int, size: int, overlap: int, breaks: set[int]) -> None:
    tokens = [n % 51 for n in range(length)]
    made = windows(tokens, size, overlap=overlap, breaks=frozenset(breaks))
    assert all(0 < len(window) <= size for window in made)
    at = 0
    for window in made:
        start = next(s for s in range(max(0, at - overlap), at + 1) if tokens[s : s + len(window)] == window)
        assert start <= at
        at = max(at, start + len(window))
    assert at == length


def test_a_text_of_too_many_windows_is_refused_in_words() -> None:
    with pytest.raises(BadTask, match="too long"):
        windows(list(range(10 * (MOST_WINDOWS + 2))), 10)


def test_the_layout_is_the_trained_one() -> None:
    assert head("classify") == (
        "<|im_start|>system\nTask: classify. Answer with exactly one label from the list.<|im_end|>\n<|im_start|>user\n"
    )
    assert label_list([Label("a", "first"), Label("b")]) == "Labels:\n- a: first\n- b\n\nText:"
    assert (
        schema_head({"total": "number", "naïve": "string"}) == 'Schema: {"total": "number", "naïve": "string"}\n\nText:'
    )
    assert [label.name for label in DEFAULT_LABELS] == [
        "question",
        "command",
        "information",
        "greeting",
        "feedback",
        "unclear",
    ]
    assert all(head(task).startswith("<|im_start|>system\nTask: ") for task in TASKS)


def test_a_rewrite_says_when_turns_were_left_out() -> None:
    turns = [Turn("user", f"question {n}") for n in range(3)]
    message, shortened = rewrite("and now?", turns)
    assert message == "Conversation:\nUser: question 0\nUser: question 1\nUser: question 2\n\nQuery: and now?"
    assert not shortened
    assert rewrite("q", [*turns, *turns])[1]
    message, shortened = rewrite("q", [Turn("assistant", "long " * 100)])
    assert shortened
    assert len(message) < LONG_TURN + 60
    assert rewrite("q", []) == ("Query: q", False)


TALK = [Turn("user", "Tell me about the Falcon 9 rocket"), Turn("assistant", "It is built by SpaceX.")]


@pytest.mark.parametrize(
    ("candidate", "fell_back"),
    [
        ("How much does the Falcon 9 rocket cost?", False),
        ("What do Falcon 9 rockets cost?", False),
        ("How much does the Saturn V cost?", True),
        ("", True),
        ("Does the rocket cost cost cost much?", True),
    ],
)
def test_a_rewrite_with_words_nobody_said_falls_back(candidate: str, fell_back: bool) -> None:
    query, back = guard_rewrite(candidate, "How much does it cost?", TALK)
    assert back is fell_back
    assert query == ("How much does it cost?" if fell_back else candidate)


REPORT = "The server lost power at 02:10 on Tuesday. Maria Lopez restored service at 04:35. No data was lost."


@pytest.mark.parametrize(
    ("summary", "strays"),
    [
        ("The server lost power on Tuesday and Maria Lopez restored it.", []),
        ("Power was lost at 03:10 on Tuesday.", ["03:10"]),
        ("Power was restored by Pedro Lopez.", ["Pedro"]),
    ],
)
def test_stray_facts_are_found(summary: str, strays: list[str]) -> None:
    assert stray_facts(summary, REPORT) == strays
    final, redone = guard_summary(summary, REPORT)
    assert redone is bool(strays)
    assert not stray_facts(final, REPORT)


def test_an_extractive_summary_is_bounded_and_from_the_text() -> None:
    assert extractive_summary(REPORT)
    assert all(sentence in REPORT for sentence in extractive_summary(REPORT).split(". "))
    assert len(extractive_summary("word " * 1000, most=100)) <= 104


def test_places_of_spans_are_whole_words_in_code_points() -> None:
    text = "Ann and Anna 😀 met Ann."
    assert find_spans(text, [("NAME", "Ann")]) == [FoundSpan(0, 3, "PERSON"), FoundSpan(19, 22, "PERSON")]
    assert text[19:22] == "Ann"
    overlap = find_spans("mail a@b.org now", [("USERNAME", "b.org"), ("EMAIL", "a@b.org")])
    assert overlap == [FoundSpan(5, 12, "EMAIL")]
    assert find_spans(text, [("NAME", "Zoe")]) == []
